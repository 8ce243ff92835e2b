// Endpoints and what is known of each, for one network after the other: bounded, and forgetful.
#pragma once

#include "core/hash_index.hpp"
#include "core/health.hpp"
#include "core/time.hpp"

#include <lbresolve/endpoint.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

namespace lbresolve::core {

/// The members of one name, shared by the name and their records.
using endpoint_set = std::shared_ptr<const std::vector<endpoint>>;

/// What is known of one endpoint, with what the memory needs to know about its use.
struct endpoint_record {
  lbresolve::endpoint at;
  endpoint_health health;
  time_point last_used = time_point::min();  ///< by a connect, of a name that stands for it
  time_point probe_due = never;              ///< when a probe is planned; never: none is
  endpoint_set set;                          ///< it was last seen in, itself included; null: in none
  bool probing = false;                      ///< a probe is under way
  bool changed = false;                      ///< since it was last written down
  bool demoted = false;                      ///< when last seen, its family was
  bool withdrawn = false;                    ///< a name that had it has it no longer, and no answer since then does
  bool visited = false;                      ///< since the hand of the eviction passed

  bool is_alone() const noexcept { return set == nullptr || set->size() < 2; }
};

/// One record for each (network, endpoint), shared by all names that stand for it. A record outlives the answers that
/// named it; it never makes anybody a member.
/// Thread-safety: one thread at a time.
class endpoint_table {
 public:
  static constexpr std::size_t default_most = 65'536;

  explicit endpoint_table(std::size_t most = default_most) : most_(most) {}

  /// The record, made where there is none or where it is too old. Valid until the next call of at() or clear().
  endpoint_record& at(const endpoint& e, time_point now);
  /// The record, or null. Valid as above.
  endpoint_record* find(const endpoint& e) noexcept;
  const endpoint_record* find(const endpoint& e) const noexcept;

  /// From now on another network: what was learned on others stays for when the host returns there, but nothing is
  /// under way there any more.
  void use_network(std::uint64_t network) noexcept;
  std::uint64_t network() const noexcept { return network_; }

  std::size_t size() const noexcept { return index_.size(); }
  void clear() noexcept;

  /// Calls `f(const endpoint_record&)` for the records of the present network.
  template <class F>
  void for_each(F&& f) {
    for (slot& s : slots_)
      if (s.taken && s.network == network_) f(s.record);
  }
  /// Calls `f(network, endpoint_record&)` for the records of all networks.
  template <class F>
  void for_each_anywhere(F&& f) {
    for (slot& s : slots_)
      if (s.taken) f(s.network, s.record);
  }

  /// Whether it says nothing about now any more.
  static bool is_over(const endpoint_record& r, time_point now) noexcept {
    const time_point last = std::max(r.last_used, r.health.last_fact());
    return r.health.in_flight() == 0 && last != time_point::min() && last <= now - forget_after;
  }

  /// Unused for so long, a record may go.
  static constexpr duration forget_after = std::chrono::hours{1};

 private:
  struct slot {
    std::uint64_t network = 0;
    bool taken = false;
    endpoint_record record;
  };

  static std::size_t hash_of(std::uint64_t network, const endpoint& at) noexcept {
    return std::hash<endpoint>()(at) ^ (network * 0x9E3779B97F4A7C15U);
  }
  static auto is(std::uint64_t network, const endpoint& at) {
    return [network, &at](const slot& s) { return s.network == network && s.record.at == at; };
  }
  slot& free_slot(time_point now);

  std::size_t most_;
  std::uint64_t network_ = 0;
  hash_index<slot*> index_;
  std::deque<slot> slots_;  // where they are while the index points at them
  std::size_t hand_ = 0;
};

}  // namespace lbresolve::core
