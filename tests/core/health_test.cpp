// What is known of one endpoint: samples, counts, and the states that follow from them.
#include "core/health.hpp"

#include "support/test_random.hpp"

#include <doctest/doctest.h>

#include <chrono>

namespace lbresolve::test {
namespace {

using namespace std::chrono_literals;
using core::duration;
using core::time_point;
using state = endpoint_state;

constexpr time_point t0{std::chrono::hours{1}};

/// One endpoint, with a clock.
struct subject {
  core::health_rules rules{};
  core::endpoint_health health{};
  test_random random{1};
  time_point now = t0;

  subject& pass(duration d) {
    now += d;
    return *this;
  }
  subject& connected(duration took, duration typical = {}) {
    health.on_connected(took, typical, now, rules);
    return *this;
  }
  subject& failed(duration took = 1ms, bool may_eject = true) {
    health.on_failed(took, may_eject, now, rules, random);
    return *this;
  }
  subject& failed_times(int n) {
    for (int i = 0; i < n; ++i) failed();
    return *this;
  }
  core::health_view view() const { return health.view(now, rules); }
  endpoint_state state() const { return view().state; }
  duration ejected_for() const { return view().ejected_until - now; }
};

TEST_CASE("an endpoint is unknown until something happens there") {
  subject s;
  CHECK(s.state() == state::unknown);
  CHECK_FALSE(s.view().measured);
  s.connected(20ms);
  CHECK(s.state() == state::healthy);
  CHECK(s.view().srtt == 20ms);
  CHECK(s.view().rttvar == 10ms);
}

TEST_CASE("a sample above the estimate weighs a half, one below at least 0.1 and up to a half after a silence") {
  subject s;
  s.connected(100ms).connected(200ms);
  CHECK(s.view().srtt == 150ms);
  s.connected(50ms);
  CHECK(s.view().srtt == 140ms);
  s.pass(1h).connected(20ms);
  CHECK(s.view().srtt == 80ms);
}

TEST_CASE("reading changes nothing") {
  subject s;
  s.connected(100ms).failed();
  const auto before = s.view();
  for (int i = 0; i < 100; ++i) s.health.view(s.now + i * 1s, s.rules);
  const auto after = s.view();
  CHECK(after.srtt == before.srtt);
  CHECK(after.failures == before.failures);
  CHECK(after.state == before.state);
}

TEST_CASE("MEM-05: a connect that lost its SYN is half a failure and no measure of distance") {
  subject s;
  s.connected(20ms).connected(1020ms, 20ms);
  CHECK(s.view().srtt == 20ms);
  CHECK(s.view().failures == 0.5);
  CHECK(s.view().successes == 1.5);
  CHECK(s.state() == state::healthy);
}

TEST_CASE("MEM-05: where every sibling takes a second, a second is the distance") {
  subject s;
  s.connected(1200ms, 1150ms);
  CHECK(s.view().srtt == 1200ms);
  CHECK(s.view().failures == 0);
}

TEST_CASE("successes and failures count for 30 s") {
  subject s;
  s.connected(1ms).connected(1ms).failed().connected(1ms);
  CHECK(s.view().successes == 3);
  CHECK(s.view().failures == 1);
  s.pass(24s);
  CHECK(s.view().successes == 3);
  s.pass(6s);
  CHECK(s.view().successes == 0);
  CHECK(s.view().failures == 0);
  s.connected(1ms);
  CHECK(s.view().successes == 1);
}

TEST_CASE("MEM-01: one failure makes an endpoint suspect, and one success ends that") {
  subject s;
  s.connected(20ms).failed();
  CHECK(s.state() == state::suspect);
  s.pass(10min);
  CHECK(s.state() == state::suspect);
  s.connected(20ms);
  CHECK(s.state() == state::healthy);
}

TEST_CASE("MEM-12: the third failure in a row ejects, for 2.5 to 5 s at first") {
  subject s;
  s.connected(20ms).failed_times(2);
  CHECK(s.state() == state::suspect);
  s.failed();
  CHECK(s.state() == state::ejected);
  CHECK(s.ejected_for() >= 2500ms);
  CHECK(s.ejected_for() <= 5s);
  s.pass(5s);
  CHECK(s.state() == state::half_open);
}

TEST_CASE("a host of which fewer than half of ten tries succeed is ejected, though it never fails thrice in a row") {
  subject s;
  for (int i = 0; i < 4; ++i) s.connected(20ms).failed();
  CHECK(s.state() == state::suspect);
  s.connected(20ms).failed();
  CHECK(s.state() == state::suspect);  // five of ten is not fewer than half
  s.failed();
  CHECK(s.state() == state::ejected);
}

TEST_CASE("each further ejection lasts up to twice as long, and never over a minute") {
  subject s;
  s.failed_times(3);
  duration most{};
  for (int i = 0; i < 10; ++i) {
    most = s.ejected_for();
    CHECK(most <= std::min<duration>(5s * (1 << i), 60s));
    CHECK(most >= std::min<duration>(2500ms * (1 << i), 30s));
    s.pass(most).failed();
    CHECK(s.state() == state::ejected);
  }
  CHECK(most >= 30s);
}

TEST_CASE("a failure while it is out changes nothing about when it comes back") {
  subject s;
  s.failed_times(3);
  const auto until = s.view().ejected_until;
  s.pass(1s).failed();
  CHECK(s.view().ejected_until == until);
}

TEST_CASE("MEM-02: after an ejection the share grows over 10 s, from a tenth") {
  subject s;
  s.failed_times(3).pass(5s).connected(20ms);
  CHECK(s.state() == state::ramping);
  CHECK(s.view().ramp == doctest::Approx(0.1));
  s.pass(5s);
  CHECK(s.view().ramp == doctest::Approx(0.5));
  s.pass(5s);
  CHECK(s.state() == state::healthy);
  CHECK(s.view().ramp == 1);
}

TEST_CASE("MEM-02: what comes back after an ejection is not weighed down by the failures that ejected it") {
  subject s;
  s.connected(20ms).failed_times(3).pass(5s).connected(20ms);
  CHECK(s.view().failures == 0);
  CHECK(s.view().successes == 2);
}

TEST_CASE("30 s of health take one doubling back") {
  subject s;
  s.failed_times(3).pass(5s).failed();  // out for the second time: up to 10 s
  REQUIRE(s.health.backoff() == 2);
  s.pass(10s).connected(20ms);
  CHECK(s.health.backoff() == 2);
  s.pass(30s).connected(20ms);
  CHECK(s.health.backoff() == 1);
  s.pass(30s).connected(20ms);
  CHECK(s.health.backoff() == 0);
}

TEST_CASE("SEL-05, MEM-06: where it may not be ejected, it stays suspect however often it fails") {
  subject s;
  for (int i = 0; i < 50; ++i) s.failed(1ms, false);
  CHECK(s.state() == state::suspect);
  CHECK(s.health.backoff() == 0);
}

TEST_CASE("MEM-02: one given up after a long wait is suspect, and as near as it was") {
  subject s;
  s.connected(20ms);
  s.health.on_slow(300ms, s.now);
  CHECK(s.state() == state::suspect);
  CHECK(s.view().waited == 300ms);
  CHECK(s.view().srtt == 20ms);
  CHECK(s.view().failures == 0);
  s.connected(20ms);
  CHECK(s.state() == state::healthy);
  CHECK(s.view().waited == 0ms);  // or it would stay out of the band for minutes after it is back (MEM-02)
}

TEST_CASE("MEM-02: one that was given up and then answers as before is as near as before") {
  subject s;
  s.connected(20ms);
  s.health.on_slow(300ms, s.now);
  s.pass(3s).connected(20ms);
  CHECK(s.view().srtt == 20ms);
}

TEST_CASE("MEM-02: failures before an ejection do not keep its share down after the ramp") {
  subject s;
  s.connected(20ms).failed_times(3).pass(5s).failed().pass(10s);
  REQUIRE(s.view().failures == 4);
  s.connected(20ms);
  CHECK(s.view().failures == 0);
  CHECK(s.view().successes == 2);
}

TEST_CASE("SEL-15: the latency that the program reports is kept apart from the distance") {
  subject s;
  s.connected(20ms);
  s.health.on_reported_success(200ms, s.now, s.rules);
  CHECK(s.view().srtt == 20ms);
  CHECK(s.view().latency == 200ms);
  s.health.on_reported_success(0ms, s.now, s.rules);
  CHECK(s.view().latency == 200ms);
}

TEST_CASE("what goes on there is counted, and never below nothing") {
  subject s;
  s.health.on_started(s.now);
  s.health.on_started(s.now);
  s.health.on_ended();
  CHECK(s.view().in_flight == 1);
  s.health.on_ended();
  s.health.on_ended();
  CHECK(s.view().in_flight == 0);
}

TEST_CASE("MEM-13: what was remembered comes back as it was") {
  subject s;
  s.health.restore({.srtt = 30ms, .rttvar = 3ms, .seen = s.now - 10s, .successes = 4, .failures = 1}, s.now, s.rules);
  CHECK(s.state() == state::healthy);
  CHECK(s.view().age == 10s);
  CHECK(s.view().successes == 4);
  subject out;
  out.health.restore(
      {.seen = out.now - 1s, .failures = 3, .consecutive_failures = 3, .backoff = 1, .ejected_until = out.now + 2s},
      out.now, out.rules);
  CHECK(out.state() == state::ejected);
  CHECK(out.pass(2s).state() == state::half_open);
}

}  // namespace
}  // namespace lbresolve::test
