// What is known of each upstream, and which to ask next.
#pragma once

#include "core/random.hpp"
#include "core/time.hpp"
#include "core/upstream.hpp"

#include <cstddef>
#include <vector>

namespace lbresolve::core {

/// The upstreams of one configuration, in their order. Facts go in (answers, failures, quirks); the order to ask in,
/// and how long to wait before asking the next one too, are derived from them.
/// Thread-safety: one thread at a time.
class upstreams {
 public:
  /// @param rotate start at the next upstream for every query (resolv.conf(5), "rotate")
  /// @param hedge_unknown how long to wait for an upstream whose speed is not known
  upstreams(std::vector<upstream> listed, bool rotate, duration hedge_unknown);

  std::size_t size() const noexcept { return listed_.size(); }
  const upstream& operator[](std::size_t i) const noexcept { return listed_[i]; }

  void on_answer(std::size_t i, duration took, time_point now);
  /// It did not answer in time, or could not be reached.
  void on_failure(std::size_t i, time_point now, random_source& random);
  /// It refused a query with an OPT record (RFC 6891 section 7).
  void on_edns_refused(std::size_t i, time_point now) { states_[i].no_edns_until = now + quirk_memory; }
  /// Its answers do not keep the case of the question.
  void on_case_folded(std::size_t i, time_point now) { states_[i].folds_case_until = now + quirk_memory; }

  /// All indices in the order to ask them: as listed, those that failed lately last.
  std::vector<std::size_t> order(time_point now);
  /// How long to wait for this one before the next is asked too.
  duration hedge_delay(std::size_t i) const noexcept;
  bool takes_edns(std::size_t i, time_point now) const noexcept { return now >= states_[i].no_edns_until; }
  bool keeps_case(std::size_t i, time_point now) const noexcept { return now >= states_[i].folds_case_until; }

  /// How long a quirk is remembered: long enough to matter, short enough that a mended server is noticed.
  static constexpr duration quirk_memory = std::chrono::minutes{10};
  static constexpr duration least_hedge = std::chrono::milliseconds{50};

 private:
  struct state {
    duration srtt{};  // zero: never answered
    duration deviation{};
    int failures = 0;  // in a row
    time_point backoff_until{};
    time_point no_edns_until{};
    time_point folds_case_until{};
  };

  std::vector<upstream> listed_;
  std::vector<state> states_;
  bool rotate_;
  duration hedge_unknown_;
  std::size_t next_start_ = 0;
};

}  // namespace lbresolve::core
