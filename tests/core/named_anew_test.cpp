// Addresses that DNS takes back and gives out anew: they may be other hosts by then, as those of pods are.
#include "core/selection.hpp"

#include "support/simulated_race.hpp"
#include "support/test_random.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>
#include <vector>

namespace lbresolve::test {
namespace {

using namespace std::chrono_literals;
using state = endpoint_state;
using fact = core::attempt_fact;
using numbers = std::vector<unsigned>;

/// A memory in which the name "a" stands for .1 to .4, all of them well.
struct subject {
  core::selection memory;
  core::roster_rules rules{};
  test_random random{};
  time_point now{std::chrono::hours{10}};

  explicit subject(bool probing = true, selection_mode mode = selection_mode::hybrid)
      : memory({.health = {}, .probes = {.enabled = probing}}), rules{.mode = mode} {
    answers({1, 2, 3, 4});
    connected({1, 2, 3, 4});
  }

  subject& pass(duration d) {
    now += d;
    return *this;
  }
  /// A new answer, and a connect that looks its addresses up.
  subject& answers(const numbers& members, const std::string& name = "a") {
    pass(1ms);
    core::membership m{.members = {}, .fetched = now, .ttl = 5s};
    std::vector<endpoint> set;
    for (const unsigned n : members) m.members.push_back({.at = v4(n).endpoint});
    for (const core::member& k : memory.take_answer(name, m, rules, now)) set.push_back(k.at);
    for (const core::member& k : m.members) set.push_back(k.at);
    std::sort(set.begin(), set.end());
    std::vector<core::health_view> known(set.size());
    memory.look_up(name, set, known, now, random);
    return *this;
  }
  void attempt(const fact& f) {
    memory.on_started(f.at, now - f.took);
    memory.on_attempt("a", f, now, random);
  }
  subject& connected(const numbers& members) {
    for (const unsigned n : members) attempt({.at = v4(n).endpoint, .took = 20ms});
    return *this;
  }
  subject& failed(unsigned n, int times = 1) {
    for (int i = 0; i < times; ++i)
      attempt({.at = v4(n).endpoint, .is = fact::kind::failed, .took = 1ms, .code = system_error(ECONNREFUSED)});
    return *this;
  }
  /// .2 is dead for long, so that its ejection lasts half a minute at least, while the others serve.
  subject& dead() {
    for (int i = 0; i < 6; ++i) failed(2, 3).pass(60s).connected({1, 3, 4});
    return failed(2);
  }
  core::health_view view(unsigned n) {
    const std::vector<endpoint> set{v4(1).endpoint, v4(2).endpoint, v4(3).endpoint, v4(4).endpoint};
    std::vector<core::health_view> known(set.size());
    memory.peek("a", set, known, now);
    return known.at(n - 1);
  }
  /// Whether a probe goes there now.
  bool is_probed(unsigned n) {
    while (const auto to = memory.next_probe(now))
      if (*to == v4(n).endpoint) return true;
    return false;
  }
};

TEST_CASE("MEM-03: what was ejected, withdrawn and is named anew waits no longer: it is half-open and probed at once") {
  subject s;
  s.dead();
  REQUIRE(s.view(2).state == state::ejected);
  REQUIRE(s.view(2).ejected_until - s.now > 20s);
  s.answers({1, 3, 4}).pass(2s).answers({1, 2, 3, 4});
  CHECK(s.view(2).state == state::half_open);
  CHECK(s.is_probed(2));
  s.memory.on_probe({.at = v4(2).endpoint, .took = 20ms}, s.now, s.random);
  CHECK(s.view(2).state == state::ramping);
}

TEST_CASE("MEM-03: an answer that goes on naming an address is no reason to try it sooner") {
  subject s;
  s.dead();
  s.answers({1, 2, 3, 4}).pass(2s).answers({2, 1, 3, 4}).pass(2s).answers({1, 2, 3});
  CHECK(s.view(2).state == state::ejected);
}

TEST_CASE("MEM-04: a name that comes to stand for an address nobody withdrew takes over what is known of it") {
  subject s;
  s.dead();
  s.answers({2, 3}, "b");
  CHECK(s.view(2).state == state::ejected);
  // Withdrawn by one name while the other goes on: it is the same host still.
  s.answers({1, 3, 4}).answers({2, 3, 4}, "b").answers({1, 2, 3, 4});
  CHECK(s.view(2).state == state::ejected);
}

TEST_CASE("MEM-03: a dead address that comes and goes with every answer is not tried with every answer") {
  subject s;
  s.dead();
  s.answers({1, 3, 4}).answers({1, 2, 3, 4}).failed(2);
  REQUIRE(s.view(2).state == state::ejected);
  for (int i = 0; i < 3; ++i) s.answers({1, 3, 4}).answers({1, 2, 3, 4});
  CHECK(s.view(2).state == state::ejected);
}

TEST_CASE("MEM-03: after a success there the next time counts again") {
  subject s;
  s.dead();
  s.answers({1, 3, 4}).answers({1, 2, 3, 4}).pass(1s);
  s.attempt({.at = v4(2).endpoint, .took = 20ms});
  s.pass(60s).failed(2, 3);
  REQUIRE(s.view(2).state == state::ejected);
  s.answers({1, 3, 4}).answers({1, 2, 3, 4});
  CHECK(s.view(2).state == state::half_open);
}

TEST_CASE("MEM-03: a suspect that is named anew stays one, and is looked at soon") {
  subject s;
  s.failed(2).answers({1, 3, 4}).pass(50s).answers({1, 2, 3, 4});
  CHECK(s.view(2).state == state::suspect);
  bool probed = false;
  for (int second = 0; second < 6 && !probed; ++second) probed = s.pass(1s).is_probed(2);
  CHECK(probed);
}

TEST_CASE("MEM-03: with probing off a connect tries what is named anew beside its first choice") {
  subject s(false);
  s.dead().pass(1s);
  CHECK_FALSE(s.view(2).overdue);
  s.answers({1, 3, 4}).pass(2s).answers({1, 2, 3, 4});
  CHECK(s.view(2).overdue);
  s.failed(2);
  CHECK_FALSE(s.view(2).overdue);
}

TEST_CASE("MEM-04: in mode client an address that still counts has not left") {
  subject s(true, selection_mode::client);
  s.dead();
  s.answers({1, 2, 3, 4}).answers({5, 3, 4, 6}).pass(2s).answers({1, 2, 3, 4});
  CHECK(s.view(2).state == state::ejected);
}

}  // namespace
}  // namespace lbresolve::test
