// What holds in every race, whatever DNS and the network do: thousands of random ones, each replayed by its seed.
#include "core/race.hpp"

#include "support/simulated_race.hpp"

#include <lbresolve/error.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <string>
#include <vector>

namespace lbresolve::test {
namespace {

using namespace std::chrono_literals;
using outcome = attempt_record::outcome;
using candidates = std::vector<core::candidate>;

/// A race, and what the test knows about it that the race does not.
struct random_network {
  core::race_settings settings;
  bool exact = true;             ///< facts are seen when they happen
  std::set<endpoint> offered;    ///< may be started
  std::set<endpoint> forbidden;  ///< must not be started
  bool must_win = false;
  duration enough{};  ///< a deadline after this leaves time for everything
};

duration up_to(std::uint64_t ms, core::random_source& random) {
  return std::chrono::microseconds{random.below(ms * 1'000 + 1)};
}

core::race_settings random_settings(core::random_source& random) {
  core::race_settings s;
  s.policy = random.below(2) ? policy::random : policy::in_order;
  s.resolution_delay = up_to(100, random);
  s.attempt_delay = up_to(400, random);
  s.first_family_count = static_cast<int>(random.below(4));
  s.max_live_attempts = 1 + random.below(8);
  s.replace_after = 200ms + up_to(1'000, random);
  s.awaited = random.below(4) ? family::ipv6 : family::ipv4;
  return s;
}

candidates random_answer(family f, core::random_source& random) {
  candidates out;
  const auto count = random.below(8);
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto n = 1 + static_cast<unsigned>(random.below(10));  // some come twice
    out.push_back(f == family::ipv6 ? v6(n) : v4(n));
    if (random.below(4) == 0) out.back().priority = static_cast<std::uint16_t>(random.below(3));
    if (random.below(6) == 0) out.back().source.reset();
  }
  return out;
}

/// One time in six an endpoint connects, and in less time than it takes to be replaced.
behaviour random_behaviour(const core::race_settings& s, core::random_source& random) {
  switch (random.below(6)) {
    case 0:
      return connects(std::min(up_to(1'200, random), s.replace_after - 1ms));
    case 1:
      return unreachable();
    case 2:
      return fails(up_to(500, random), ETIMEDOUT);
    case 3:
      return refuses(up_to(100, random));
    default:
      return black_holed();
  }
}

/// Builds a race out of `seed`; fills in what can be said about it beforehand.
simulated_race random_race(std::uint64_t seed, random_network& network) {
  test_random random(seed);
  network.settings = random_settings(random);
  const auto behaviours = random.next();
  const auto behaviour_of = [&](const core::candidate& c) {
    test_random own(behaviours ^ std::hash<endpoint>{}(c.endpoint));
    return random_behaviour(network.settings, own);
  };
  const bool answers = random.below(8) != 0;
  network.enough = 1s;
  const candidates of_v6 = random_answer(family::ipv6, random), of_v4 = random_answer(family::ipv4, random);
  std::size_t count = of_v6.size() + of_v4.size() + 1;
  const auto slowest = std::max({network.settings.attempt_delay, network.settings.replace_after, duration{1200ms}});
  network.enough += slowest * static_cast<int>(count + 1);
  network.settings.deadline =
      simulated_race::in_order(random.below(3) ? network.enough : up_to(2'000, random)).deadline;

  simulated_race r(network.settings, seed);
  const auto offer = [&](rr_type type, candidates found) {
    const auto kind = random.below(answers ? 6 : 3);
    if (kind == 0) return void(r.never_answers(type));
    if (kind == 1 || found.empty()) return void(r.has_none(type, up_to(300, random)));
    const bool skip = random.below(8) == 0;
    for (auto& c : found) {
      const auto b = behaviour_of(c);
      r.endpoint_is(c, b);
      if (skip) c.skip = "not wanted";
      (skip ? network.forbidden : network.offered).insert(c.endpoint);
      if (!skip && b.is == behaviour::kind::connects) network.must_win = true;
    }
    r.answers(type, up_to(300, random), std::move(found));
  };
  offer(rr_type::aaaa, of_v6);
  offer(rr_type::a, of_v4);
  if (random.below(3) == 0) {
    candidates hints;
    if (random.below(2)) hints = {as_hint(v6(20)), as_hint(v4(20))};
    for (const auto& c : hints) {
      network.offered.insert(c.endpoint);
      r.endpoint_is(c, behaviour_of(c));
    }
    r.answers(rr_type::https, up_to(300, random), std::move(hints));
  }
  if (random.below(3) == 0) {
    network.offered.insert(v4(30).endpoint);
    r.endpoint_is(v4(30), behaviour_of(v4(30))).answers_again(rr_type::a, up_to(100, random), {v4(30), v4(1)});
    network.offered.insert(v4(1).endpoint);
    network.forbidden.erase(v4(1).endpoint);
  }
  if (random.below(3) == 0) {
    network.exact = false;
    r.polled_every(1ms + up_to(99, random));
  }
  return r;
}

/// An attempt follows another after the delay, or because one has failed since.
void check_spacing(const race_story& story, const core::race_settings& settings) {
  const auto delay = std::max<duration>(settings.attempt_delay, 10ms);
  for (std::size_t i = 1; i < story.started.size(); ++i) {
    const auto before = story.started[i - 1].first, now = story.started[i].first;
    const bool failed_since = std::any_of(story.failed_at.begin(), story.failed_at.end(),
                                          [&](duration at) { return before <= at && at <= now; });
    CHECK((now - before >= delay || failed_since));
  }
}

/// Ended, told once, with a reason, and with a code exactly where it failed.
bool is_whole(const attempt_record& a) {
  return a.ended_as != outcome::pending && a.ended && *a.ended >= a.started && !a.detail.empty() &&
         (a.ended_as == outcome::failed) == static_cast<bool>(a.code);
}

void check_records(const race_story& story) {
  std::set<endpoint> told;
  std::size_t started = 0;
  int won = 0;
  for (const auto& a : story.attempts) {
    CAPTURE(a.endpoint.to_string());
    CHECK((is_whole(a) && told.insert(a.endpoint).second));
    won += a.ended_as == outcome::won ? 1 : 0;
    started += a.ended_as != outcome::skipped ? 1 : 0;
  }
  CHECK(started == story.started.size());
  CHECK(won == (story.won ? 1 : 0));
}

TEST_CASE("HE-37 HE-38 HE-40 HE-43 HE-53 HE-56 HE-59: what must hold in 20,000 random races") {
  int races_won = 0, races_lost = 0, replaced = 0, spares = 0, again = 0;
  for (std::uint64_t seed = 1; seed <= 20'000; ++seed) {
    random_network network;
    auto r = random_race(seed, network);
    const auto story = r.run();
    CAPTURE(seed);
    CAPTURE(story.starts());
    CAPTURE(story.end());
    CHECK(story.violations == std::vector<std::string>{});  // no endpoint twice, waits and ends as it should
    CHECK(story.sockets_left == 0);
    CHECK_FALSE(story.stalled);
    CHECK(story.most_live <= network.settings.max_live_attempts);
    CHECK(story.asked_again <= 1);
    const auto deadline = network.settings.deadline - core::time_point{1h};
    if (network.exact) CHECK(story.took <= deadline);
    CHECK(story.took <= deadline + 100ms);
    check_spacing(story, network.settings);
    check_records(story);
    for (const auto& [at, to] : story.started) {
      CHECK(at < deadline);
      CHECK(network.offered.contains(to));
      CHECK_FALSE(network.forbidden.contains(to));
    }
    if (network.exact && network.must_win && deadline >= network.enough) CHECK(story.won);
    CHECK(story.won != static_cast<bool>(story.why));
    (story.won ? races_won : races_lost)++;
    again += story.asked_again;
    for (const auto& a : story.attempts) {
      replaced += a.detail.find("make room") != std::string::npos ? 1 : 0;
      spares += a.ended_as == outcome::spare ? 1 : 0;
    }
  }
  // The generator reaches what it is there for.
  CHECK(races_won > 2'000);
  CHECK(races_lost > 2'000);
  CHECK(replaced > 200);
  CHECK(spares > 10);
  CHECK(again > 500);
}

TEST_CASE("HE-54: cancelled at any time, a race ends at once and leaves no socket") {
  int cancelled = 0;
  for (std::uint64_t seed = 1; seed <= 3'000; ++seed) {
    random_network network;
    auto r = random_race(seed, network);
    test_random random(seed + 1'000'000);
    const auto at = up_to(1'500, random);
    r.cancelled_at(at);
    const auto story = r.run();
    CAPTURE(seed);
    CHECK(story.violations == std::vector<std::string>{});
    CHECK(story.sockets_left == 0);
    if (network.exact) CHECK(story.took <= at);
    check_records(story);
    if (story.why == make_error_code(errc::cancelled)) ++cancelled;
  }
  CHECK(cancelled > 500);
}

/// A driver that tells anything about anything, in any order, in and out of turn.
void tell_nonsense(core::race& r, core::time_point now, test_random& random) {
  const auto which = random.below(12);
  const auto type = std::array{rr_type::https, rr_type::aaaa, rr_type::a, rr_type::srv}[random.below(4)];
  switch (random.below(8)) {
    case 0:
      return r.expect(type);
    case 1:
      return r.on_candidates(type, random_answer(family::ipv6, random), now, random);
    case 2:
      return r.on_candidates(type, random_answer(family::ipv4, random), now, random);
    case 3:
      return r.on_no_candidates(type, now);
    case 4:
      return random.below(10) ? void() : r.on_connected(which, now);
    case 5:
      return r.on_failed(which, system_error(EPIPE), attempt_record::stage::connect, now);
    case 6:
      return r.on_nothing_new(now);
    default:
      return random.below(50) ? void() : r.cancel(now);
  }
}

TEST_CASE(
    "HE-37 HE-38: a driver that tells nonsense cannot confuse a race: it stays bounded, and an end stays the end") {
  for (std::uint64_t seed = 1; seed <= 5'000; ++seed) {
    test_random random(seed);
    core::time_point now{1h};
    auto settings = random_settings(random);
    settings.deadline = now + 3s;
    core::race r(settings, now);
    CAPTURE(seed);
    using kind = core::race::action::kind;
    std::set<endpoint> started;
    std::optional<core::race::action> end;
    for (int i = 0; i < 60; ++i) {
      tell_nonsense(r, now, random);
      auto a = r.next(now);
      int steps = 0;
      for (; a.what != kind::wait && a.what != kind::won && a.what != kind::lost; a = r.next(now)) {
        REQUIRE(++steps < 100);
        CHECK_FALSE(end.has_value());
        if (a.what == kind::start) CHECK(started.insert(a.to).second);
      }
      if (end) {
        CHECK(a.what == end->what);
        CHECK(a.attempt == end->attempt);
        CHECK(a.why == end->why);
      } else if (a.what != kind::wait) {
        end = a;
      }
      now += up_to(100, random);
    }
  }
}

}  // namespace
}  // namespace lbresolve::test
