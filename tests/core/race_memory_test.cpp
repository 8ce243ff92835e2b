// Races that know something: how long they wait, and whom they try beside the first.
#include "core/race_memory.hpp"
#include "core/race.hpp"

#include "core/selection.hpp"
#include "support/simulated_race.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace lbresolve::test {
namespace {

using namespace std::chrono_literals;
using candidates = std::vector<core::candidate>;
using state = endpoint_state;

core::race_settings adaptive() {
  auto s = simulated_race::in_order();
  s.adapt_delay = true;
  return s;
}

core::candidate measured(core::candidate c, duration srtt, duration rttvar = {}) {
  c.known.state = state::healthy;
  c.known.measured = true;
  c.known.srtt = srtt;
  c.known.rttvar = rttvar;
  return c;
}

core::candidate overdue(core::candidate c, endpoint_state s = state::suspect) {
  c.known.state = s;
  c.known.overdue = true;
  return c;
}

race_story race_of(const candidates& found, const std::vector<std::pair<core::candidate, behaviour>>& network,
                   core::race_settings settings = adaptive()) {
  simulated_race r(settings);
  r.has_none(rr_type::aaaa, 0ms).answers(rr_type::a, 0ms, found);
  for (const auto& [c, b] : network) r.endpoint_is(c, b);
  auto story = r.run();
  CHECK(story.violations == std::vector<std::string>{});
  CHECK(story.sockets_left == 0);
  return story;
}

// ---- HE-41

TEST_CASE("HE-41: the delay follows the first address's known round trip, between 100 ms and 2 s") {
  const auto starts = [](duration srtt, duration rttvar = {}) {
    return race_of({measured(v4(1), srtt, rttvar), v4(2)}, {{v4(2), connects(10ms)}}).starts();
  };
  CHECK(starts(20ms) == "4.1@0 4.2@100");
  CHECK(starts(5s) == "4.1@0 4.2@2000");
  CHECK(starts(300ms) == "4.1@0 4.2@300");
  CHECK(starts(100ms, 50ms) == "4.1@0 4.2@300");  // srtt + 4 rttvar
  CHECK(starts(20ms, 10s) == "4.1@0 4.2@2000");
}

TEST_CASE("HE-41: the delay is that of the attempt waited for, not of the next one") {
  CHECK(race_of({measured(v4(1), 20ms), measured(v4(2), 700ms), v4(3)}, {{v4(3), connects(10ms)}}).starts() ==
        "4.1@0 4.2@100 4.3@800");
}

TEST_CASE("HE-41: where nothing is known the delay is 250 ms") {
  CHECK(race_of({v4(1), measured(v4(2), 20ms)}, {{v4(2), connects(10ms)}}).starts() == "4.1@0 4.2@250");
}

TEST_CASE("HE-41: an explicit delay wins over what is known") {
  auto settings = adaptive();
  settings.adapt_delay = false;
  settings.attempt_delay = 400ms;
  CHECK(race_of({measured(v4(1), 20ms), v4(2)}, {{v4(2), connects(10ms)}}, settings).starts() == "4.1@0 4.2@400");
}

// ---- the companion

TEST_CASE("MEM-01: an overdue suspect starts beside the first attempt, and delays nobody") {
  const auto story = race_of({measured(v4(1), 20ms), measured(v4(2), 20ms), overdue(v4(3))}, {{v4(2), connects(10ms)}});
  CHECK(story.starts() == "4.1@0 4.3@0 4.2@100");
  CHECK(story.end() == "4.2@110");
  CHECK(story.record_of(v4(3)).detail == "beside the first choice, to see whether it is back");
}

TEST_CASE("MEM-01: the companion's failure starts nobody") {
  const auto story = race_of({measured(v4(1), 20ms), v4(2), overdue(v4(3))},
                             {{v4(1), connects(60ms)}, {v4(2), connects(1ms)}, {v4(3), refuses(5ms)}});
  CHECK(story.starts() == "4.1@0 4.3@0");
  CHECK(story.end() == "4.1@60");
}

TEST_CASE("MEM-01: the companion may win") {
  CHECK(race_of({measured(v4(1), 20ms), overdue(v4(2))}, {{v4(1), connects(60ms)}, {v4(2), connects(20ms)}}).end() ==
        "4.2@20");
}

TEST_CASE("MEM-01: there is one companion in a race, and no address twice") {
  const auto story = race_of({measured(v4(1), 20ms), overdue(v4(2)), overdue(v4(3))}, {{v4(3), connects(10ms)}});
  CHECK(story.starts() == "4.1@0 4.2@0 4.3@100");
}

TEST_CASE("MEM-01: a first attempt that fails is followed by the next at once, companion or not") {
  const auto story =
      race_of({measured(v4(1), 20ms), v4(2), overdue(v4(3))}, {{v4(1), refuses(5ms)}, {v4(2), connects(10ms)}});
  CHECK(story.starts() == "4.1@0 4.3@0 4.2@5");
}

TEST_CASE("HE-25: when all others have failed the companion is waited for, and all failing is a loss") {
  CHECK(race_of({measured(v4(1), 20ms), overdue(v4(2))}, {{v4(1), refuses(5ms)}, {v4(2), connects(3s)}}).end() ==
        "4.2@3000");
  const auto lost = race_of({measured(v4(1), 20ms), overdue(v4(2))}, {{v4(1), refuses(5ms)}, {v4(2), refuses(30ms)}});
  CHECK(lost.end() == "lost@30");
  CHECK(lost.asked_again == 1);
  CHECK(lost.why == system_error(ECONNREFUSED));
}

TEST_CASE("HE-37: no companion where the cap on live attempts leaves no place") {
  auto settings = adaptive();
  settings.max_live_attempts = 1;
  const auto story = race_of({measured(v4(1), 20ms), overdue(v4(2))}, {{v4(1), connects(60ms)}}, settings);
  CHECK(story.starts() == "4.1@0");
  CHECK(story.most_live == 1);
}

// ---- what a race tells the memory

struct remembering {
  core::selection memory;
  test_random random{};
  time_point now{std::chrono::hours{1}};

  explicit remembering(bool probing = true) : memory({.probes = {.enabled = probing}}) {}

  core::race_memory race() { return {memory, "a", {}}; }
  core::health_view view(const core::candidate& c) {
    candidates one{c};
    race().peek(one, now);
    return one[0].known;
  }
  /// The candidates of a race, known to the memory.
  core::race_memory begun(candidates& set) {
    auto r = race();
    r.look_up(set, now, random);
    return r;
  }
};

TEST_CASE("MEM-09: a family with an attempt that might still have come about is not demoted") {
  remembering m;
  candidates set{v6(1), v6(2), v4(1)};
  auto race = m.begun(set);
  race.on_started(0, v6(1).endpoint, 250ms, m.now);
  race.on_failed(0, system_error(ECONNREFUSED), m.now);
  race.on_started(1, v4(1).endpoint, 250ms, m.now);
  race.on_started(2, v6(2).endpoint, 250ms, m.now);
  m.now += 10ms;
  race.on_connected(1, m.now);
  race.on_closed(2, m.now);
  race.tell(m.now, m.random);
  race.on_end(m.now);
  CHECK_FALSE(m.view(v6(2)).demoted);
}

TEST_CASE("MEM-09: a family whose attempts have all failed or waited in vain is demoted") {
  remembering m;
  candidates set{v6(1), v6(2), v4(1)};
  auto race = m.begun(set);
  race.on_started(0, v6(1).endpoint, 250ms, m.now);
  race.on_started(1, v6(2).endpoint, 250ms, m.now);
  race.on_failed(1, system_error(ENETUNREACH), m.now);
  m.now += 251ms;
  race.on_started(2, v4(1).endpoint, 250ms, m.now);
  m.now += 10ms;
  race.on_connected(2, m.now);
  race.on_closed(0, m.now);
  race.tell(m.now, m.random);
  race.on_end(m.now);
  CHECK(m.view(v6(1)).demoted);
  CHECK(m.view(v6(2)).demoted);
}

TEST_CASE("MEM-08: a cancelled race teaches nothing about what it was waiting for") {
  remembering m;
  candidates set{v4(1), v4(2)};
  auto race = m.begun(set);
  race.on_started(0, v4(1).endpoint, 250ms, m.now);
  race.on_started(1, v4(2).endpoint, 250ms, m.now);
  race.on_failed(1, system_error(ECONNREFUSED), m.now);
  m.now += 5s;
  race.on_cancelled();
  race.on_closed(0, m.now);
  race.tell(m.now, m.random);
  race.on_end(m.now);
  CHECK(m.view(v4(1)).state == state::unknown);
  CHECK(m.view(v4(1)).in_flight == 0);
  CHECK(m.view(v4(2)).state == state::suspect);
}

TEST_CASE("MEM-01: without probes an overdue suspect is tried by one connect in 30 s, be it closed unanswered") {
  remembering m(false);
  candidates set{v4(1), v4(2)};
  {
    auto race = m.begun(set);
    race.on_started(0, v4(1).endpoint, 250ms, m.now);
    race.on_failed(0, system_error(ECONNREFUSED), m.now);
    race.tell(m.now, m.random);
  }
  m.now += 30s;
  CHECK(m.view(v4(1)).overdue);
  auto race = m.begun(set);
  race.on_started(0, v4(1).endpoint, 250ms, m.now);
  CHECK_FALSE(m.view(v4(1)).overdue);
  race.on_closed(0, m.now + 20ms);
  race.tell(m.now, m.random);
  CHECK_FALSE(m.view(v4(1)).overdue);
  m.now += 30s;
  CHECK(m.view(v4(1)).overdue);
}

TEST_CASE("MEM-01: with probes a connect need not look at what is overdue") {
  remembering m;
  candidates set{v4(1), v4(2)};
  auto race = m.begun(set);
  race.on_started(0, v4(1).endpoint, 250ms, m.now);
  race.on_failed(0, system_error(ECONNREFUSED), m.now);
  race.tell(m.now, m.random);
  m.now += 10min;
  CHECK_FALSE(m.view(v4(1)).overdue);
}

TEST_CASE("MEM-01: what is late is suspect at once, before the race is over, and not when it comes after all") {
  remembering m;
  candidates set{v4(1), v4(2)};
  auto race = m.begun(set);
  race.on_started(0, v4(1).endpoint, 250ms, m.now);
  m.now += 250ms - 1ns;
  race.tell(m.now, m.random);
  CHECK(m.view(v4(1)).state == state::unknown);
  m.now += 1ns;
  race.tell(m.now, m.random);
  CHECK(m.view(v4(1)).state == state::suspect);
  CHECK(m.view(v4(1)).in_flight == 1);
  m.now += 100ms;
  race.on_connected(0, m.now);
  race.tell(m.now, m.random);
  CHECK(m.view(v4(1)).state == state::healthy);
  CHECK(m.view(v4(1)).in_flight == 0);
}

TEST_CASE("HE-44: a race for 5,000 addresses looks them up without comparing all with all") {
  remembering m;
  candidates six, four;
  for (unsigned n = 0; n < 5'000; ++n) {
    six.push_back(v6(n));
    four.push_back(v4(n));
  }
  const std::clock_t begun = std::clock();
  auto race = m.race();
  race.look_up(six, m.now, m.random);
  race.look_up(four, m.now, m.random);
  race.on_started(0, four[7].endpoint, 250ms, m.now);
  race.on_failed(0, system_error(ECONNREFUSED), m.now);
  race.tell(m.now, m.random);
  candidates found;
  for (unsigned turn = 0; turn < 4; ++turn) {
    core::race_memory again(m.memory, "a", {.mode = selection_mode::client});
    std::rotate(four.begin(), four.begin() + 2'500, four.end());
    found = four;
    again.join_kept(rr_type::a, found, m.now + turn * 1s, 30s, m.now);
  }
  CHECK(found.size() == four.size());
  CHECK(m.view(v4(7)).state == state::suspect);
  // All with all would be 125,000,000 comparisons.
  CHECK(static_cast<double>(std::clock() - begun) / CLOCKS_PER_SEC < 0.5);
}

}  // namespace
}  // namespace lbresolve::test
