// The memory that choices are made from: who stands for each target, what is known of each endpoint, which family does
// not work, and what to look at in the background.
//
// DNS owns membership, health owns opinion. Endpoints are remembered for longer than any answer that named them, and
// shared by all names; but who is a member is only ever told by an answer.
#pragma once

#include "core/endpoint_table.hpp"
#include "core/families.hpp"
#include "core/guards.hpp"
#include "core/probe_plan.hpp"
#include "core/remembered.hpp"
#include "core/roster.hpp"
#include "core/selection_store.hpp"
#include "core/tls_memory.hpp"

#include <lbresolve/health.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <vector>

namespace lbresolve::core {

/// Whether a failure says something about the endpoint.
enum class blame : std::uint8_t {
  endpoint,
  family,   ///< no route: the family is to blame, not this address
  nothing,  ///< this process or host ran out of something, or the caller gave up
};
blame blame_of(std::error_code code) noexcept;

struct selection_rules {
  health_rules health;
  probe_rules probes;
};

/// Thread-safety: one thread at a time.
class selection final : public selection_store {
 public:
  explicit selection(const selection_rules& rules = {}) : rules_(rules), probes_(rules.probes) {}

  std::vector<member> take_answer(std::string_view text, membership& newest, const roster_rules& rules,
                                  time_point now) override;
  bool look_up(std::string_view text, std::span<const endpoint> set, std::span<health_view> known, time_point now,
               random_source& random) override;
  bool peek(std::string_view text, std::span<const endpoint> set, std::span<health_view> known,
            time_point now) override;
  void on_started(const endpoint& at, time_point now) override;
  void on_attempt(std::string_view text, const attempt_fact& fact, time_point now, random_source& random) override;
  void on_race_end(std::string_view text, const race_facts& facts, time_point now) override;
  bool may_ask_again(std::string_view text, time_point now) override;
  std::uint64_t take_turn(std::string_view text, time_point now) override;
  name_behaviour behaviour_of(std::string_view text) override;
  std::optional<endpoint> next_probe(time_point now) override { return probes_.next(table_, now, rules_.health); }
  time_point next_probe_at(time_point now) override { return probes_.next_at(now); }
  void on_probe(const attempt_fact& fact, time_point now, random_source& random) override;

  /// What the program says: a request begins there.
  void begin(const endpoint& at, time_point now);
  /// It has ended, or the program has found something out in another way. @param latency zero: not told
  void report(const endpoint& at, outcome how, duration latency, time_point now, random_source& random);

  /// What is known of it, apart from any name.
  health_view known_of(const endpoint& at, time_point now) const noexcept;

  /// What goes on there.
  std::uint32_t in_flight(const endpoint& at) const noexcept;

  /// Another network: what was learned on the old one does not count here. True where it is another.
  bool use_network(std::uint64_t fingerprint, time_point now);

  /// Everything known of this network, in no order.
  std::vector<endpoint_health_record> records(time_point now);
  void clear();

  /// Records that have changed since the last call, for a store that outlives this process.
  std::vector<remembered> take_changed(time_point now, std::chrono::system_clock::time_point wall);
  /// What such a store knew; nothing that is known already is overwritten.
  void restore(std::span<const remembered> known, time_point now, std::chrono::system_clock::time_point wall);

  std::size_t targets() const noexcept { return targets_.size(); }

  static constexpr duration ask_again_every = std::chrono::seconds{5};

 private:
  struct target_record {
    roster members;
    endpoint_set set;  ///< when last looked up
    family_evidence families;
    tls_memory tls;
    time_point last_used = time_point::min();
    time_point asked_again = time_point::min();
    std::uint64_t turn = 0;
  };
  struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>()(text); }
  };
  static constexpr std::size_t most_targets = 65'536;

  target_record& target(std::string_view text, time_point now);
  target_record* find_target(std::string_view text);
  void drop_old_targets();
  void notice_changes(std::span<const member> newest, const answer_news& news, time_point now);
  void release_withdrawn(const target_record& t, std::span<const member> newest, std::span<const member> kept);
  void learn(endpoint_record& r, const endpoint_set& members, const attempt_fact& fact, time_point now,
             random_source& random);
  void view(const target_record* t, std::span<const endpoint> set, std::span<health_view> known, time_point now) const;
  void add_tls(const target_record& t, std::span<const endpoint> set, std::span<health_view> known,
               time_point now) const;
  std::vector<health_view> views_of(std::span<const endpoint> set, time_point now) const;
  duration typical_of(std::span<const endpoint> set, time_point now) const;
  bool may_eject(const endpoint_record& r, std::span<const endpoint> set, time_point now) const;
  void mark_changed(endpoint_record& r) noexcept;

  selection_rules rules_;
  endpoint_table table_;
  probe_plan probes_;
  families_memory families_;
  std::unordered_map<std::string, target_record, text_hash, std::equal_to<>> targets_;
  time_point network_since_ = time_point::min();
  bool any_changed_ = false;
};

}  // namespace lbresolve::core
