// How facts become an opinion.
//
// Distance: a smoothed time to a connection, quick to believe bad news and slower to believe good news, because sending
// one more connect to a host that got slow costs more than sending one fewer to a host that got fast. The weight of
// good news grows with the time since the last sample: after a long silence the old value says little.
//
// Success: counted over the last 30 s in six buckets, so that old failures go away in steps and nothing has to be
// remembered one by one.
//
// State, from what happened last:
//
//     unknown ──success──► healthy ◄──success── suspect ──third failure in a row, or half of ten──► ejected
//        └────failure────► suspect                ▲                                                   │ time
//                             ramping ◄──success──┼────────────────── half open ◄─────────────────────┘
//                                └────10 s────► healthy                   └──failure──► ejected, twice as long
//
// The time is over at once, too, where DNS took the address back and names it anew.
//
// No state is stored. Ejections are stored as the time at which they end, and everything else follows from the times of
// the last success and failure.
#include "core/health.hpp"

#include <algorithm>
#include <cmath>

namespace lbresolve::core {
namespace {

constexpr std::uint16_t most_in_bucket = 60'000;
constexpr std::uint32_t most_backoff = 16;  // 5 s · 2^16 is far over any cap
constexpr std::uint32_t most_failures = 1'000'000;
constexpr duration most_time = std::chrono::hours{1};  // of anything that is measured

duration sane(duration d) noexcept { return std::clamp(d, duration::zero(), most_time); }

double ratio(duration part, duration whole) noexcept {
  return static_cast<double>(part.count()) / static_cast<double>(std::max<std::int64_t>(whole.count(), 1));
}

duration scaled(duration d, double by) noexcept {
  return duration(static_cast<std::int64_t>(static_cast<double>(d.count()) * by));
}

/// now - then, for a `then` that may be "never".
duration since(time_point then, time_point now) noexcept {
  return then == time_point::min() ? duration::max() : std::max(now - then, duration::zero());
}

}  // namespace

/// Where the bucket of that number is kept; numbers are negative before the clock's zero.
std::size_t endpoint_health::slot_of(std::int64_t number) noexcept {
  constexpr auto n = static_cast<std::int64_t>(bucket_count);
  return static_cast<std::size_t>((number % n + n) % n);
}

void endpoint_health::count(std::uint16_t half_successes, std::uint16_t half_failures, time_point now) noexcept {
  const std::int64_t number = now.time_since_epoch() / bucket_width;
  const std::int64_t passed = number - newest_bucket_;
  if (passed > 0) {
    for (std::int64_t i = 1; i <= std::min<std::int64_t>(passed, bucket_count); ++i)
      buckets_[slot_of(newest_bucket_ + i)] = {};
    newest_bucket_ = number;
  }
  bucket& b = buckets_[slot_of(newest_bucket_)];
  b.successes = static_cast<std::uint16_t>(std::min(b.successes + half_successes, int{most_in_bucket}));
  b.failures = static_cast<std::uint16_t>(std::min(b.failures + half_failures, int{most_in_bucket}));
  last_fact_ = now;
}

// The first sample is taken as it is. After it: a half upwards; downwards at least 0.1, and up to 1/2 after a silence.
void endpoint_health::sample(duration value, duration& smoothed, duration silence, const health_rules& rules) noexcept {
  value = std::max(value, duration{1});
  if (smoothed == duration::zero()) {
    smoothed = value;
    return;
  }
  double alpha = rules.alpha_up;
  if (value <= smoothed) {
    const double silent = silence == duration::max() ? 1e9 : ratio(silence, rules.alpha_down_time);
    alpha = rules.alpha_down;
    if (silent / 2 > alpha) alpha = std::max(alpha, 0.5 * (1 - std::exp(-silent)));  // 1 - exp(-x) is never over x
  }
  smoothed = std::max(smoothed + scaled(value - smoothed, alpha), duration{1});
}

void endpoint_health::on_success(time_point now, const health_rules& rules) noexcept {
  if (ejected_until_ != time_point::min()) {
    recovered_ = now;
    ejected_until_ = time_point::min();
    // The ramp is what caution is due: counted on, these failures would keep it out of the band for half a minute.
    for (bucket& b : buckets_) b.failures = 0;
  }
  consecutive_failures_ = 0;
  towards_ejection_ = 0;
  waited_ = duration::zero();
  failing_since_ = time_point::min();
  last_success_ = now;
  while (backoff_ > 0 && since(forgiven_, now) >= rules.forgive_every) {
    --backoff_;
    forgiven_ = forgiven_ == time_point::min() ? now : forgiven_ + rules.forgive_every;
  }
  if (backoff_ == 0) forgiven_ = now;
}

void endpoint_health::on_connected(duration took, duration typical, time_point now, const health_rules& rules) {
  on_success(now, rules);
  if (took >= rules.retransmitted && typical != duration::zero() && typical < rules.retransmitted) {
    return count(1, 1, now);
  }
  count(2, 0, now);
  if (srtt_ == duration::zero()) {
    rttvar_ = took / 2;  // RFC 6298 section 2.2
  } else {
    const duration off = took > srtt_ ? took - srtt_ : srtt_ - took;
    rttvar_ = (3 * rttvar_ + off) / 4;  // section 2.3
  }
  sample(took, srtt_, since(sampled_, now), rules);
  sampled_ = now;
}

void endpoint_health::on_failed(duration took, bool may_eject, time_point now, const health_rules& rules,
                                random_source& random) {
  // Where it may not be ejected the network, or the only address, is to blame: that says nothing about later.
  towards_ejection_ = may_eject ? std::min(towards_ejection_ + 1, most_failures) : 0;
  if (may_eject) count(0, 2, now);
  last_fact_ = now;
  took = sane(took);
  failure_time_ = failure_time_ == duration::zero() ? took : (3 * failure_time_ + took) / 4;
  consecutive_failures_ = std::min(consecutive_failures_ + 1, most_failures);
  if (failing_since_ == time_point::min()) failing_since_ = now;
  last_failure_ = now;
  forgiven_ = now;
  if (!may_eject) return;
  const bool was_out = ejected_until_ != time_point::min();
  if (was_out && now < ejected_until_) return;  // a try of last resort: it is out already
  const health_view v = view(now, rules);
  const double tries = v.successes + v.failures;
  const bool mostly_failing = tries >= rules.eject_least && v.successes < rules.eject_under * tries;
  if (was_out || towards_ejection_ >= rules.eject_after || mostly_failing) eject(now, rules, random);
}

// 5 s · 2^k · U(1/2, 1): so that many clients do not come back in step.
void endpoint_health::eject(time_point now, const health_rules& rules, random_source& random) {
  const double whole =
      std::min(std::ldexp(ratio(rules.eject_first, std::chrono::seconds{1}), static_cast<int>(backoff_)),
               ratio(rules.eject_most, std::chrono::seconds{1}));
  const double seconds = whole * (0.5 + 0.5 * random.unit());
  ejected_at_ = now;
  ejected_until_ = now + std::chrono::duration_cast<duration>(std::chrono::duration<double>(seconds));
  backoff_ = std::min(backoff_ + 1, most_backoff);
}

// What is lost or dead says nothing about the distance: the probe that follows does.
void endpoint_health::on_slow(duration waited, time_point now) {
  waited_ = std::max({waited_, sane(waited), duration{1}});
  if (failing_since_ == time_point::min()) failing_since_ = now;
  last_failure_ = now;
  last_fact_ = now;
}

void endpoint_health::on_reported_success(duration latency, time_point now, const health_rules& rules) {
  on_success(now, rules);
  count(2, 0, now);
  if (latency <= duration::zero()) return;
  sample(sane(latency), latency_, since(latency_at_, now), rules);
  latency_at_ = now;
}

health_view endpoint_health::view(time_point now, const health_rules& rules) const noexcept {
  health_view v{.measured = srtt_ != duration::zero(),
                .srtt = srtt_,
                .rttvar = rttvar_,
                .age = since(sampled_, now),
                .waited = waited_,
                .latency = latency_,
                .failure_time = failure_time_,
                .in_flight = in_flight(),
                .consecutive_failures = consecutive_failures_,
                .last_success = last_success_,
                .last_failure = last_failure_,
                .failing_since = failing_since_,
                .ejected_at = ejected_at_,
                .ejected_until = ejected_until_};
  const std::int64_t number = now.time_since_epoch() / bucket_width;
  const std::int64_t passed = std::max<std::int64_t>(number - newest_bucket_, 0);
  unsigned successes = 0, failures = 0;
  for (std::int64_t i = passed; i < static_cast<std::int64_t>(bucket_count); ++i) {
    const bucket& b = buckets_[slot_of(number - i)];
    successes += b.successes;
    failures += b.failures;
  }
  v.successes = successes / 2.0;
  v.failures = failures / 2.0;

  const duration back = since(recovered_, now);
  if (ejected_until_ != time_point::min()) {
    v.state = now < ejected_until_ ? endpoint_state::ejected : endpoint_state::half_open;
  } else if (consecutive_failures_ > 0 || waited_ > duration::zero()) {
    v.state = endpoint_state::suspect;
  } else if (back < rules.ramp) {
    v.state = endpoint_state::ramping;
    v.ramp = std::max(rules.ramp_least, ratio(back, rules.ramp));
  } else if (last_success_ != time_point::min() || v.measured) {
    v.state = endpoint_state::healthy;
  }
  const bool in_doubt = v.state == endpoint_state::suspect || v.state == endpoint_state::half_open;
  const time_point last = std::max(last_failure_, last_try_);
  v.overdue = in_doubt && attempts_ == 0 && (named_anew_ > last || since(last, now) >= rules.overdue);
  return v;
}

void endpoint_health::restore(const facts& f, time_point now, const health_rules& rules) noexcept {
  const time_point seen = std::min(f.seen, now);
  srtt_ = sane(f.srtt);
  rttvar_ = sane(f.rttvar);
  failure_time_ = sane(f.failure_time);
  sampled_ = srtt_ == duration::zero() ? time_point::min() : seen;
  buckets_ = {};
  newest_bucket_ = seen.time_since_epoch() / bucket_width;
  count(static_cast<std::uint16_t>(std::min(f.successes, 30'000U) * 2),
        static_cast<std::uint16_t>(std::min(f.failures, 30'000U) * 2), seen);
  consecutive_failures_ = std::min(f.consecutive_failures, most_failures);
  towards_ejection_ = consecutive_failures_;
  backoff_ = std::min(f.backoff, most_backoff);
  const bool ejected = f.ejected_until != time_point::min();
  ejected_until_ = ejected ? std::min(f.ejected_until, now + rules.eject_most) : time_point::min();
  ejected_at_ = ejected ? seen : time_point::min();
  (consecutive_failures_ > 0 ? last_failure_ : last_success_) = seen;
  if (consecutive_failures_ > 0) failing_since_ = seen;
  forgiven_ = seen;
}

}  // namespace lbresolve::core
