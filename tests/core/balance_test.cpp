// The policy `balanced`: costs, the band, the draw, and where load spills to.
#include "core/balance.hpp"

#include "support/chi_square.hpp"
#include "support/test_random.hpp"

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <cmath>
#include <limits>
#include <vector>

namespace lbresolve::test {
namespace {

using namespace std::chrono_literals;
using core::contender;
using core::duration;

contender measured(duration srtt, double weight = 1) {
  contender c{.weight = weight};
  c.known.state = endpoint_state::healthy;
  c.known.measured = true;
  c.known.srtt = srtt;
  c.known.successes = 10;
  return c;
}

contender unknown() { return {}; }

core::pick_plan plan_of(const std::vector<contender>& set, const core::balance_rules& rules = {},
                        bool weighted = false) {
  return core::pick_plan(set, core::costs_of(set, rules), weighted, rules);
}

bool is_near(std::size_t value, std::size_t wanted, std::size_t off) {
  return value + off > wanted && value < wanted + off;
}

constexpr auto idle = [](std::uint32_t) { return 0U; };

std::vector<std::size_t> drawn(const core::pick_plan& plan, std::size_t members, int times, std::uint64_t seed = 1) {
  test_random random(seed);
  std::vector<std::size_t> counts(members);
  for (int i = 0; i < times; ++i) ++counts[plan.pick(random, idle)];
  return counts;
}

TEST_CASE("SEL-09: equal members share evenly") {
  const std::vector<contender> set(8, measured(20ms));
  const auto counts = drawn(plan_of(set), 8, 20'000);
  CHECK(uniform_p(counts) > 1e-6);
}

TEST_CASE("SEL-11: one that is a millisecond nearer is no better, at 2 and at 20 ms") {
  for (const duration base : {duration(2ms), duration(20ms)}) {
    std::vector<contender> set(8, measured(base));
    set[3] = measured(base - 1ms);
    const auto counts = drawn(plan_of(set), 8, 20'000);
    CHECK(uniform_p(counts) > 1e-6);
  }
}

TEST_CASE("SEL-09: one slow first sample on a LAN does not keep a member out of the band") {
  std::vector<contender> set(4, measured(100us));
  set[1] = measured(3ms);
  set[1].known.rttvar = 1500us;  // as after one sample (RFC 6298 section 2.2)
  CHECK(drawn(plan_of(set), 4, 4'000)[1] > 800);
  set[1].known.rttvar = 0ms;
  CHECK(drawn(plan_of(set), 4, 4'000)[1] == 0);
}

TEST_CASE("SEL-10: a member 80 ms farther is outside the band, and one at 5 ms beats seven at 80") {
  std::vector<contender> set(8, measured(20ms));
  set[5] = measured(100ms);
  CHECK(drawn(plan_of(set), 8, 10'000)[5] == 0);
  std::vector<contender> far(8, measured(80ms));
  far[2] = measured(5ms);
  CHECK(drawn(plan_of(far), 8, 10'000)[2] == 10'000);
}

TEST_CASE("SEL-10: one never measured is tried, though others outside the band cost less than the median") {
  std::vector<contender> set(8, measured(80ms));
  set[0] = measured(5ms);
  set[1] = unknown();
  set[2] = measured(70ms);
  CHECK(drawn(plan_of(set), 8, 1'000)[1] == 1'000);
}

TEST_CASE("SEL-10: a far member whose estimate is old is looked at now and then") {
  std::vector<contender> set(8, measured(20ms));
  set[5] = measured(300ms);
  set[5].known.age = 31s;
  const std::size_t seen = drawn(plan_of(set), 8, 64'000)[5];
  CHECK(seen > 800);
  CHECK(seen < 1'200);
  set[5].known.age = 29s;
  CHECK(drawn(plan_of(set), 8, 64'000)[5] == 0);
}

TEST_CASE("SEL-10: members never measured are drawn before measured ones, evenly") {
  std::vector<contender> set(8, measured(20ms));
  set[1] = set[6] = unknown();
  const auto counts = drawn(plan_of(set), 8, 10'000);
  CHECK(counts[1] + counts[6] == 10'000);
  CHECK(is_near(counts[1], 5'000, 300));
}

TEST_CASE("SEL-12: a member that fails at once never looks good") {
  std::vector<contender> set(4, measured(20ms));
  set[0] = measured(1ms);
  set[0].known.failure_time = 100us;
  set[0].known.failures = 5;
  set[0].known.successes = 5;
  const auto costs = core::costs_of(set, {});
  CHECK(costs[0] > costs[1]);
  CHECK(drawn(plan_of(set), 4, 1'000)[0] == 0);
}

TEST_CASE("SEL-06: weights decide, whatever was measured, when the operator gave them") {
  const std::vector<contender> set{measured(1ms, 60), measured(200ms, 30), measured(20ms, 10)};
  const auto counts = drawn(plan_of(set, {}, true), 3, 10'000);
  CHECK(is_near(counts[0], 6'000, 300));
  CHECK(is_near(counts[1], 3'000, 300));
  CHECK(is_near(counts[2], 1'000, 300));
}

TEST_CASE("SEL-14: two regions: the far one gets nothing while the near one is idle") {
  std::vector<contender> set(8, measured(10ms));
  for (std::size_t i = 4; i < 8; ++i) set[i] = measured(100ms);
  const auto counts = drawn(plan_of(set), 8, 10'000);
  CHECK(counts[4] + counts[5] + counts[6] + counts[7] == 0);
}

TEST_CASE("SEL-15: load spills outward when more goes on at the near member than the distance is worth") {
  const std::vector<contender> set{measured(10ms), measured(50ms)};
  const auto plan = plan_of(set);
  test_random random;
  std::array<std::uint32_t, 2> busy{0, 0};
  const auto in_flight = [&](std::uint32_t i) { return busy[i]; };
  busy[0] = 3;
  CHECK(plan.pick(random, in_flight) == 0);  // 10 ms * 4 is under 50
  busy[0] = 6;
  CHECK(plan.pick(random, in_flight) == 1);
  busy[1] = 1;
  CHECK(plan.pick(random, in_flight) == 0);  // 70 ms here against 100 there
}

TEST_CASE("SEL-15: of two drawn the less busy one is taken, in proportion to its weight") {
  const std::vector<contender> set{measured(20ms), measured(20ms)};
  const auto plan = plan_of(set);
  test_random random;
  int first = 0;
  for (int i = 0; i < 10'000; ++i) first += plan.pick(random, [](std::uint32_t m) { return m == 0 ? 4U : 0U; }) == 0;
  CHECK(first < 2'800);  // only when both draws say so: a quarter
  CHECK(first > 2'200);
}

TEST_CASE("MEM-02: a member that comes back gets the share that its ramp says") {
  std::vector<contender> set(2, measured(20ms));
  set[0].known.ramp = 0.1;
  const auto counts = drawn(plan_of(set), 2, 11'000);
  CHECK(is_near(counts[0], 1'000, 200));
}

TEST_CASE("old knowledge fades towards the median of the set, not to zero") {
  std::vector<contender> set(5, measured(20ms));
  set[0] = measured(100ms);
  set[0].known.age = 60s;
  const double cost = core::costs_of(set, {})[0];
  CHECK(cost == doctest::Approx(20e6 + 80e6 * std::exp(-1.0)));
  set[0].known.age = 1h;
  CHECK(core::costs_of(set, {})[0] == doctest::Approx(20e6));
  set[0] = unknown();
  CHECK(core::costs_of(set, {})[0] == doctest::Approx(20e6));
}

TEST_CASE("the width of the band is an option: fastest only, or weights only") {
  std::vector<contender> set(4, measured(20ms));
  set[2] = measured(19ms);
  CHECK(drawn(plan_of(set, {.band = 0}), 4, 1'000)[2] == 1'000);
  set[2] = measured(500ms);
  const auto counts = drawn(plan_of(set, {.band = std::numeric_limits<double>::infinity()}), 4, 20'000);
  CHECK(uniform_p(counts) > 1e-6);
}

TEST_CASE("the alias table draws each index as often as its weight says") {
  test_random random;
  const std::vector<double> weights{0, 1, 2, 4, 0.5};
  const core::alias_table table(weights);
  std::vector<std::size_t> counts(weights.size());
  const int times = 75'000;
  for (int i = 0; i < times; ++i) ++counts[table.draw(static_cast<std::uint32_t>(random.next()))];
  CHECK(counts[0] == 0);
  for (std::size_t i = 1; i < weights.size(); ++i)
    CHECK(static_cast<double>(counts[i]) == doctest::Approx(times * weights[i] / 7.5).epsilon(0.05));
}

TEST_CASE("an alias table of nothing but zeros draws evenly") {
  test_random random;
  const std::vector<double> zeros(4);
  const core::alias_table table(zeros);
  std::vector<std::size_t> counts(4);
  for (int i = 0; i < 10'000; ++i) ++counts[table.draw(static_cast<std::uint32_t>(random.next()))];
  CHECK(uniform_p(counts) > 1e-6);
}

}  // namespace
}  // namespace lbresolve::test
