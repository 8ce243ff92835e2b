// Endpoints and what is known of each, for one network after the other: bounded, and forgetful.
#pragma once

#include "core/health.hpp"
#include "core/time.hpp"

#include <lbresolve/endpoint.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <unordered_map>
#include <vector>

namespace lbresolve::core {

/// What is known of one endpoint, with what the memory needs to know about its use.
struct endpoint_record {
  lbresolve::endpoint at;
  endpoint_health health;
  time_point last_used = time_point::min();  ///< by a connect, of a name that stands for it
  time_point probe_due = never;              ///< when a probe is planned; never: none is
  duration typical{};                        ///< time to a connection in that set; zero: nothing was measured
  std::uint32_t siblings = 1;                ///< members of the set it was last seen in, itself included
  bool probing = false;                      ///< a probe is under way
  bool changed = false;                      ///< since it was last written down
  bool panic = false;                        ///< when a race of its set last began or ended, most of it was failing
  bool demoted = false;                      ///< when last seen, its family was
  bool visited = false;                      ///< since the hand of the eviction passed
};

/// One record for each (network, endpoint), shared by all names that stand for it. A record outlives the answers that
/// named it; it never makes anybody a member.
/// Thread-safety: one thread at a time.
class endpoint_table {
 public:
  static constexpr std::size_t default_most = 65'536;

  explicit endpoint_table(std::size_t most = default_most) : most_(most) {}

  /// The record, made where there is none. Valid until the next call of at(), forget() or clear().
  endpoint_record& at(const endpoint& e, time_point now);
  /// The record, or null. Valid as above.
  endpoint_record* find(const endpoint& e) noexcept;
  const endpoint_record* find(const endpoint& e) const noexcept;

  /// From now on another network: what was learned on others stays for when the host returns there.
  void use_network(std::uint64_t network) noexcept { network_ = network; }
  std::uint64_t network() const noexcept { return network_; }

  std::size_t size() const noexcept { return index_.size(); }
  void clear() noexcept;

  /// Calls `f(const endpoint_record&)` for the records of the present network.
  template <class F>
  void for_each(F&& f) {
    for (slot& s : slots_)
      if (s.taken && s.network == network_) f(s.record);
  }

  /// Unused for so long, a record may go.
  static constexpr duration forget_after = std::chrono::hours{1};

 private:
  struct key {
    std::uint64_t network;
    endpoint at;
    friend bool operator==(const key&, const key&) = default;
  };
  struct key_hash {
    std::size_t operator()(const key& k) const noexcept {
      return std::hash<endpoint>()(k.at) ^ (k.network * 0x9E3779B97F4A7C15U);
    }
  };
  struct slot {
    std::uint64_t network = 0;
    bool taken = false;
    endpoint_record record;
  };

  std::size_t free_slot(time_point now);

  std::size_t most_;
  std::uint64_t network_ = 0;
  std::unordered_map<key, std::size_t, key_hash> index_;
  std::vector<slot> slots_;
  std::size_t hand_ = 0;
};

}  // namespace lbresolve::core
