#include "core/upstreams.hpp"

#include "support/test_random.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

using namespace lbresolve;
using namespace lbresolve::core;
using namespace std::chrono_literals;

namespace {

constexpr time_point start{std::chrono::hours{1}};
using indices = std::vector<std::size_t>;

upstreams listed(std::size_t count, const upstream_rules& rules) {
  std::vector<upstream> all;
  for (std::size_t i = 0; i < count; ++i)
    all.push_back(make_upstream({address::v4({192, 0, 2, static_cast<std::uint8_t>(i + 1)}), 53}));
  return {std::move(all), rules};
}

/// The order of a turn that does not explore.
indices order(upstreams& u, time_point now, test::test_random& random) {
  for (;;)
    if (upstream_turn t = u.turn(now, random); !t.explores) return t.order;
}

}  // namespace

TEST_CASE("DNS-13: of those that stay in a list what is known stays too") {
  test::test_random random(1);
  upstreams before = listed(2, {.choice = upstream_choice::fastest});
  before.on_answer(0, 30ms, start);
  before.on_answer(1, 10ms, start);
  upstreams after = listed(3, {.choice = upstream_choice::fastest});
  after.remember(before);
  CHECK(order(after, start, random) == indices{1, 2, 0});
}

TEST_CASE("the fastest upstream is first, one that is not known counts as the median, and equals stay in their order") {
  test::test_random random(1);
  upstreams u = listed(4, {.choice = upstream_choice::fastest});
  CHECK(order(u, start, random) == indices{0, 1, 2, 3});
  u.on_answer(0, 30ms, start);
  u.on_answer(1, 10ms, start);
  u.on_answer(3, 20ms, start);
  CHECK(order(u, start, random) == indices{1, 2, 3, 0});  // the third one is not known: 20 ms too
}

TEST_CASE("what is known of an upstream fades to the median, and never past it") {
  test::test_random random(1);
  upstreams u = listed(5, {.choice = upstream_choice::fastest});
  u.on_answer(0, 100ms, start);
  const duration took[] = {60ms, 40ms, 30ms, 20ms};
  for (std::size_t i = 0; i < 4; ++i) u.on_answer(i + 1, took[i], start);
  CHECK(order(u, start, random) == indices{4, 3, 2, 1, 0});
  for (std::size_t i = 0; i < 4; ++i) u.on_answer(i + 1, took[i], start + 10min);
  CHECK(order(u, start + 10min, random) == indices{4, 3, 2, 0, 1});
}

TEST_CASE("one turn in twenty explores, and only among upstreams that work") {
  test::test_random random(1);
  upstreams u = listed(3, {.choice = upstream_choice::fastest});
  for (int i = 0; i < 1'000; ++i) CHECK_FALSE(u.turn(start, random).explores);  // nothing to compare with
  u.on_answer(0, 5ms, start);
  u.on_failure(2, start, random);
  int explored = 0;
  for (int i = 0; i < 20'000; ++i) {
    const upstream_turn t = u.turn(start, random);
    REQUIRE(t.order == (t.explores ? indices{1, 0, 2} : indices{0, 1, 2}));
    explored += t.explores ? 1 : 0;
  }
  CHECK(explored > 850);
  CHECK(explored < 1'150);
}

TEST_CASE("a failure takes an upstream out for its backoff, and costs it 150 ms afterwards") {
  test::test_random random(1);
  upstreams u = listed(2, {.choice = upstream_choice::fastest});
  u.on_answer(0, 5ms, start);
  u.on_answer(1, 100ms, start);
  u.on_failure(0, start, random);
  CHECK(order(u, start, random) == indices{1, 0});
  CHECK(order(u, start + 2s, random) == indices{1, 0});  // 155 ms against 100
  u.on_answer(0, 5ms, start + 2s);
  CHECK(order(u, start + 2s, random) == indices{0, 1});
}

TEST_CASE("failures inside a backoff are no news: many queries that fail together count once") {
  test::test_random random(1);
  upstreams u = listed(2, {});
  for (int i = 0; i < 50; ++i) u.on_failure(0, start, random);
  CHECK(order(u, start + 700ms, random) == indices{1, 0});
  CHECK(order(u, start + 1'300ms, random) == indices{0, 1});
}

TEST_CASE("who was outrun needs at least so long") {
  test::test_random random(1);
  upstreams u = listed(3, {.choice = upstream_choice::fastest});
  u.on_answer(2, 5ms, start);
  u.on_answer(1, 10ms, start);
  u.on_outrun(0, 55ms, start);
  CHECK(order(u, start, random) == indices{2, 1, 0});
  u.on_outrun(1, 1ms, start);  // says nothing new
  CHECK(u.hedge_delay(1) == 50ms);
}

TEST_CASE("DNS-09: with probing, who has failed stays last until it has answered, and is probed one at a time") {
  test::test_random random(1);
  upstreams u = listed(2, {.probing = true});
  CHECK(u.next_probe_at() == never);
  u.on_failure(0, start, random);
  CHECK_FALSE(u.take_probe(start));
  const time_point due = u.next_probe_at();
  CHECK(due >= start + 800ms);
  CHECK(due <= start + 1'200ms);
  CHECK(order(u, start + 1h, random) == indices{1, 0});
  CHECK(u.take_probe(due) == 0U);
  CHECK_FALSE(u.take_probe(due));
  CHECK(u.next_probe_at() == never);
  u.on_probe_ended(0, due, random);  // without an answer
  CHECK(u.next_probe_at() > due + 1s);
  REQUIRE(u.take_probe(due + 2s) == 0U);
  u.on_answer(0, 5ms, due + 2s);
  u.on_probe_ended(0, due + 2s, random);
  CHECK(u.next_probe_at() == never);
  CHECK(order(u, due + 2s, random) == indices{0, 1});
}
