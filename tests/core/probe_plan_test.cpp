// Which endpoints are looked at in the background, and when.
#include "core/probe_plan.hpp"

#include "support/simulated_race.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

namespace lbresolve::test {
namespace {

using namespace std::chrono_literals;

constexpr time_point t0{std::chrono::hours{1}};

/// A name with some members, of which the program uses what a test says.
struct subject {
  core::probe_rules rules{};
  core::health_rules health{};
  core::endpoint_table table{};
  core::probe_plan plan{};
  test_random random{1};
  time_point now = t0;

  core::endpoint_record& member(unsigned n, std::size_t members = 4) {
    core::endpoint_record& r = table.at(v4(n).endpoint, now);
    r.set = std::make_shared<const std::vector<endpoint>>(members);
    r.last_used = now;
    return r;
  }
  /// The name is looked up: what a connect does first.
  void used(unsigned n, std::size_t members = 4) { planned(member(n, members), false); }
  void planned(core::endpoint_record& r, bool news) { plan.plan(r, r.health.view(now, health), news, now, random); }
  void connected(unsigned n) {
    core::endpoint_record& r = table.at(v4(n).endpoint, now);
    r.probing = false;
    r.health.on_connected(20ms, {}, now, health);
    planned(r, true);
  }
  void failed(unsigned n, bool may_eject = true) {
    core::endpoint_record& r = table.at(v4(n).endpoint, now);
    r.probing = false;
    r.health.on_failed(1ms, may_eject, now, health, random);
    planned(r, true);
  }
  std::optional<endpoint> next() { return plan.next(table, now, health); }
  /// When the next probe is made, up to a limit; the time stands there.
  std::optional<endpoint> wait(duration limit = 1h) {
    const time_point last = now + limit;
    for (int wakes = 0; wakes < 10'000; ++wakes) {
      if (const auto to = next()) return to;
      const time_point at = plan.next_at(now);
      if (at > last) break;
      REQUIRE(at > now);  // else whoever waits until then spins
      now = at;
    }
    return std::nullopt;
  }
};

TEST_CASE("MEM-11: what was never measured is probed at once, within the budget") {
  subject s;
  for (unsigned n = 1; n <= 5; ++n) s.used(n);
  CHECK(s.wait());
  CHECK(s.now == t0);
  CHECK(s.wait());
  CHECK(s.now - t0 >= 1s);
  CHECK(s.now - t0 < 1100ms);
}

TEST_CASE("MEM-11: a probe a second and one for a hundred connects, whatever there is to look at") {
  subject s;
  std::size_t probes = 0;
  for (int second = 0; second < 60; ++second) {
    for (int i = 0; i < 10'000; ++i) {
      s.plan.on_connect(s.now);
      s.now += 100us;
      if (const auto to = s.next()) {
        ++probes;
        s.table.find(*to)->probing = false;
      }
      s.used(static_cast<unsigned>(i % 2'000) + 1);
    }
  }
  CHECK(probes <= 60 * 101 + 2);
  CHECK(probes >= 60 * 101 - 200);  // and that many are made: thousands wait to be measured
}

TEST_CASE("MEM-11: a quiet hour is not saved up for a burst") {
  subject s;
  s.next();
  s.now += 1h;
  for (unsigned n = 1; n <= 50; ++n) s.used(n);
  int at_once = 0;
  while (s.next()) ++at_once;
  CHECK(at_once <= 2);
}

TEST_CASE("MEM-11: ten thousand connects at one instant are not a burst of a hundred probes") {
  subject s;
  for (unsigned n = 1; n <= 500; ++n) s.used(n);
  for (int i = 0; i < 10'000; ++i) s.plan.on_connect(s.now);
  int at_once = 0;
  while (s.next()) ++at_once;
  CHECK(at_once <= 2);
}

TEST_CASE("SEL-05, MEM-11: a name with one address gets no probes, whatever happens there") {
  subject s;
  s.used(1, 1);
  CHECK_FALSE(s.wait());
  s.failed(1);
  s.used(1, 1);
  CHECK_FALSE(s.wait());
  CHECK(s.plan.next_at(s.now) == core::never);
}

TEST_CASE("MEM-11: a name that was not used for a minute is left alone") {
  subject s;
  s.used(1);
  s.connected(1);
  s.failed(1);
  s.now += 60s;
  CHECK_FALSE(s.wait());
  CHECK(s.plan.next_at(s.now) == core::never);  // and nothing keeps waking anybody
}

TEST_CASE("MEM-11: a name in use within the last minute is not") {
  subject s;
  s.used(1);
  s.connected(1);
  s.failed(1);
  s.now += 60s - 1ns;
  CHECK(s.next());
}

TEST_CASE("MEM-11: probing can be switched off") {
  subject s;
  s.plan = core::probe_plan({.enabled = false});
  s.used(1);
  s.failed(1);
  CHECK_FALSE(s.wait());
}

TEST_CASE("MEM-01: a suspect is looked at after 1 to 5 s, and again after each failure") {
  duration least = 1h, most{};
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    subject s;
    s.random = test_random(seed);
    s.used(1);
    REQUIRE(s.wait());
    s.connected(1);
    s.now += 1s;
    s.failed(1);
    const time_point failed = s.now;
    REQUIRE(s.wait() == v4(1).endpoint);
    least = std::min(least, s.now - failed);
    most = std::max(most, s.now - failed);
    s.failed(1);
    const time_point again = s.now;
    REQUIRE(s.wait() == v4(1).endpoint);
    least = std::min(least, s.now - again);
    most = std::max(most, s.now - again);
  }
  CHECK(least >= 1s);
  CHECK(least < 1500ms);
  CHECK(most <= 5s + 1us);
  CHECK(most > 4500ms);
}

TEST_CASE("MEM-02: what is ejected is looked at when its time is over, and not before") {
  subject s;
  s.used(1);
  s.connected(1);
  for (int i = 0; i < 3; ++i) s.failed(1);
  const time_point until = s.member(1).health.view(s.now, s.health).ejected_until;
  REQUIRE(s.wait() == v4(1).endpoint);
  CHECK(s.now == until);
  s.failed(1);
  const time_point second = s.member(1).health.view(s.now, s.health).ejected_until;
  CHECK(second > until);
  REQUIRE(s.wait() == v4(1).endpoint);
  CHECK(s.now == second);
}

TEST_CASE("MEM-02: an ejection by connects moves the probe that was planned for the suspect") {
  subject s;
  s.used(1);
  s.connected(1);
  s.failed(1);
  s.now += 900ms;
  s.failed(1);
  s.failed(1);
  const time_point until = s.member(1).health.view(s.now, s.health).ejected_until;
  REQUIRE(s.wait() == v4(1).endpoint);  // though nobody uses the name meanwhile
  CHECK(s.now == until);
}

TEST_CASE("MEM-02: one that is half open and fails, and may not be ejected, is not probed without a pause") {
  subject s;
  s.used(1);
  s.connected(1);
  for (int i = 0; i < 3; ++i) s.failed(1);
  REQUIRE(s.wait() == v4(1).endpoint);
  for (int i = 0; i < 5; ++i) {
    s.failed(1, false);
    s.used(1);
    const time_point failed = s.now;
    REQUIRE(s.wait() == v4(1).endpoint);
    CHECK(s.now - failed >= 1s);
    CHECK(s.now - failed <= 5s + 1us);
  }
}

TEST_CASE("MEM-11: one probe at a time for each endpoint") {
  subject s;
  s.used(1);
  REQUIRE(s.next() == v4(1).endpoint);
  s.now += 10s;
  s.used(1);
  s.planned(s.member(1), true);
  CHECK_FALSE(s.next());
  s.failed(1);
  CHECK(s.wait(6s) == v4(1).endpoint);
}

TEST_CASE("MEM-09: one of a family that does not work is looked at within 30 s, be it ejected or not") {
  for (const bool ejected : {false, true}) {
    CAPTURE(ejected);
    duration least = 1h, most{};
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
      subject s;
      s.random = test_random(seed);
      s.used(1);
      s.connected(1);
      for (int i = 0; i < (ejected ? 3 : 1); ++i) s.failed(1);
      s.member(1).demoted = true;
      while (s.wait(20s)) {  // what was planned before
        s.failed(1, false);
        break;
      }
      const time_point from = s.now;
      s.used(1);
      REQUIRE(s.wait() == v4(1).endpoint);
      least = std::min(least, s.now - from);
      most = std::max(most, s.now - from);
    }
    CHECK(least >= 15s);
    CHECK(most <= 30s + 1us);
  }
}

TEST_CASE("SEL-10: what is not used is measured every 30 to 60 s while its name is in use") {
  subject s;
  s.used(1);
  s.connected(1);
  std::vector<duration> gaps;
  time_point last = s.now;
  for (int i = 0; i < 2'000; ++i) {
    s.now += 1s;
    s.used(1);
    if (!s.next()) continue;
    gaps.push_back(s.now - last);
    last = s.now;
    s.connected(1);
  }
  REQUIRE(gaps.size() > 30);
  CHECK(*std::min_element(gaps.begin(), gaps.end()) >= 30s);
  CHECK(*std::max_element(gaps.begin(), gaps.end()) <= 62s);
}

TEST_CASE("MEM-11: what connects measure all the time is not probed") {
  subject s;
  s.used(1);
  s.connected(1);
  for (int i = 0; i < 2'000; ++i) {
    s.now += 100ms;
    s.used(1);
    s.connected(1);
    CHECK_FALSE(s.next());
  }
}

TEST_CASE("MEM-11: an endpoint that was forgotten, or that another answer left alone, is not probed") {
  subject s;
  s.used(1);
  s.table.clear();
  CHECK_FALSE(s.wait());
  s.used(2);
  s.member(2, 1);
  CHECK_FALSE(s.wait());
}

TEST_CASE("MEM-11: whoever waits for the next probe is not woken in vain without end") {
  subject s;
  for (unsigned n = 1; n <= 100; ++n) {
    s.used(n);
    s.connected(n);
    for (int i = 0; i < 1'000; ++i) {
      s.used(n);
      s.connected(n);
    }
  }
  int wakes = 0;
  while (s.plan.next_at(s.now) != core::never && wakes < 10'000) {
    s.now = std::max(s.now, s.plan.next_at(s.now));
    if (const auto to = s.next()) s.table.find(*to)->probing = false;
    ++wakes;
  }
  CHECK(wakes < 2'000);  // some twenty for each
  CHECK(s.plan.next_at(s.now) == core::never);
}

}  // namespace
}  // namespace lbresolve::test
