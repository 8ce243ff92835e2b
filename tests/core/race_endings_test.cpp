// Happy Eyeballs under virtual time: every way in which a race ends, and what it then tells.
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

TEST_CASE("HE-50: two attempts succeed between two polls: one is returned, the other closed as a spare") {
  auto r = cached({v6(1)}, {v4(1)});
  r.endpoint_is(v6(1), connects(270ms)).endpoint_is(v4(1), connects(15ms)).polled_every(50ms);
  const auto story = finish(r);  // no sockets_left: the spare was closed
  CHECK(story.end() == "4.1@300");
  CHECK(story.record_of(v4(1)).ended_as == outcome::won);
  CHECK(story.record_of(v6(1)).ended_as == outcome::spare);
}

TEST_CASE("HE-50: two attempts succeed at the same instant: the one that was told first is returned") {
  const core::time_point t0{1h};
  test_random random;
  core::race r({.policy = policy::in_order}, t0);
  using kind = core::race::action::kind;
  r.on_candidates(rr_type::a, many_v4(2), t0, random);
  REQUIRE(r.next(t0).what == kind::start);
  REQUIRE(r.next(t0 + 250ms).what == kind::start);
  r.on_connected(1, t0 + 260ms);
  r.on_connected(0, t0 + 260ms);
  const auto closing = r.next(t0 + 260ms);
  CHECK(closing.what == kind::close);
  CHECK(closing.attempt == 0);
  const auto won = r.next(t0 + 260ms);
  CHECK(won.what == kind::won);
  CHECK(won.attempt == 1);
  CHECK(won.to == v4(2).endpoint);
  CHECK(r.next(t0 + 9h).what == kind::won);  // it stays decided
  CHECK(r.attempts()[0].ended_as == outcome::spare);
}

TEST_CASE("HE-53: all fail the same way: the error is that errno, and every attempt is told") {
  auto r = cached({v6(1)}, many_v4(2));
  r.endpoint_is(v6(1), refuses(1ms)).endpoint_is(v4(1), refuses(2ms)).endpoint_is(v4(2), refuses(3ms));
  const auto story = finish(r);
  CHECK(story.end() == "lost@6");
  CHECK(story.why == system_error(ECONNREFUSED));
  REQUIRE(story.attempts.size() == 3);
  for (const auto& a : story.attempts) {
    CHECK(a.ended_as == outcome::failed);
    CHECK(a.reached == attempt_record::stage::connect);
    CHECK(a.code == system_error(ECONNREFUSED));
    CHECK(a.ended.has_value());
  }
  CHECK(story.attempts[1].started == 1ms);
  CHECK(story.attempts[1].ended == 3ms);
}

TEST_CASE("HE-53: they fail in different ways: the error is connect_failed, and each keeps its own errno") {
  auto r = cached({v6(1)}, {v4(1)});
  r.endpoint_is(v6(1), unreachable()).endpoint_is(v4(1), refuses(2ms));
  const auto story = finish(r);
  CHECK(story.why == make_error_code(errc::connect_failed));
  CHECK(story.record_of(v6(1)).code == system_error(ENETUNREACH));
  CHECK(story.record_of(v4(1)).code == system_error(ECONNREFUSED));
}

TEST_CASE("HE-53: a failure is told with the stage it came to") {
  const core::time_point t0{1h};
  test_random random;
  core::race r({}, t0);
  r.on_candidates(rr_type::a, {v4(1)}, t0, random);
  r.next(t0);
  r.on_failed(0, system_error(EMFILE), attempt_record::stage::socket, t0);
  CHECK(r.attempts()[0].reached == attempt_record::stage::socket);
}

TEST_CASE("HE-53: skipped candidates do not count for the common errno") {
  auto r = cached({skipped(v6(1), "not wanted")}, {v4(1)});
  r.endpoint_is(v4(1), refuses(2ms));
  CHECK(finish(r).why == system_error(ECONNREFUSED));
}

TEST_CASE("HE-54: cancel closes everything at once, and the race is lost as cancelled") {
  auto r = cached({v6(1)}, many_v4(3));
  r.cancelled_at(400ms);
  const auto story = finish(r);
  CHECK(story.end() == "lost@400");
  CHECK(story.why == make_error_code(errc::cancelled));
  REQUIRE(story.attempts.size() == 2);
  for (const auto& a : story.attempts) {
    CHECK(a.ended_as == outcome::cancelled);
    CHECK(a.ended == 400ms);
  }
}

TEST_CASE("HE-54: cancelled before any answer: lost at once, and later answers start nothing") {
  simulated_race r(simulated_race::in_order());
  r.answers(rr_type::a, 100ms, {v4(1)}).never_answers(rr_type::aaaa).cancelled_at(50ms);
  CHECK(finish(r).end() == "lost@50");
}

TEST_CASE("HE-54: cancelled after a connection came and before it was taken: it is closed too") {
  const core::time_point t0{1h};
  test_random random;
  core::race r({}, t0);
  using kind = core::race::action::kind;
  r.on_candidates(rr_type::a, {v4(1)}, t0, random);
  r.next(t0);
  r.on_connected(0, t0 + 5ms);
  r.cancel(t0 + 5ms);
  CHECK(r.next(t0 + 5ms).what == kind::close);
  CHECK(r.next(t0 + 5ms).what == kind::lost);
  CHECK(r.attempts()[0].ended_as == outcome::cancelled);
}

TEST_CASE("HE-54: cancelled after the end: nothing changes") {
  const core::time_point t0{1h};
  test_random random;
  core::race r({}, t0);
  using kind = core::race::action::kind;
  r.on_candidates(rr_type::a, {v4(1)}, t0, random);
  r.next(t0);
  r.on_connected(0, t0 + 5ms);
  REQUIRE(r.next(t0 + 5ms).what == kind::won);
  r.cancel(t0 + 6ms);
  CHECK(r.next(t0 + 6ms).what == kind::won);
  CHECK(r.attempts()[0].ended_as == outcome::won);
}

TEST_CASE("HE-56: the deadline is respected to 10 ms with candidates left") {
  auto r = cached({}, many_v4(20), simulated_race::in_order(1s));
  const auto story = finish(r);
  CHECK(story.end() == "lost@1000");
  CHECK(story.why == make_error_code(errc::timed_out));
  CHECK(story.starts() == "4.1@0 4.2@250 4.3@500 4.4@750");
  for (const auto& a : story.attempts) CHECK(a.ended == 1s);
}

TEST_CASE("HE-56: the deadline ends a wait for DNS too") {
  simulated_race r(simulated_race::in_order(300ms));
  r.never_answers(rr_type::a).never_answers(rr_type::aaaa);
  const auto story = finish(r);
  CHECK(story.end() == "lost@300");
  CHECK(story.why == make_error_code(errc::timed_out));
}

TEST_CASE("HE-56: a connection that was there before the deadline was noticed is not thrown away") {
  auto r = cached({}, {v4(1)}, simulated_race::in_order(100ms));
  r.endpoint_is(v4(1), connects(99ms)).polled_every(70ms);
  CHECK(finish(r).end() == "4.1@140");
}

TEST_CASE("HE-56: all had failed when the deadline was noticed: the error is how they failed") {
  auto r = cached({}, {v4(1)}, simulated_race::in_order(100ms));
  r.endpoint_is(v4(1), refuses(80ms)).polled_every(70ms);
  const auto story = finish(r);
  CHECK(story.end() == "lost@140");
  CHECK(story.why == system_error(ECONNREFUSED));
  CHECK(story.asked_again == 0);
}

TEST_CASE("HE-57: a family that the source address excludes is skipped with its reason, and the other is raced") {
  auto r =
      cached({v6(1)}, {skipped(v4(1), "the source address is IPv6"), skipped(v4(2), "the source address is IPv6")});
  r.endpoint_is(v6(1), refuses(5ms));
  const auto story = finish(r);
  CHECK(story.starts() == "6.1@0");
  CHECK(story.why == system_error(ECONNREFUSED));
  CHECK(story.record_of(v4(2)).ended_as == outcome::skipped);
  CHECK(story.record_of(v4(2)).detail == "the source address is IPv6");
}

TEST_CASE("HE-57: when everything is skipped, the race is lost for want of addresses and asks nothing again") {
  auto r = cached({}, {skipped(v4(1), "no"), skipped(v4(1), "no")});
  const auto story = finish(r);
  CHECK(story.end() == "lost@0");
  CHECK(story.why == make_error_code(errc::no_addresses));
  CHECK(story.attempts.size() == 1);
  CHECK(story.asked_again == 0);
}

TEST_CASE("HE-59: all fail: DNS is asked again, once, and new addresses are raced at once") {
  auto r = cached({}, {v4(1)});
  r.endpoint_is(v4(1), refuses(5ms)).answers_again(rr_type::a, 20ms, {v4(1), v4(2)});
  r.endpoint_is(v4(2), connects(10ms));
  const auto story = finish(r);
  CHECK(story.asked_again == 1);
  CHECK(story.starts() == "4.1@0 4.2@25");
  CHECK(story.end() == "4.2@35");
}

TEST_CASE("HE-59: the new addresses fail as well: lost, and not asked a third time") {
  auto r = cached({}, {v4(1)});
  r.endpoint_is(v4(1), refuses(5ms)).answers_again(rr_type::a, 20ms, {v4(2)}).endpoint_is(v4(2), refuses(5ms));
  const auto story = finish(r);
  CHECK(story.asked_again == 1);
  CHECK(story.end() == "lost@30");
  CHECK(story.why == system_error(ECONNREFUSED));
}

TEST_CASE("HE-59: the same addresses come again: lost with what they failed with") {
  auto r = cached({}, {v4(1)});
  r.endpoint_is(v4(1), refuses(5ms)).answers_again(rr_type::a, 20ms, {v4(1)});
  const auto story = finish(r);
  CHECK(story.starts() == "4.1@0");
  CHECK(story.end() == "lost@25");
  CHECK(story.why == system_error(ECONNREFUSED));
}

TEST_CASE("HE-59: DNS is not asked again while an answer is outstanding or an attempt lives") {
  simulated_race r(simulated_race::in_order(2s));
  r.answers(rr_type::aaaa, 0ms, {v6(1), v6(2)}).has_none(rr_type::a, 900ms).endpoint_is(v6(1), refuses(5ms));
  const auto story = finish(r);
  CHECK(story.asked_again == 0);
  CHECK(story.end() == "lost@2000");
}

TEST_CASE("HE-59: the second asking outlasts the deadline: the error is how the addresses failed") {
  auto r = cached({}, {v4(1)}, simulated_race::in_order(1s));
  r.endpoint_is(v4(1), refuses(5ms)).answers_again(rr_type::a, 5s, {v4(2)});
  const auto story = finish(r);
  CHECK(story.end() == "lost@1000");
  CHECK(story.why == system_error(ECONNREFUSED));
}

TEST_CASE("HE-59: what is at hand counts as the second answer, without a question") {
  const core::time_point t0{1h};
  test_random random;
  core::race r({}, t0);
  using kind = core::race::action::kind;
  r.on_candidates(rr_type::a, {v4(1)}, t0, random);
  r.next(t0);
  r.on_failed(0, system_error(ECONNREFUSED), attempt_record::stage::connect, t0);
  REQUIRE(r.next(t0).what == kind::resolve_again);
  CHECK(r.next(t0).what == kind::wait);  // for the caller to say something
  r.on_candidates(rr_type::a, {v4(1)}, t0, random);
  CHECK(r.next(t0).what == kind::lost);
}

TEST_CASE("HE-18: an answer after the end changes no record and starts nothing") {
  const core::time_point t0{1h};
  test_random random;
  core::race r({}, t0);
  using kind = core::race::action::kind;
  r.expect(rr_type::a);
  r.on_candidates(rr_type::aaaa, {v6(1)}, t0, random);
  r.next(t0);
  r.on_connected(0, t0 + 5ms);
  REQUIRE(r.next(t0 + 5ms).what == kind::won);
  r.on_candidates(rr_type::a, {v4(1), skipped(v4(2), "not wanted")}, t0 + 6ms, random);
  CHECK(r.next(t0 + 1s).what == kind::won);
  CHECK(r.attempts().size() == 1);
}

}  // namespace
TEST_CASE("HE-56: an address that stays silent up to the deadline is a timeout, also when it is the only one") {
  for (const bool second_failed : {false, true}) {
    auto race = simulated_race(simulated_race::in_order(400ms));
    race.answers(rr_type::a, 0ms, second_failed ? std::vector{v4(1), v4(2)} : std::vector{v4(1)});
    if (second_failed) race.endpoint_is(v4(2), refuses(1ms));
    const auto story = race.run();
    CHECK(story.end() == "lost@400");
    CHECK(story.why == make_error_code(errc::timed_out));
  }
}

}  // namespace lbresolve::test
