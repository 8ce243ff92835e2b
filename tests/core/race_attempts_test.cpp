// Happy Eyeballs under virtual time, once candidates are there: delays, failures and the cap (RFC 8305 section 5).
#include "core/race.hpp"

#include "support/simulated_race.hpp"

#include <lbresolve/error.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

namespace lbresolve::test {
namespace {

using namespace std::chrono_literals;
using outcome = attempt_record::outcome;
using candidates = std::vector<core::candidate>;

simulated_race cached(candidates of_v6, candidates of_v4, core::race_settings settings = simulated_race::in_order()) {
  simulated_race r(settings);
  r.answers(rr_type::aaaa, 0ms, std::move(of_v6)).answers(rr_type::a, 0ms, std::move(of_v4));
  return r;
}

race_story finish(simulated_race& r) {
  auto story = r.run();
  CHECK(story.violations == std::vector<std::string>{});
  CHECK(story.sockets_left == 0);
  return story;
}

candidates many_v4(unsigned count) {
  candidates out;
  for (unsigned i = 1; i <= count; ++i) out.push_back(v4(i));
  return out;
}

TEST_CASE("HE-30: IPv6 connects in 20 ms: IPv4 is never started") {
  auto r = cached({v6(1)}, {v4(1)});
  r.endpoint_is(v6(1), connects(20ms)).endpoint_is(v4(1), connects(1ms));
  const auto story = finish(r);
  CHECK(story.starts() == "6.1@0");
  CHECK(story.end() == "6.1@20");
  CHECK(story.attempts.size() == 1);
}

TEST_CASE("HE-31: IPv6 is dropped and IPv4 takes 20 ms: done after the attempt delay and 20 ms") {
  auto r = cached({v6(1)}, {v4(1)});
  r.endpoint_is(v4(1), connects(20ms));
  const auto story = finish(r);
  CHECK(story.end() == "4.1@270");
  CHECK(story.record_of(v6(1)).ended_as == outcome::cancelled);
  CHECK(story.record_of(v6(1)).ended == 270ms);
}

TEST_CASE("HE-32: IPv6 is refused: IPv4 at once") {
  auto r = cached({v6(1)}, {v4(1)});
  r.endpoint_is(v6(1), refuses(3ms)).endpoint_is(v4(1), connects(20ms));
  const auto story = finish(r);
  CHECK(story.starts() == "6.1@0 4.1@3");
  CHECK(story.record_of(v4(1)).detail == "after [2001:db8::1]:443 failed");
  CHECK(story.record_of(v6(1)).code == system_error(ECONNREFUSED));
}

TEST_CASE("HE-33: IPv6 takes 260 ms and IPv4 20 ms: IPv6 wins at 260") {
  auto r = cached({v6(1)}, {v4(1)});
  r.endpoint_is(v6(1), connects(260ms)).endpoint_is(v4(1), connects(20ms));
  CHECK(finish(r).end() == "6.1@260");
}

TEST_CASE("HE-34: IPv6 takes 270 ms and IPv4 10 ms: IPv4 wins at 260") {
  auto r = cached({v6(1)}, {v4(1)});
  r.endpoint_is(v6(1), connects(270ms)).endpoint_is(v4(1), connects(10ms));
  CHECK(finish(r).end() == "4.1@260");
}

TEST_CASE("HE-35: IPv6 takes 900 ms and IPv4 is black-holed: IPv6 succeeds, attempts outlive the delay") {
  auto r = cached({v6(1)}, {v4(1)});
  r.endpoint_is(v6(1), connects(900ms));
  const auto story = finish(r);
  CHECK(story.starts() == "6.1@0 4.1@250");
  CHECK(story.end() == "6.1@900");
}

TEST_CASE("HE-36: of three IPv4 addresses two are dropped: done after two attempt delays and the round trip") {
  auto r = cached({}, many_v4(3));
  r.endpoint_is(v4(3), connects(20ms));
  CHECK(finish(r).end() == "4.3@520");
}

TEST_CASE("HE-37: never more than six live attempts, and the seventh candidate is reached although six hang") {
  auto r = cached({}, many_v4(7));
  r.endpoint_is(v4(7), connects(20ms));
  const auto story = finish(r);
  CHECK(story.most_live == 6);
  CHECK(story.starts() == "4.1@0 4.2@250 4.3@500 4.4@750 4.5@1000 4.6@1250 4.7@1500");
  CHECK(story.end() == "4.7@1520");
  CHECK(story.record_of(v4(1)).ended_as == outcome::cancelled);
  CHECK(story.record_of(v4(1)).ended == 1500ms);
  CHECK(story.record_of(v4(1)).detail == "first choice, closed to make room");
}

TEST_CASE("HE-37: at the cap the oldest keeps its place until it is a second old") {
  auto settings = simulated_race::in_order();
  settings.max_live_attempts = 2;
  auto r = cached({}, many_v4(4), settings);
  r.endpoint_is(v4(4), connects(20ms));
  const auto story = finish(r);
  CHECK(story.most_live == 2);
  CHECK(story.starts() == "4.1@0 4.2@250 4.3@1000 4.4@1250");
}

TEST_CASE("HE-37: at the cap a failure makes room at once") {
  auto settings = simulated_race::in_order();
  settings.max_live_attempts = 2;
  auto r = cached({}, many_v4(3), settings);
  r.endpoint_is(v4(2), refuses(50ms)).endpoint_is(v4(3), connects(20ms));
  CHECK(finish(r).starts() == "4.1@0 4.2@250 4.3@300");
}

TEST_CASE("HE-37: nothing is closed to make room when nobody needs it") {
  auto r = cached({}, many_v4(6));
  r.endpoint_is(v4(1), connects(9s));
  CHECK(finish(r).end() == "4.1@9000");
}

TEST_CASE("HE-37: at most no live attempts makes no sense and means one") {
  auto settings = simulated_race::in_order();
  settings.max_live_attempts = 0;
  auto r = cached({}, many_v4(2), settings);
  r.endpoint_is(v4(2), connects(20ms));
  CHECK(finish(r).starts() == "4.1@0 4.2@1000");
}

TEST_CASE("HE-38: no endpoint twice in one race, also when it comes again in a later answer") {
  auto r = cached({}, {v4(1), v4(2), v4(1)});
  r.answers(rr_type::a, 100ms, {v4(1), v4(2), v4(3)}).endpoint_is(v4(3), connects(1ms));
  CHECK(finish(r).starts() == "4.1@0 4.2@250 4.3@500");
}

TEST_CASE("HE-39: every IPv6 attempt is ENETUNREACH: IPv4 without waiting") {
  auto r = cached({v6(1), v6(2), v6(3)}, {v4(1)});
  for (unsigned i = 1; i <= 3; ++i) r.endpoint_is(v6(i), unreachable());
  r.endpoint_is(v4(1), connects(10ms));
  CHECK(finish(r).end() == "4.1@10");
  auto settings = simulated_race::in_order();
  settings.first_family_count = 3;
  auto counted = cached({v6(1), v6(2), v6(3)}, {v4(1)}, settings);
  for (unsigned i = 1; i <= 3; ++i) counted.endpoint_is(v6(i), unreachable());
  counted.endpoint_is(v4(1), connects(10ms));
  const auto story = finish(counted);
  CHECK(story.starts() == "6.1@0 6.2@0 6.3@0 4.1@0");
  CHECK(story.end() == "4.1@10");
}

TEST_CASE("HE-40: an attempt delay of 1 ms is asked for: 10 ms is used") {
  for (const auto asked : {1ms, 0ms, -5ms, 10ms}) {
    auto settings = simulated_race::in_order();
    settings.attempt_delay = asked;
    auto r = cached({}, many_v4(3), settings);
    r.endpoint_is(v4(3), connects(1ms));
    CHECK(finish(r).starts() == "4.1@0 4.2@10 4.3@20");
  }
  auto settings = simulated_race::in_order();
  settings.attempt_delay = 11ms;
  auto r = cached({}, many_v4(2), settings);
  CHECK(finish(r).starts() == "4.1@0 4.2@11");
}

TEST_CASE("HE-42: IPv4 answers arrive while IPv6 is pending: IPv4 is next, and not before the attempt delay") {
  simulated_race r(simulated_race::in_order());
  r.answers(rr_type::aaaa, 10ms, {v6(1), v6(2)}).answers(rr_type::a, 100ms, {v4(1)});
  r.endpoint_is(v4(1), connects(20ms));
  CHECK(finish(r).starts() == "6.1@10 4.1@260");
}

TEST_CASE("HE-42: an answer that arrives after the delay has passed starts at once") {
  simulated_race r(simulated_race::in_order());
  r.answers(rr_type::aaaa, 10ms, {v6(1)}).answers(rr_type::a, 700ms, {v4(1)}).endpoint_is(v4(1), connects(20ms));
  CHECK(finish(r).starts() == "6.1@10 4.1@700");
}

TEST_CASE("HE-43: an older attempt fails while a newer one is inside its delay: next at once, and the delay restarts") {
  auto r = cached({}, many_v4(4));
  r.endpoint_is(v4(1), refuses(300ms)).endpoint_is(v4(4), connects(1ms));
  CHECK(finish(r).starts() == "4.1@0 4.2@250 4.3@300 4.4@550");
}

TEST_CASE("HE-43: a failure that found nothing to start lets the next arrival start at once") {
  simulated_race r(simulated_race::in_order());
  r.answers(rr_type::aaaa, 0ms, {v6(1), v6(2)}).answers(rr_type::a, 320ms, {v4(1)});
  r.endpoint_is(v6(1), refuses(300ms)).endpoint_is(v4(1), connects(1ms));
  CHECK(finish(r).starts() == "6.1@0 6.2@250 4.1@320");
}

TEST_CASE("HE-44: 1,000 times the same address: one attempt, at once") {
  auto r = cached({}, candidates(1'000, v4(1)));
  r.endpoint_is(v4(1), refuses(5ms));
  const auto story = finish(r);
  CHECK(story.starts() == "4.1@0");
  CHECK(story.attempts.size() == 1);
  CHECK(story.end() == "lost@5");
}

}  // namespace
}  // namespace lbresolve::test
