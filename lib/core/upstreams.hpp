// What is known of each upstream, and which to ask next.
#pragma once

#include "core/random.hpp"
#include "core/time.hpp"
#include "core/upstream.hpp"

#include <lbresolve/options.hpp>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lbresolve::core {

/// Servers that nobody has asked for so long are left in peace, no probe and no discovery: their user may be done.
inline constexpr duration upstreams_in_use_for = std::chrono::seconds{60};

/// How the upstreams of one list are chosen among.
struct upstream_rules {
  upstream_choice choice = upstream_choice::ordered;
  bool rotate = false;  ///< `ordered`: start at the next one for every query (resolv.conf(5), "rotate")
  duration hedge_unknown = std::chrono::milliseconds{300};  ///< the wait for one whose speed is not known
  bool probing = false;  ///< one that has failed waits for a probe to succeed; else the next query after its backoff
                         ///< is its probe
};

/// Which upstreams a query asks, in this order.
struct upstream_turn {
  std::vector<std::size_t> order;  ///< all indices
  bool explores = false;           ///< the first one is not the best: it is asked to see how fast it is
};

/// The upstreams of one list, in its order. Facts go in (answers, failures, quirks); the order to ask in, how long to
/// wait before asking the next one too, and who is to be probed, are derived from them.
///
/// The fastest is the one with the least smoothed time to an answer. Old knowledge fades to the median, which is also
/// what counts for one that is not known. A failure adds 150 ms to it, and takes the upstream out of the choice for its
/// backoff. One query in twenty explores: it asks another one first, so that one that has become faster is noticed.
/// Thread-safety: one thread at a time.
class upstreams {
 public:
  upstreams(std::vector<upstream> listed, const upstream_rules& rules);

  std::size_t size() const noexcept { return listed_.size(); }
  const upstream& operator[](std::size_t i) const noexcept { return listed_[i]; }
  const std::vector<upstream>& listed() const noexcept { return listed_; }

  /// Who should be among them and is not, and why: for the sentences of lookups that fail.
  const std::string& missing() const noexcept { return missing_; }
  void set_missing(std::string why) noexcept { missing_ = std::move(why); }

  /// Takes over what `other` knows of those that are in both.
  void remember(const upstreams& other);

  void on_answer(std::size_t i, duration took, time_point now);
  /// It did not answer in time, could not be reached, or sent what cannot be read.
  void on_failure(std::size_t i, time_point now, random_source& random);
  /// It had no use for a question that another one has answered: SERVFAIL, REFUSED.
  void on_unhelpful(std::size_t i, time_point now) { penalise(states_[i], now); }
  /// Another one answered before it did: it needs at least so long.
  void on_outrun(std::size_t i, duration waited, time_point now);
  /// It refused a query with an OPT record (RFC 6891 section 7).
  void on_edns_refused(std::size_t i, time_point now) { states_[i].no_edns_until = now + quirk_memory; }
  /// Its answers do not keep the case of the question.
  void on_case_folded(std::size_t i, time_point now) { states_[i].folds_case_until = now + quirk_memory; }

  /// Those that failed lately are last, never left out: when all have failed, they are still all that there is.
  upstream_turn turn(time_point now, random_source& random);
  /// Whether the first two of a turn are asked at once.
  bool races() const noexcept { return rules_.choice == upstream_choice::race; }
  /// How long to wait for this one before the next is asked too.
  duration hedge_delay(std::size_t i) const noexcept;
  bool takes_edns(std::size_t i, time_point now) const noexcept { return now >= states_[i].no_edns_until; }
  bool keeps_case(std::size_t i, time_point now) const noexcept { return now >= states_[i].folds_case_until; }

  /// One that has failed, whose backoff is over, and who is not being probed: from now on it is.
  std::optional<std::size_t> take_probe(time_point now);
  /// When take_probe() will have something; never: not before another failure.
  time_point next_probe_at() const noexcept;
  /// Its probe has ended, and on_answer() or on_failure() was told; else it counts as a failure.
  void on_probe_ended(std::size_t i, time_point now, random_source& random);

  /// How long a quirk is remembered: long enough to matter, short enough that a mended server is noticed.
  static constexpr duration quirk_memory = std::chrono::minutes{10};
  static constexpr duration least_hedge = std::chrono::milliseconds{50};
  static constexpr duration penalty_of_failure = std::chrono::milliseconds{150};
  static constexpr duration most_penalty = std::chrono::milliseconds{1'500};
  static constexpr duration fading = std::chrono::seconds{60};  ///< e-folding time of what is known
  static constexpr std::uint64_t explore_one_in = 20;

 private:
  struct state {
    duration srtt{};  // zero: never answered
    duration deviation{};
    time_point measured{};
    duration penalty{};
    time_point penalised{};
    int failures = 0;  // in a row
    time_point backoff_until{};
    bool being_probed = false;
    time_point no_edns_until{};
    time_point folds_case_until{};
  };
  static void sample(state& s, duration took, time_point now);
  static void penalise(state& s, time_point now);
  bool is_out(const state& s, time_point now) const noexcept;
  bool is_probed() const noexcept { return rules_.probing && size() > 1; }
  duration cost(const state& s, duration median, time_point now) const noexcept;
  duration median() const;
  void put_fastest_first(upstream_turn& into, time_point now, random_source& random) const;

  std::vector<upstream> listed_;
  std::vector<state> states_;
  std::string missing_;
  upstream_rules rules_;
  std::size_t next_start_ = 0;
};

}  // namespace lbresolve::core
