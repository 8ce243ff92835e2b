// The memory that choices are made from, as operations and the program see it.
#include "core/selection.hpp"

#include "support/simulated_race.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace lbresolve::test {
namespace {

using namespace std::chrono_literals;
using core::health_view;
using state = endpoint_state;
using wall_time = std::chrono::system_clock::time_point;
using fact = core::attempt_fact;

constexpr time_point t0{std::chrono::hours{10}};
const wall_time wall0{std::chrono::hours{24 * 365 * 50}};

std::vector<endpoint> addresses(unsigned first, unsigned last) {
  std::vector<endpoint> out;
  for (unsigned n = first; n <= last; ++n) out.push_back(v4(n).endpoint);
  return out;
}

/// A memory with a clock. The name "a" stands for .1 to .4, unless said otherwise.
struct subject {
  core::selection memory{};
  test_random random{};
  time_point now = t0;
  std::vector<endpoint> set = addresses(1, 4);
  bool panic = false;

  subject& pass(duration d) {
    now += d;
    return *this;
  }
  wall_time wall() const { return wall0 + std::chrono::duration_cast<wall_time::duration>(now - t0); }

  std::vector<health_view> look_up(const std::string& name = "a") {
    std::vector<health_view> known(set.size());
    panic = memory.look_up(name, set, known, now, random);
    return known;
  }
  health_view view(unsigned n, const std::string& name = "a") {
    const auto known = look_up(name);
    for (std::size_t i = 0; i < set.size(); ++i)
      if (set[i] == v4(n).endpoint) return known[i];
    return {};
  }
  endpoint_state state(unsigned n) { return view(n).state; }
  std::size_t count(endpoint_state s) {
    const auto known = look_up();
    return static_cast<std::size_t>(
        std::count_if(known.begin(), known.end(), [&](const health_view& v) { return v.state == s; }));
  }

  subject& attempt(fact f, const std::string& name = "a") {
    memory.on_started(f.at, now - f.took);
    memory.on_attempt(name, f, now, random);
    return *this;
  }
  subject& connected(unsigned n, duration took = 20ms) { return attempt({.at = v4(n).endpoint, .took = took}); }
  subject& failed(unsigned n, int number = ECONNREFUSED) {
    return attempt({.at = v4(n).endpoint, .is = fact::kind::failed, .took = 1ms, .code = system_error(number)});
  }
  subject& gave_up(unsigned n, duration after, duration patience) {
    return attempt({.at = v4(n).endpoint, .is = fact::kind::given_up, .took = after, .patience = patience});
  }
  /// All is known and well.
  subject& warm() {
    look_up();
    for (const endpoint& e : set) attempt({.at = e, .took = 20ms});
    return *this;
  }
};

// ---- knowledge

TEST_CASE("MEM-03: what one name has learned of an endpoint serves another") {
  subject s;
  s.warm().failed(2);
  CHECK(s.view(2, "b").state == state::suspect);
  CHECK(s.view(1, "b").srtt == 20ms);
}

TEST_CASE("MEM-03: knowledge is there when the answer that named the endpoint is long over") {
  subject s;
  s.warm().pass(50min);
  CHECK(s.view(1).measured);
  s.pass(1h);
  CHECK_FALSE(s.view(1).measured);
}

TEST_CASE("MEM-04: what is known of an endpoint makes nobody a member") {
  subject s;
  const core::roster_rules rules{.mode = selection_mode::client};
  s.warm();
  core::membership m{.members = {{.at = v4(1).endpoint}}, .fetched = s.now, .ttl = 30s};
  CHECK(s.memory.take_answer("a", m, rules, s.now).empty());
  m.members = {{.at = v4(2).endpoint}};
  m.fetched = s.now + 10s;
  CHECK(s.memory.take_answer("a", m, rules, s.now + 10s).size() == 1);
  CHECK(s.memory.take_answer("b", m, rules, s.now + 10s).empty());
}

TEST_CASE("MEM-08: what this host is to blame for teaches nothing about an endpoint") {
  for (const int number : {EMFILE, ENFILE, EADDRNOTAVAIL, EADDRINUSE, ENOBUFS, ENOMEM, ECANCELED, EACCES, EPERM, EINVAL,
                           EAFNOSUPPORT, ENETDOWN, ENETUNREACH}) {
    CAPTURE(number);
    subject s;
    s.warm();
    for (int i = 0; i < 5; ++i) s.failed(1, number);
    CHECK(s.state(1) == state::healthy);
    CHECK(s.view(1).failures == 0);
    CHECK(s.view(1).in_flight == 0);
  }
  for (const int number : {ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ECONNRESET}) {
    CAPTURE(number);
    subject s;
    CHECK(s.warm().failed(1, number).state(1) == state::suspect);
  }
}

TEST_CASE("a loser that waited longer than its patience is suspect, one closed sooner is not") {
  subject s;
  s.warm().gave_up(1, 250ms, 250ms).gave_up(2, 251ms, 250ms);
  CHECK(s.state(1) == state::healthy);
  CHECK(s.state(2) == state::suspect);
}

TEST_CASE("MEM-05: a connect of a second among siblings at 20 ms is a lost packet") {
  subject s;
  s.warm().connected(1, 1020ms);
  CHECK(s.view(1).srtt == 20ms);
  CHECK(s.view(1).failures == 0.5);
}

// ---- guards

TEST_CASE("MEM-07: the third failure ejects, but never more than half and never the last") {
  subject s;
  s.warm();
  for (unsigned n = 1; n <= 4; ++n) {
    for (int i = 0; i < 3; ++i) s.pass(2s).failed(n);
    s.pass(6s);
    CHECK_FALSE(s.panic);
  }
  // Judged as well by what the program and `health` are shown, not only by what a connect sees.
  std::size_t out = 0;
  for (const auto& r : s.memory.records(s.now)) out += r.state == state::ejected || r.state == state::half_open;
  CHECK(out == 2);
  CHECK(s.count(state::ejected) <= 2);
}

TEST_CASE("MEM-06: all fail at once: a panic, and nobody is ejected") {
  subject s;
  s.warm().pass(1s);
  for (int round = 0; round < 10; ++round) {
    for (unsigned n = 1; n <= 4; ++n) s.failed(n);
    s.look_up();
    CHECK(s.panic);
    CHECK(s.count(state::ejected) == 0);
    s.pass(1s);
  }
}

TEST_CASE("MEM-06: all are silent at once: a panic too") {
  subject s;
  s.warm().pass(6s);
  for (unsigned n = 1; n <= 4; ++n) s.gave_up(n, 2s, 250ms);
  s.look_up();
  CHECK(s.panic);
}

TEST_CASE("MEM-06, MEM-07: probes that fail everywhere eject nobody either") {
  subject s;
  s.warm();
  for (int round = 0; round < 10; ++round) {
    s.look_up();
    for (const endpoint& e : s.set)
      s.memory.on_probe({.at = e, .is = fact::kind::failed, .took = 2s, .code = system_error(ETIMEDOUT)}, s.now,
                        s.random);
    for (const auto& r : s.memory.records(s.now)) CHECK(r.state == state::suspect);
    s.pass(2s);
  }
}

TEST_CASE("MEM-12, MEM-06: reports of failure everywhere eject nobody either") {
  subject s;
  s.warm().pass(1s);
  for (int round = 0; round < 5; ++round)
    for (const endpoint& e : s.set) s.memory.report(e, outcome::failure, {}, s.now, s.random);
  for (const auto& r : s.memory.records(s.now)) CHECK(r.state == state::suspect);
}

TEST_CASE("SEL-05: a single address is never ejected") {
  subject s;
  s.set = addresses(1, 1);
  s.warm();
  for (int i = 0; i < 10; ++i) s.failed(1).pass(1s);
  CHECK(s.state(1) == state::suspect);
  CHECK_FALSE(s.panic);
  for (const auto& r : s.memory.records(s.now)) CHECK(r.state == state::suspect);
}

// ---- families

TEST_CASE("MEM-09: addresses of a demoted family that were never tried are demoted too, and come back together") {
  subject s;
  s.set = {v6(1).endpoint, v6(2).endpoint, v4(1).endpoint};
  s.look_up();
  s.attempt({.at = v6(1).endpoint, .is = fact::kind::failed, .took = 1ms, .code = system_error(ENETUNREACH)});
  s.connected(1);
  core::race_facts facts{.began = s.now};
  facts.won[0] = true;
  facts.failed[1] = v6(1).endpoint.address;
  s.memory.on_race_end("a", facts, s.now);
  auto known = s.look_up();
  CHECK(known[0].demoted);
  CHECK(known[1].demoted);
  CHECK_FALSE(known[2].demoted);
  s.pass(1s);
  s.memory.on_probe({.at = v6(2).endpoint, .took = 20ms}, s.now, s.random);
  known = s.look_up();
  CHECK_FALSE(known[0].demoted);
  CHECK_FALSE(known[1].demoted);
}

TEST_CASE("MEM-09: addresses of a family that does not work are not ejected") {
  subject s;
  s.set = {v6(1).endpoint, v6(2).endpoint, v4(1).endpoint};
  s.look_up();
  core::race_facts facts{.began = s.now};
  facts.won[0] = true;
  facts.failed[1] = v6(1).endpoint.address;
  s.memory.on_race_end("a", facts, s.now);
  for (int i = 0; i < 5; ++i)
    s.memory.on_probe({.at = v6(1).endpoint, .is = fact::kind::failed, .took = 2s, .code = system_error(ETIMEDOUT)},
                      s.now, s.random);
  CHECK(s.look_up()[0].state == state::suspect);
}

// ---- networks

TEST_CASE("MEM-10: on another network the old history does not count, and back home it does") {
  subject s;
  s.warm();
  for (int i = 0; i < 3; ++i) s.failed(1);
  CHECK(s.memory.use_network(7, s.now));
  CHECK_FALSE(s.memory.use_network(7, s.now));
  CHECK(s.state(1) == state::unknown);
  CHECK_FALSE(s.view(2).measured);
  CHECK(s.memory.records(s.now).empty());
  CHECK(s.memory.use_network(0, s.now));
  CHECK(s.state(1) == state::ejected);
  CHECK(s.view(2).srtt == 20ms);
}

TEST_CASE("MEM-10: what was begun on the old network teaches nothing on the new one") {
  subject s;
  s.warm();
  s.memory.on_started(v4(1).endpoint, s.now);
  s.memory.on_started(v4(2).endpoint, s.now);
  s.pass(1s);
  s.memory.use_network(7, s.now);
  s.pass(1s).look_up();
  s.memory.on_attempt("a",
                      {.at = v4(1).endpoint, .is = fact::kind::failed, .took = 2s, .code = system_error(EHOSTUNREACH)},
                      s.now, s.random);
  s.memory.on_attempt("a", {.at = v4(2).endpoint, .took = 2s}, s.now, s.random);
  s.memory.on_probe({.at = v4(3).endpoint, .is = fact::kind::failed, .took = 2s, .code = system_error(ETIMEDOUT)},
                    s.now, s.random);
  for (unsigned n = 1; n <= 3; ++n) CHECK(s.state(n) == state::unknown);
  CHECK(s.memory.records(s.now).empty());
}

TEST_CASE("MEM-10: a race that began on the old network says nothing about families on the new one") {
  subject s;
  s.set = {v6(1).endpoint, v4(1).endpoint};
  s.look_up();
  core::race_facts facts{.began = s.now};
  facts.won[0] = true;
  facts.failed[1] = v6(1).endpoint.address;
  s.memory.use_network(7, s.now + 1s);
  s.pass(2s);
  s.memory.on_race_end("a", facts, s.now);
  CHECK_FALSE(s.look_up()[0].demoted);
}

TEST_CASE("MEM-10: nothing stays under way on a network that was left") {
  subject s;
  s.look_up();
  s.memory.on_started(v4(1).endpoint, s.now);
  const auto probed = s.memory.next_probe(s.now);
  REQUIRE(probed);
  s.memory.use_network(7, s.now);
  s.memory.on_attempt("a", {.at = v4(1).endpoint, .took = 20ms}, s.now, s.random);
  s.memory.on_probe({.at = *probed, .took = 20ms}, s.now, s.random);
  s.pass(1s);
  s.memory.use_network(0, s.now);
  CHECK(s.view(1).in_flight == 0);
  std::vector<endpoint> seen;
  for (int i = 0; i < 100; ++i) {
    s.pass(1s).look_up();
    if (const auto to = s.memory.next_probe(s.now)) {
      seen.push_back(*to);
      s.memory.on_probe({.at = *to, .took = 20ms}, s.now, s.random);
    }
  }
  for (const endpoint& e : s.set) CHECK(std::find(seen.begin(), seen.end(), e) != seen.end());
}

// ---- what the program says

TEST_CASE("MEM-12: three reports of failure eject, and a success ends the suspicion") {
  subject s;
  s.warm();
  s.memory.report(v4(1).endpoint, outcome::failure, {}, s.now, s.random);
  CHECK(s.state(1) == state::suspect);
  s.memory.report(v4(1).endpoint, outcome::success, {}, s.now, s.random);
  CHECK(s.state(1) == state::healthy);
  for (int i = 0; i < 3; ++i) s.memory.report(v4(1).endpoint, outcome::failure, {}, s.now, s.random);
  CHECK(s.state(1) == state::ejected);
  s.memory.report(v4(1).endpoint, outcome::success, {}, s.now, s.random);
  CHECK(s.state(1) == state::ramping);
}

TEST_CASE("SEL-15: a request counts as load from begin() to report(), an attempt on its own") {
  subject s;
  s.warm();
  s.memory.begin(v4(1).endpoint, s.now);
  s.memory.begin(v4(1).endpoint, s.now);
  CHECK(s.view(1).in_flight == 2);
  s.memory.report(v4(1).endpoint, outcome::success, 5ms, s.now, s.random);
  CHECK(s.view(1).in_flight == 1);
  s.memory.report(v4(1).endpoint, outcome::success, 5ms, s.now, s.random);
  s.memory.report(v4(1).endpoint, outcome::success, 5ms, s.now, s.random);
  CHECK(s.view(1).in_flight == 0);
  CHECK(s.view(1).latency == 5ms);
  s.memory.on_started(v4(1).endpoint, s.now);
  s.memory.report(v4(1).endpoint, outcome::success, 5ms, s.now, s.random);  // of a request that was not announced
  CHECK(s.view(1).in_flight == 1);
}

TEST_CASE("MEM-12: latencies that cannot be are no harm") {
  subject s;
  s.warm();
  for (const duration d : {duration::max(), duration::min(), duration(-1)}) {
    for (int i = 0; i < 5; ++i) {
      s.memory.report(v4(1).endpoint, outcome::failure, d, s.now, s.random);
      s.memory.report(v4(1).endpoint, outcome::success, d, s.now, s.random);
    }
  }
  CHECK(s.view(1).latency >= 0s);
  CHECK(s.view(1).latency <= 1h);
  CHECK(s.view(1).failure_time >= 0s);
  CHECK(s.view(1).failure_time <= 1h);
}

// ---- asking again, and turns

TEST_CASE("SEL-04: a name may be asked again every 5 s, each name for itself") {
  subject s;
  CHECK(s.memory.may_ask_again("a", s.now));
  CHECK_FALSE(s.memory.may_ask_again("a", s.now));
  CHECK(s.memory.may_ask_again("b", s.now));
  CHECK_FALSE(s.memory.may_ask_again("a", s.now + 5s - 1ns));
  CHECK(s.memory.may_ask_again("a", s.now + 5s));
}

TEST_CASE("SEL-08: each name has its own turns") {
  subject s;
  CHECK(s.memory.take_turn("a", s.now) == 0);
  CHECK(s.memory.take_turn("a", s.now) == 1);
  CHECK(s.memory.take_turn("b", s.now) == 0);
}

TEST_CASE("MEM-03: however many names there are, what is kept of them is bounded, and it takes no time") {
  subject s;
  for (unsigned n = 0; n < 150'000; ++n) {
    s.pass(1ms);
    s.memory.take_turn("name-" + std::to_string(n), s.now);
    REQUIRE(s.memory.targets() <= 65'536);
  }
  CHECK(s.memory.take_turn("name-149999", s.now) == 1);  // the ones used last are there
  CHECK(s.memory.take_turn("name-130000", s.now) == 1);
}

// ---- across processes

TEST_CASE("MEM-13: what has changed is told once, and another process takes it up") {
  subject s;
  s.warm().pass(10s);
  for (int i = 0; i < 3; ++i) s.failed(1);
  s.connected(2, 40ms);
  const auto told = s.memory.take_changed(s.now, s.wall());
  CHECK(told.size() == 4);
  CHECK(s.memory.take_changed(s.now, s.wall()).empty());
  s.connected(3);
  CHECK(s.memory.take_changed(s.now, s.wall()).size() == 1);

  subject other;
  other.now = time_point{5s};  // its host has just booted
  other.memory.restore(told, other.now, s.wall());
  CHECK(other.state(1) == state::ejected);
  CHECK(other.view(2).srtt == s.view(2).srtt);
  CHECK(other.view(2).rttvar == s.view(2).rttvar);
  CHECK(other.state(3) == state::healthy);
  CHECK(other.view(3).age == 10s);
  CHECK(other.memory.take_changed(other.now, s.wall()).empty());
}

TEST_CASE("MEM-13, MEM-01: a wait in vain makes the next process wary too") {
  subject s;
  s.warm().pass(10s).gave_up(1, 300ms, 250ms).gave_up(2, 200ms, 250ms);
  CHECK(s.state(1) == state::suspect);
  subject other;
  other.memory.restore(s.memory.take_changed(s.now, s.wall()), other.now, other.wall());
  CHECK(other.state(1) == state::suspect);
  CHECK(other.state(2) == state::healthy);
  other.connected(1);
  CHECK(other.state(1) == state::healthy);
}

TEST_CASE("MEM-13: what was learned before this host booted is as old as it is") {
  subject s;
  s.now = time_point{5s};
  core::remembered r{.at = v4(1).endpoint, .seen = wall0 - 45s, .srtt = 20ms, .successes = 10, .failures = 30};
  s.memory.restore(std::vector{r}, s.now, wall0);
  CHECK(s.view(1).age == 45s);
  CHECK(s.view(1).successes == 0);
  CHECK(s.view(1).failures == 0);
  r.at = v4(2).endpoint;
  r.seen = wall0 - 12s;
  s.memory.restore(std::vector{r}, s.now, wall0);
  CHECK(s.view(2).failures == 30);
}

TEST_CASE("MEM-13: changes of a network that was left are told as that network's, then and after a return") {
  subject s;
  s.warm();
  s.memory.use_network(7, s.now);
  s.pass(1s).warm();
  auto told = s.memory.take_changed(s.now, s.wall());
  CHECK(std::count_if(told.begin(), told.end(), [](const auto& r) { return r.network == 0; }) == 4);
  CHECK(std::count_if(told.begin(), told.end(), [](const auto& r) { return r.network == 7; }) == 4);
  s.memory.use_network(0, s.now);
  s.pass(1s).connected(1);
  told = s.memory.take_changed(s.now, s.wall());
  REQUIRE(told.size() == 1);
  CHECK(told[0].network == 0);
}

TEST_CASE("MEM-13: what is known already is not overwritten by what is older, and newer counts instead of on top") {
  subject s;
  s.warm().pass(10s);
  auto told = s.memory.take_changed(s.now, s.wall());
  s.connected(1, 60ms);
  const auto before = s.view(1);
  s.memory.restore(told, s.now, s.wall());
  CHECK(s.view(1).srtt == before.srtt);
  CHECK(s.view(1).successes == before.successes);

  core::remembered newer{.at = v4(2).endpoint, .seen = s.wall(), .srtt = 90ms, .successes = 7};
  s.memory.on_started(v4(2).endpoint, s.now);
  s.memory.restore(std::vector{newer}, s.now, s.wall());
  CHECK(s.view(2).srtt == 90ms);
  CHECK(s.view(2).successes == 7);
  CHECK(s.view(2).in_flight == 1);
}

TEST_CASE("MEM-13: another network's records, and those older than an hour, are not taken up") {
  subject s;
  const core::remembered of_another{.network = 7, .at = v4(1).endpoint, .seen = wall0, .srtt = 20ms};
  const core::remembered old{.at = v4(2).endpoint, .seen = wall0 - 61min, .srtt = 20ms, .consecutive_failures = 3};
  s.memory.restore(std::vector{of_another, old}, s.now, wall0);
  CHECK(s.memory.records(s.now).empty());
  CHECK(s.state(2) == state::unknown);
}

TEST_CASE("MEM-13: a store that lies does no harm beyond an endpoint's rank") {
  subject s;
  const std::vector<duration> times{duration::min(), duration(-1), duration::zero(), 20ms, duration::max()};
  const std::vector<wall_time> walls{wall_time::min(), wall0 - 1h, wall0, wall0 + 1s, wall0 + 24h, wall_time::max()};
  constexpr auto most = std::numeric_limits<std::uint32_t>::max();
  for (const duration d : times) {
    for (const wall_time seen : walls) {
      for (const wall_time until : walls) {
        for (const std::uint32_t n : {0U, 1U, most}) {
          s.memory.clear();
          const core::remembered r{.at = v4(1).endpoint,
                                   .seen = seen,
                                   .srtt = d,
                                   .rttvar = d,
                                   .failure_time = d,
                                   .successes = n,
                                   .failures = n,
                                   .consecutive_failures = n,
                                   .backoff = n,
                                   .ejected_until = until};
          s.memory.restore(std::vector{r}, s.now, wall0);
          const auto v = s.view(1);
          CHECK(v.srtt >= 0s);
          CHECK(v.srtt <= 1h);
          CHECK(v.rttvar >= 0s);
          CHECK(v.rttvar <= 1h);
          CHECK((v.ejected_until == time_point::min() || v.ejected_until <= s.now + 60s));
          s.failed(1).connected(1).pass(61s);
          for (int i = 0; i < 3; ++i) s.failed(1);
          CHECK(s.view(1).consecutive_failures >= 3);
          for (const auto& known : s.memory.records(s.now)) CHECK(known.age >= 0s);
          s.connected(1).pass(11s);
          CHECK(s.state(1) == state::healthy);
          s.memory.take_changed(s.now, wall0);
        }
      }
    }
  }
}

TEST_CASE("MEM-03: where no store asks for changes, they are not piled up") {
  // 65,536 endpoints are remembered; a program that connects to more of them than that must not grow.
  subject s;
  for (unsigned n = 0; n < 3'000; ++n) s.connected(n % 200);
  CHECK(s.memory.take_changed(s.now, s.wall()).size() == 200);
}

}  // namespace
}  // namespace lbresolve::test
