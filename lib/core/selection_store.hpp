// What operations need of the memory that choices are made from. The memory itself is shared with paths that need no
// engine, so locking is theirs.
#pragma once

#include "core/health.hpp"
#include "core/random.hpp"
#include "core/roster.hpp"
#include "core/time.hpp"

#include <lbresolve/endpoint.hpp>
#include <lbresolve/selection.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace lbresolve::core {

/// How one attempt of a race went, as far as it teaches something.
struct attempt_fact {
  enum class kind : std::uint8_t {
    connected,  ///< after `took`
    failed,     ///< with `code`, after `took`
    late,       ///< still open after `patience`: something is wrong there, and others need not find out as well
    given_up,   ///< closed after waiting `took`, because another one won or its time was over
  };
  endpoint at;
  kind is = kind::connected;
  duration took{};
  std::error_code code{};
  duration patience{};  ///< given_up: waiting longer than this means that something is wrong there
  /// It is about TLS with the name of the target, over a connection that has been told of: it says nothing about other
  /// names there, nor about the way to it.
  bool of_tls = false;
};

/// A race that has ended: what it has shown of the families.
struct race_facts {
  time_point began{};
  std::array<bool, 2> won{};  ///< by family: a connection came about
  std::array<std::optional<address>, 2>
      failed{};  ///< every attempt failed or waited past its patience: the first of them
};

/// See core::selection for what each does. `target` is the target's text in lower case, with its port.
class selection_store {
 public:
  /// Tells each member of `newest` what was learned of its weight.
  /// @return the members besides those (mode `client`)
  virtual std::vector<member> take_answer(std::string_view target, membership& newest, const roster_rules& rules,
                                          time_point now) = 0;
  /// What is known of each of `set`, the members of `target` now. They count as used.
  /// @return whether it is a panic: most fail and none succeeds
  virtual bool look_up(std::string_view target, std::span<const endpoint> set, std::span<health_view> known,
                       time_point now, random_source& random) = 0;
  /// The same for whoever only looks: nothing is counted as used, and nothing changes.
  virtual bool peek(std::string_view target, std::span<const endpoint> set, std::span<health_view> known,
                    time_point now) = 0;
  virtual void on_started(const endpoint& at, time_point now) = 0;
  virtual void on_attempt(std::string_view target, const attempt_fact& fact, time_point now, random_source& random) = 0;
  virtual void on_race_end(std::string_view target, const race_facts& facts, time_point now) = 0;
  /// Whether all members have failed for the first time in a while, so that asking DNS again is worth it.
  virtual bool may_ask_again(std::string_view target, time_point now) = 0;
  /// The number of this pick among those for `target`, for policy `round_robin`.
  virtual std::uint64_t take_turn(std::string_view target, time_point now) = 0;
  virtual name_behaviour behaviour_of(std::string_view target) = 0;

  /// An endpoint to probe now. Its outcome is told by on_probe().
  virtual std::optional<endpoint> next_probe(time_point now) = 0;
  /// When to ask for the next one.
  virtual time_point next_probe_at(time_point now) = 0;
  virtual void on_probe(const attempt_fact& fact, time_point now, random_source& random) = 0;

 protected:
  ~selection_store() = default;
};

}  // namespace lbresolve::core
