// What is known of one endpoint: what happened there, and what follows from it at a given moment.
#pragma once

#include "core/random.hpp"
#include "core/time.hpp"

#include <lbresolve/health.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>

namespace lbresolve::core {

/// The constants of the health memory, each with its reason. docs/balancing.md shows what other values do.
struct health_rules {
  double alpha_up = 0.5;                               ///< weight of a sample above the estimate: bad news is quick
  double alpha_down = 0.1;                             ///< least weight of one below it
  duration alpha_down_time = std::chrono::seconds{5};  ///< a sample after so long a silence weighs 1/2·(1 - 1/e)
  duration retransmitted = std::chrono::milliseconds{900};  ///< a connect this slow lost its SYN (RFC 6298: RTO 1 s)
  std::uint32_t eject_after = 3;                            ///< failures in a row
  double eject_least = 10;                                  ///< or: of at least so many tries in 30 s
  double eject_under = 0.5;                                 ///< fewer than this succeeded
  duration eject_first = std::chrono::seconds{5};           ///< doubled each time
  duration eject_most = std::chrono::seconds{60};
  duration forgive_every = std::chrono::seconds{30};  ///< of health takes one doubling back
  duration ramp = std::chrono::seconds{10};           ///< from an ejection back to the full share
  double ramp_least = 0.1;
  duration overdue = std::chrono::seconds{30};  ///< what failed so long ago is tried beside a connect
};

/// An endpoint at one moment, as a value: what decisions are made from.
struct health_view {
  endpoint_state state = endpoint_state::unknown;
  bool measured = false;  ///< srtt, rttvar and age mean something
  bool demoted = false;   ///< its family does not work for this name, or on this network
  bool overdue = false;   ///< it failed, and nothing has been tried there for a while
  duration srtt{};
  duration rttvar{};
  duration age{};        ///< of srtt
  duration waited{};     ///< in vain since the last success: it is at least this slow now; zero: nobody did
  duration latency{};    ///< of requests, as reported; zero: never
  double successes = 0;  ///< of the last 30 s
  double failures = 0;
  duration failure_time{};  ///< how long a failure takes there
  std::uint32_t in_flight = 0;
  std::uint32_t consecutive_failures = 0;
  double ramp = 1;  ///< the share that is due: 1 but for a while after an ejection
  time_point last_success = time_point::min();
  time_point last_failure = time_point::min();
  time_point failing_since = time_point::min();  ///< the first failure after the last success; min(): none
  time_point ejected_at = time_point::min();
  time_point ejected_until = time_point::min();
};

/// The facts about one endpoint. Facts go in through the on_... functions; what follows from them is derived by view(),
/// which changes nothing.
/// Thread-safety: one thread at a time.
class endpoint_health {
 public:
  /// An attempt is under way there.
  void on_started(time_point now) noexcept {
    ++attempts_;
    last_try_ = now;
  }
  /// DNS has taken the address back and gives it out anew: what failed there may be another host. The doubt stays, the
  /// wait is over: it may be tried at once. Only once between two successes, as an address that comes and goes with
  /// every answer would never be left alone.
  void on_named_anew(time_point now) noexcept {
    if (named_anew_ != time_point::min() && named_anew_ >= last_success_) return;
    named_anew_ = now;
    ejected_until_ = std::min(ejected_until_, now);  // min() where it is not ejected
  }
  /// It is over, however it went.
  void on_ended() noexcept { attempts_ -= attempts_ > 0 ? 1 : 0; }
  /// The same for a request of the program. One that was not announced may end all the same.
  void on_request_started() noexcept { ++requests_; }
  void on_request_ended() noexcept { requests_ -= requests_ > 0 ? 1 : 0; }
  void on_all_ended() noexcept { attempts_ = requests_ = 0; }

  /// A connection came about after `took`.
  /// @param typical what its siblings take, zero where that is not known: a connect over `rules.retransmitted` lost a
  ///   packet, which is half a failure and says nothing about the distance, unless every sibling is as slow
  void on_connected(duration took, duration typical, time_point now, const health_rules& rules);
  /// A connect failed after `took`.
  /// @param may_eject false where ejecting would be wrong: for the only address of a name, or when all of them fail
  void on_failed(duration took, bool may_eject, time_point now, const health_rules& rules, random_source& random);
  /// It was given up after a wait long enough to say that something is wrong, and no longer. Until something succeeds
  /// there it counts as at least this slow; then what was measured before counts again.
  void on_slow(duration waited, time_point now);
  /// What the program says of a request: it went well, perhaps with a latency (zero: not told).
  void on_reported_success(duration latency, time_point now, const health_rules& rules);

  health_view view(time_point now, const health_rules& rules) const noexcept;

  std::uint32_t in_flight() const noexcept { return attempts_ + requests_; }
  /// Nothing has gone wrong since the last success.
  bool is_well() const noexcept {
    return consecutive_failures_ == 0 && waited_ == duration::zero() && ejected_until_ == time_point::min();
  }
  std::uint32_t backoff() const noexcept { return backoff_; }
  time_point last_fact() const noexcept { return last_fact_; }

  /// What another process, or an earlier one, knew. It takes the place of what is known here; what is out of any
  /// reasonable range is brought into it.
  struct facts {
    duration srtt{}, rttvar{}, failure_time{};
    time_point seen;
    std::uint32_t successes = 0, failures = 0, consecutive_failures = 0, backoff = 0;
    time_point ejected_until = time_point::min();
  };
  void restore(const facts& f, time_point now, const health_rules& rules) noexcept;

 private:
  static constexpr std::size_t bucket_count = 6;
  static constexpr duration bucket_width = std::chrono::seconds{5};
  /// In halves: a retransmission counts as half a failure.
  struct bucket {
    std::uint16_t successes = 0;
    std::uint16_t failures = 0;
  };

  static std::size_t slot_of(std::int64_t number) noexcept;
  void count(std::uint16_t half_successes, std::uint16_t half_failures, time_point now) noexcept;
  void on_success(time_point now, const health_rules& rules) noexcept;
  void sample(duration value, duration& smoothed, duration silence, const health_rules& rules) noexcept;
  void eject(time_point now, const health_rules& rules, random_source& random);

  duration srtt_{};  // zero: never measured
  duration rttvar_{};
  duration latency_{};
  duration failure_time_{};
  time_point sampled_ = time_point::min();
  time_point latency_at_ = time_point::min();
  time_point last_success_ = time_point::min();
  time_point last_failure_ = time_point::min();
  time_point last_try_ = time_point::min();
  time_point failing_since_ = time_point::min();  // the first failure, or wait in vain, after the last success
  time_point last_fact_ = time_point::min();
  time_point forgiven_ = time_point::min();  // since when health counts towards the next forgiveness
  time_point ejected_at_ = time_point::min();
  time_point ejected_until_ = time_point::min();
  time_point named_anew_ = time_point::min();
  time_point recovered_ = time_point::min();  // first success after an ejection
  std::int64_t newest_bucket_ = 0;            // number of the newest bucket, counted from the clock's zero
  std::array<bucket, bucket_count> buckets_{};
  std::uint32_t attempts_ = 0;  // under way
  std::uint32_t requests_ = 0;  // likewise
  std::uint32_t consecutive_failures_ = 0;
  std::uint32_t towards_ejection_ = 0;  // those of them that may lead to one
  std::uint32_t backoff_ = 0;
  duration waited_{};  // for it in vain, by one given up since the last success; zero: none was
};

}  // namespace lbresolve::core
