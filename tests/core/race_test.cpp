// Happy Eyeballs under virtual time: which attempt starts when, and how a race ends. "6.1@30" is 2001:db8::1 after 30
// ms.
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

simulated_race in_order(duration deadline = 15s) { return simulated_race(simulated_race::in_order(deadline)); }

/// Runs it; a race that broke a promise, or left a socket, fails whatever the test is about.
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

// ---- resolution (RFC 8305 section 3)

TEST_CASE("HE-02: AAAA at 30 and A at 32: the first IPv6 attempt is at 30") {
  auto r = in_order();
  r.answers(rr_type::aaaa, 30ms, {v6(1)}).answers(rr_type::a, 32ms, {v4(1)}).endpoint_is(v6(1), connects(20ms));
  const auto story = finish(r);
  CHECK(story.starts() == "6.1@30");
  CHECK(story.end() == "6.1@50");
  CHECK(story.record_of(v6(1)).detail == "first choice");
}

TEST_CASE("HE-03: A at 30 and AAAA at 40: the first IPv6 attempt is at 40") {
  auto r = in_order();
  r.answers(rr_type::aaaa, 40ms, {v6(1)}).answers(rr_type::a, 30ms, {v4(1)}).endpoint_is(v6(1), connects(20ms));
  CHECK(finish(r).starts() == "6.1@40");
}

TEST_CASE("HE-04: A at 30 and AAAA at 180: IPv4 at 80, and the IPv6 addresses join the running race") {
  auto r = in_order();
  r.answers(rr_type::aaaa, 180ms, {v6(1), v6(2)}).answers(rr_type::a, 30ms, {v4(1), v4(2), v4(3)});
  r.endpoint_is(v6(2), connects(10ms));
  const auto story = finish(r);
  CHECK(story.starts() == "4.1@80 6.1@330 4.2@580 6.2@830");
  CHECK(story.end() == "6.2@840");
  CHECK(story.record_of(v4(1)).detail == "first choice, after 50 ms of waiting for more DNS answers");
  CHECK(story.record_of(v6(1)).detail == "after 250 ms without an answer");
}

TEST_CASE("HE-05: the Resolution Delay counts from the first usable answer, not from the query") {
  auto r = in_order();
  r.never_answers(rr_type::aaaa).answers(rr_type::a, 400ms, {v4(1)}).endpoint_is(v4(1), connects(1ms));
  CHECK(finish(r).starts() == "4.1@450");
}

TEST_CASE("HE-05: an answer without a usable candidate does not start the Resolution Delay") {
  auto r = in_order();
  r.never_answers(rr_type::aaaa).answers(rr_type::a, 400ms, {v4(1)}).answers(rr_type::https, 100ms, {});
  r.endpoint_is(v4(1), connects(1ms));
  CHECK(finish(r).starts() == "4.1@450");
}

TEST_CASE("HE-06: AAAA negative and A positive: IPv4 at once, whichever comes first") {
  auto first = in_order();
  first.has_none(rr_type::aaaa, 30ms).answers(rr_type::a, 32ms, {v4(1)}).endpoint_is(v4(1), connects(1ms));
  CHECK(finish(first).starts() == "4.1@32");
  auto last = in_order();
  last.has_none(rr_type::aaaa, 50ms).answers(rr_type::a, 32ms, {v4(1)}).endpoint_is(v4(1), connects(1ms));
  CHECK(finish(last).starts() == "4.1@50");
}

TEST_CASE("HE-07: A never answers: IPv6 is not delayed") {
  auto r = in_order();
  r.answers(rr_type::aaaa, 30ms, {v6(1), v6(2)}).never_answers(rr_type::a).endpoint_is(v6(2), connects(10ms));
  CHECK(finish(r).starts() == "6.1@30 6.2@280");
}

TEST_CASE("HE-08: AAAA never answers: IPv4 after the Resolution Delay") {
  auto r = in_order();
  r.never_answers(rr_type::aaaa).answers(rr_type::a, 20ms, {v4(1)}).endpoint_is(v4(1), connects(10ms));
  const auto story = finish(r);
  CHECK(story.starts() == "4.1@70");
  CHECK(story.end() == "4.1@80");
}

TEST_CASE("HE-08: another Resolution Delay is obeyed, none at all too") {
  for (const auto delay : {0ms, 10ms, 700ms}) {
    auto settings = simulated_race::in_order();
    settings.resolution_delay = delay;
    simulated_race r(settings);
    r.never_answers(rr_type::aaaa).answers(rr_type::a, 20ms, {v4(1)}).endpoint_is(v4(1), connects(10ms));
    CHECK(finish(r).starts() == "4.1@" + std::to_string(20 + delay.count()));
  }
}

TEST_CASE("HE-09: IPv6 is refused before A lands: no error yet, and IPv4 starts when A lands") {
  auto r = in_order();
  r.answers(rr_type::aaaa, 10ms, {v6(1)}).answers(rr_type::a, 90ms, {v4(1)});
  r.endpoint_is(v6(1), refuses(5ms)).endpoint_is(v4(1), connects(5ms));
  const auto story = finish(r);
  CHECK(story.starts() == "6.1@10 4.1@90");
  CHECK(story.end() == "4.1@95");
  CHECK(story.asked_again == 0);
}

TEST_CASE("HE-10: one family has failed to resolve: the other is used at once") {
  auto r = in_order();
  r.answers(rr_type::aaaa, 10ms, {v6(1)}).has_none(rr_type::a, 5ms).endpoint_is(v6(1), connects(5ms));
  CHECK(finish(r).end() == "6.1@15");
}

TEST_CASE("HE-11: no addresses at all: lost at once with a DNS error, nothing started and nothing asked again") {
  auto r = in_order();
  r.has_none(rr_type::aaaa, 10ms).has_none(rr_type::a, 12ms);
  const auto story = finish(r);
  CHECK(story.end() == "lost@12");
  CHECK(story.why == make_error_code(errc::no_addresses));
  CHECK(story.attempts.empty());
  CHECK(story.asked_again == 0);
}

TEST_CASE("HE-12: the HTTPS record is late: racing starts without it after the Resolution Delay") {
  auto r = in_order();
  r.answers(rr_type::https, 500ms, {}).answers(rr_type::aaaa, 20ms, {v6(1)}).answers(rr_type::a, 25ms, {v4(1)});
  r.endpoint_is(v6(1), connects(10ms));
  CHECK(finish(r).starts() == "6.1@70");
}

TEST_CASE("HE-12: the HTTPS record is on time: racing waits for it, and no longer") {
  auto r = in_order();
  r.answers(rr_type::https, 40ms, {}).answers(rr_type::aaaa, 20ms, {v6(1)}).never_answers(rr_type::a);
  r.endpoint_is(v6(1), connects(10ms));
  CHECK(finish(r).starts() == "6.1@40");
}

TEST_CASE("HE-12: the HTTPS record moves the port: what was not started goes to the new one") {
  auto r = in_order();
  r.answers(rr_type::https, 40ms, {}).answers(rr_type::aaaa, 20ms, {v6(1)}).has_none(rr_type::a, 20ms);
  r.answers(rr_type::aaaa, 40ms, {v6(1, 8443)}).endpoint_is(v6(1, 8443), connects(10ms));
  const auto story = finish(r);
  REQUIRE(story.started.size() == 1);
  CHECK(story.started[0].second.port == 8443);
}

TEST_CASE("HE-13: hints are raced when the addresses are late") {
  auto r = in_order();
  r.answers(rr_type::https, 20ms, {as_hint(v6(1)), as_hint(v4(1))}).never_answers(rr_type::aaaa);
  r.never_answers(rr_type::a).endpoint_is(v4(1), connects(10ms));
  CHECK(finish(r).starts() == "6.1@70 4.1@320");
}

TEST_CASE("HE-13: real addresses replace hints that are not started; an attempt in flight stays") {
  auto r = in_order();
  r.answers(rr_type::https, 10ms, {as_hint(v6(1)), as_hint(v6(2)), as_hint(v6(3))});
  r.answers(rr_type::aaaa, 100ms, {v6(8)}).has_none(rr_type::a, 10ms);
  r.endpoint_is(v6(1), connects(600ms));
  const auto story = finish(r);
  CHECK(story.starts() == "6.1@60 6.8@310");  // 6.2 and 6.3 are gone
  CHECK(story.end() == "6.1@660");
}

TEST_CASE("HE-13: addresses of one family leave the hints of the other alone") {
  auto r = in_order();
  r.answers(rr_type::https, 10ms, {as_hint(v6(1)), as_hint(v4(1))}).answers(rr_type::aaaa, 20ms, {v6(8)});
  r.never_answers(rr_type::a).endpoint_is(v4(1), connects(5ms));
  CHECK(finish(r).starts() == "6.8@20 4.1@270");
}

TEST_CASE("HE-13: hints that come after the addresses are not used") {
  auto r = in_order();
  r.answers(rr_type::aaaa, 10ms, {v6(1)}).answers(rr_type::https, 20ms, {as_hint(v6(2)), as_hint(v4(2))});
  r.answers(rr_type::a, 15ms, {v4(1)});
  const auto story = finish(r);
  CHECK(story.starts() == "6.1@20 4.1@270");
}

TEST_CASE("HE-13: a hint equal to an address is one attempt, in flight or not") {
  auto waiting = in_order();
  waiting.answers(rr_type::https, 10ms, {as_hint(v6(1))}).answers(rr_type::aaaa, 15ms, {v6(1), v6(2)});
  waiting.never_answers(rr_type::a);
  CHECK(finish(waiting).starts() == "6.1@15 6.2@265");
  auto flying = in_order();
  flying.answers(rr_type::https, 10ms, {as_hint(v6(1))}).answers(rr_type::aaaa, 150ms, {v6(1), v6(2)});
  flying.never_answers(rr_type::a);
  CHECK(finish(flying).starts() == "6.1@60 6.2@310");
}

TEST_CASE("HE-14: a family that must not be used is never started, and its records say why") {
  auto r = in_order();
  r.answers(rr_type::aaaa, 10ms, {skipped(v6(1), "no route"), skipped(v6(2), "no route")});
  r.answers(rr_type::a, 12ms, {v4(1)}).endpoint_is(v4(1), connects(10ms));
  const auto story = finish(r);
  CHECK(story.starts() == "4.1@12");
  REQUIRE(story.attempts.size() == 3);
  CHECK(story.record_of(v6(2)).ended_as == outcome::skipped);
  CHECK(story.record_of(v6(2)).detail == "no route");
  CHECK(story.record_of(v6(2)).ended == story.record_of(v6(2)).started);
  CHECK(story.record_of(v4(1)).ended_as == outcome::won);
}

TEST_CASE("HE-21: without a route to IPv6, IPv4 goes first although AAAA came first") {
  auto r = in_order();
  r.answers(rr_type::aaaa, 10ms, {without_route(v6(1))}).answers(rr_type::a, 30ms, {v4(1), v4(2)});
  r.endpoint_is(v6(1), unreachable()).endpoint_is(v4(2), connects(10ms));
  CHECK(finish(r).starts() == "4.1@30 4.2@280");
}

TEST_CASE("HE-21: without a route to anything, what there is starts once every question has its answer") {
  auto r = in_order();
  r.answers(rr_type::aaaa, 10ms, {without_route(v6(1))}).has_none(rr_type::a, 15ms);
  r.endpoint_is(v6(1), unreachable());
  const auto story = finish(r);
  CHECK(story.starts() == "6.1@15");
  CHECK(story.why == system_error(ENETUNREACH));
}

TEST_CASE("HE-21: IPv4 is awaited instead where the settings say so") {
  auto settings = simulated_race::in_order();
  settings.awaited = family::ipv4;
  simulated_race r(settings);
  r.never_answers(rr_type::aaaa).answers(rr_type::a, 20ms, {v4(1)}).endpoint_is(v4(1), connects(10ms));
  CHECK(finish(r).starts() == "4.1@20");
}

// ---- order (section 4)

TEST_CASE("MEM-09: IPv6 that is known not to work on this network does not start before A has had its time") {
  auto demoted = v6(1);
  demoted.known.demoted = true;
  auto r = in_order();
  r.answers(rr_type::aaaa, 30ms, {demoted}).answers(rr_type::a, 32ms, {v4(1)}).endpoint_is(v4(1), connects(20ms));
  CHECK(finish(r).starts() == "4.1@32");

  auto never = in_order();
  never.answers(rr_type::aaaa, 30ms, {demoted}).never_answers(rr_type::a).endpoint_is(v6(1), connects(20ms));
  CHECK(finish(never).starts() == "6.1@80");
}

TEST_CASE("HE-20: three IPv6 and two IPv4 addresses start as 6 4 6 4 6, a delay apart") {
  auto r = in_order();
  r.answers(rr_type::aaaa, 0ms, {v6(1), v6(2), v6(3)}).answers(rr_type::a, 0ms, {v4(1), v4(2)});
  r.endpoint_is(v6(3), connects(1ms));
  CHECK(finish(r).starts() == "6.1@0 4.1@250 6.2@500 4.2@750 6.3@1000");
}

TEST_CASE("HE-20: with a first family count of 2 they start as 6 6 4 6 4, also when A comes in the middle") {
  for (const auto a_at : {0ms, 100ms}) {
    auto settings = simulated_race::in_order();
    settings.first_family_count = 2;
    simulated_race r(settings);
    r.answers(rr_type::aaaa, 0ms, {v6(1), v6(2), v6(3)}).answers(rr_type::a, a_at, {v4(1), v4(2)});
    r.endpoint_is(v4(2), connects(1ms));
    CHECK(finish(r).starts() == "6.1@0 6.2@250 4.1@500 6.3@750 4.2@1000");
  }
}

TEST_CASE("HE-23: all of priority 1 are started before priority 2") {
  auto r = in_order();
  r.answers(rr_type::aaaa, 0ms, {with_priority(v6(2), 2), with_priority(v6(1), 1)});
  r.answers(rr_type::a, 0ms, {with_priority(v4(1), 1), with_priority(v4(2), 2)}).endpoint_is(v4(2), connects(1ms));
  CHECK(finish(r).starts() == "6.1@0 4.1@250 6.2@500 4.2@750");
}

TEST_CASE("HE-23: a better priority that arrives late goes before what is left of the worse one") {
  auto r = in_order();
  r.answers(rr_type::aaaa, 0ms, {with_priority(v6(1), 2), with_priority(v6(2), 2)});
  r.answers(rr_type::a, 100ms, {with_priority(v4(1), 1), with_priority(v4(2), 1)}).endpoint_is(v6(2), connects(1ms));
  CHECK(finish(r).starts() == "6.1@0 4.1@250 4.2@500 6.2@750");
}

core::origin of_host(std::uint8_t host, rr_type type) { return {host, type}; }

TEST_CASE("HE-23: the first attempt waits until every host of the best priority has answered, and for no other") {
  auto r = in_order();
  r.answers(of_host(1, rr_type::a), 10ms, {with_priority(v4(1), 5)}, 5).has_none(of_host(1, rr_type::aaaa), 10ms, 5);
  r.answers(of_host(2, rr_type::a), 30ms, {with_priority(v4(2), 5)}, 5).has_none(of_host(2, rr_type::aaaa), 20ms, 5);
  r.never_answers(of_host(3, rr_type::a), 6).never_answers(of_host(3, rr_type::aaaa), 6);
  r.endpoint_is(v4(1), connects(1ms)).endpoint_is(v4(2), connects(1ms));
  CHECK(finish(r).starts() == "4.1@30");
}

TEST_CASE("HE-23: a host of the best priority that does not answer costs the Resolution Delay") {
  auto r = in_order();
  r.answers(of_host(1, rr_type::a), 10ms, {with_priority(v4(1), 5)}, 5).has_none(of_host(1, rr_type::aaaa), 10ms, 5);
  r.never_answers(of_host(2, rr_type::a), 5).never_answers(of_host(2, rr_type::aaaa), 5);
  r.endpoint_is(v4(1), connects(1ms));
  CHECK(finish(r).starts() == "4.1@60");
}

TEST_CASE("HE-23: priority 2 waits for the addresses of priority 1 as long as for an attempt, also after a failure") {
  auto r = in_order();
  r.answers(of_host(1, rr_type::a), 10ms, {with_priority(v4(1), 1)}, 1).never_answers(of_host(1, rr_type::aaaa), 1);
  r.answers(of_host(2, rr_type::a), 10ms, {with_priority(v4(2), 2)}, 2).has_none(of_host(2, rr_type::aaaa), 10ms, 2);
  r.endpoint_is(v4(1), refuses(5ms)).endpoint_is(v4(2), connects(5ms));
  CHECK(finish(r).starts() == "4.1@60 4.2@260");
}

TEST_CASE("HE-13: the addresses of one host do not replace the hints of another") {
  auto r = in_order();
  r.answers(of_host(1, rr_type::https), 10ms, {as_hint(v4(1))}).answers(of_host(1, rr_type::a), 60ms, {v4(3)});
  r.has_none(of_host(1, rr_type::aaaa), 10ms).has_none(of_host(2, rr_type::aaaa), 10ms);
  r.answers(of_host(2, rr_type::a), 15ms, {v4(2)}).endpoint_is(v4(3), connects(5ms));
  CHECK(finish(r).starts() == "4.1@15 4.2@265 4.3@515");
}

TEST_CASE("HE-24: over 10,000 races the first attempt is uniform among eight equals (chi-square, p > 1e-6)") {
  std::vector<int> first(8);
  for (std::uint64_t seed = 1; seed <= 10'000; ++seed) {
    simulated_race r({.policy = policy::random}, seed * 7919);
    r.answers(rr_type::a, 0ms, many_v4(8));
    for (unsigned i = 1; i <= 8; ++i) r.endpoint_is(v4(i), connects(1ms));
    ++first[r.run().winner.address.bytes()[3] - 1U];
  }
  double chi_square = 0;
  for (const int n : first) chi_square += (n - 1'250.0) * (n - 1'250.0) / 1'250.0;
  CHECK(chi_square < 40.52);  // the 1e-6 quantile with 7 degrees of freedom
}

}  // namespace
}  // namespace lbresolve::test
