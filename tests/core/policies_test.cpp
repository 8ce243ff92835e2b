// What each policy and mode makes of the same candidates, with what is known of them.
#include "core/order.hpp"

#include "support/chi_square.hpp"
#include "support/simulated_race.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace lbresolve::test {
namespace {

using namespace std::chrono_literals;
using candidates = std::vector<core::candidate>;
using state = endpoint_state;

core::candidate known_as(core::candidate c, endpoint_state s, duration srtt = 20ms) {
  c.known.state = s;
  c.known.measured = true;
  c.known.srtt = srtt;
  c.known.successes = 10;
  return c;
}
core::candidate measured(core::candidate c, duration srtt) { return known_as(std::move(c), state::healthy, srtt); }
/// Each of a record of its own.
core::candidate weighing(core::candidate c, std::uint16_t weight) {
  c.from = {c.endpoint.address.bytes()[3], rr_type::a};
  c.weighted = true;
  c.weight = weight;
  return c;
}

candidates v4s(unsigned count) {
  candidates out;
  for (unsigned n = 1; n <= count; ++n) out.push_back(v4(n));
  return out;
}

candidates measured_v4s(unsigned count, duration srtt = 20ms) {
  candidates out = v4s(count);
  for (auto& c : out) c = measured(std::move(c), srtt);
  return out;
}

std::string ordered(candidates c, core::order_settings settings, std::uint64_t seed = 1) {
  test_random random(seed);
  return short_names(core::order(std::move(c), settings, random));
}

/// How often each of `set` comes first.
std::vector<std::size_t> firsts(const candidates& set, const core::order_settings& settings, int times) {
  test_random random;
  std::vector<std::size_t> counts(set.size());
  for (int i = 0; i < times; ++i) {
    const endpoint first = core::order(set, settings, random).front().endpoint;
    const auto at = std::find_if(set.begin(), set.end(), [&](const auto& c) { return c.endpoint == first; });
    ++counts[static_cast<std::size_t>(at - set.begin())];
  }
  return counts;
}

bool is_near(std::size_t count, double share, int of, double points) {
  const double off = static_cast<double>(count) / of - share;
  return off < points && off > -points;
}

constexpr std::array every_policy{policy::balanced, policy::fastest, policy::round_robin,
                                  policy::random,   policy::hash,    policy::in_order};

// ---- learned weights

/// Learned from answers of which they are in 60, 30 and 10 %.
candidates learned(candidates c) {
  const double frequencies[] = {0.6, 0.3, 0.1};
  for (std::size_t i = 0; i < c.size(); ++i) c[i].frequency = frequencies[i];
  return c;
}

TEST_CASE("SEL-02: balanced and random share equals by learned weights") {
  for (const policy p : {policy::balanced, policy::random}) {
    const auto counts = firsts(learned(measured_v4s(3)), {.policy = p}, 10'000);
    CHECK(is_near(counts[0], 0.6, 10'000, 0.03));
    CHECK(is_near(counts[1], 0.3, 10'000, 0.03));
    CHECK(is_near(counts[2], 0.1, 10'000, 0.03));
  }
}

TEST_CASE("SEL-02: learned weights do not widen the band, as those of SRV records do") {
  candidates c = learned(measured_v4s(3));
  c[0] = measured(std::move(c[0]), 200ms);
  const auto counts = firsts(c, {.policy = policy::balanced}, 1'000);
  CHECK(counts[0] == 0);
  CHECK(is_near(counts[1], 0.75, 1'000, 0.06));
  const core::front_row row = [&] {
    test_random random;
    return core::front_of(c, {.policy = policy::balanced}, random);
  }();
  CHECK_FALSE(row.weighted);
  CHECK(row.contenders[1].weight == 0.3);
}

TEST_CASE("SEL-08: hash, round_robin, fastest and in_order leave learned weights aside") {
  const candidates plain = measured_v4s(3);
  for (const policy p : {policy::hash, policy::round_robin, policy::fastest, policy::in_order}) {
    for (std::uint64_t n = 0; n < 50; ++n) {
      const core::order_settings settings{.policy = p, .turn = n, .hash_key = n};
      CHECK(ordered(learned(plain), settings) == ordered(plain, settings));
    }
  }
}

// ---- modes

TEST_CASE("SEL-01: in mode server the order of the answer stands, whatever the policy and whatever is known") {
  candidates set{measured(v4(3), 200ms), known_as(v4(1), state::suspect), measured(v4(4), 5ms),
                 known_as(v4(2), state::half_open), v4(5)};
  set[2].known.demoted = true;
  for (const policy p : every_policy) {
    CAPTURE(static_cast<int>(p));
    for (std::uint64_t seed = 1; seed < 10; ++seed)
      CHECK(ordered(set, {.policy = p, .mode = selection_mode::server, .turn = seed, .hash_key = seed}, seed) ==
            "4.3 4.1 4.4 4.2 4.5");
  }
}

TEST_CASE("SEL-01: only ejected endpoints move to the end") {
  const candidates set{known_as(v4(3), state::ejected), v4(1), known_as(v4(2), state::ejected), v4(4)};
  for (const policy p : every_policy)
    CHECK(ordered(set, {.policy = p, .mode = selection_mode::server}) == "4.1 4.4 4.3 4.2");
}

TEST_CASE("SEL-01: nor do scopes and labels change the order that the server has chosen") {
  auto unique_local = v6(1);
  unique_local.endpoint.address = *address::parse("fd00::1");
  const auto first = [&](selection_mode mode) {
    test_random random;
    return core::order({unique_local, v6(2)}, {.policy = policy::in_order, .mode = mode}, random).front().endpoint;
  };
  CHECK(first(selection_mode::server) == unique_local.endpoint);
  CHECK(first(selection_mode::hybrid) == v6(2).endpoint);  // RFC 6724 rule 5: the label of the source's
}

// ---- what is known

TEST_CASE("HE-25: what is not well is tried all the same, the worst last") {
  const candidates set{known_as(v4(1), state::ejected),   known_as(v4(2), state::suspect),
                       known_as(v4(3), state::half_open), measured(v4(4), 500ms),
                       known_as(v4(5), state::ramping),   v4(6)};
  for (const policy p : every_policy) {
    CAPTURE(static_cast<int>(p));
    const std::string all = ordered(set, {.policy = p});
    CHECK(all.size() == 6 * 3 + 5);
    CHECK(all.substr(all.size() - 11) == "4.2 4.3 4.1");
  }
}

TEST_CASE("HE-25: a whole answer of ejected addresses is tried") {
  candidates set;
  for (unsigned n = 1; n <= 5; ++n) set.push_back(known_as(v4(n), state::ejected));
  for (const policy p : every_policy) CHECK(ordered(set, {.policy = p}).size() == 5 * 3 + 4);
}

TEST_CASE("SEL-06: what is well in a worse priority comes before what is ejected in a better one, and after it else") {
  const candidates set{with_priority(known_as(v4(1), state::ejected), 1), with_priority(v4(2), 1),
                       with_priority(v4(3), 2)};
  CHECK(ordered(set, {.policy = policy::in_order}) == "4.2 4.3 4.1");
}

TEST_CASE("HE-22: 20 ms goes before 80 ms inside a tier") {
  const candidates set{measured(v4(1), 80ms), measured(v4(2), 20ms)};
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    CHECK(ordered(set, {.policy = policy::fastest}, seed) == "4.2 4.1");
    CHECK(ordered(set, {.policy = policy::balanced}, seed) == "4.2 4.1");
  }
}

TEST_CASE("HE-22: nearer is no reason to leave the tier: a priority is strict") {
  const candidates set{with_priority(measured(v4(1), 80ms), 1), with_priority(measured(v4(2), 20ms), 2)};
  for (const policy p : every_policy) CHECK(ordered(set, {.policy = p}) == "4.1 4.2");
}

TEST_CASE("IPv6 goes first unless its best is known to be more than 50 ms farther") {
  const auto order_of = [](duration six, duration four) {
    return ordered({measured(v4(1), four), measured(v6(1), six)}, {.policy = policy::balanced});
  };
  CHECK(order_of(60ms, 20ms) == "6.1 4.1");
  CHECK(order_of(70ms, 20ms) == "6.1 4.1");
  CHECK(order_of(71ms, 20ms) == "4.1 6.1");
  CHECK(order_of(20ms, 200ms) == "6.1 4.1");
  CHECK(ordered({measured(v4(1), 1ms), v6(1)}, {.policy = policy::balanced}) == "6.1 4.1");
}

TEST_CASE("MEM-09: a demoted family comes after the other, suspects of that one included") {
  candidates set{v6(1), measured(v6(2), 5ms), v4(1), v4(2)};
  set[0].known.demoted = set[1].known.demoted = true;
  for (const policy p : every_policy) {
    const std::string all = ordered(set, {.policy = p});
    CHECK(all.substr(0, 7).find('6') == std::string::npos);
  }
}

// ---- policies

TEST_CASE("HE-24: balanced draws evenly among addresses of which nothing is known (chi-square, p > 1e-6)") {
  for (const unsigned n : {2U, 3U, 8U, 50U}) {
    CAPTURE(n);
    CHECK(uniform_p(firsts(v4s(n), {.policy = policy::balanced}, 10'000)) > 1e-6);
  }
}

TEST_CASE("HE-24: the second choice of balanced is even as well: a failure sends nobody to the same next") {
  std::vector<std::size_t> seconds(8);
  test_random random;
  for (int i = 0; i < 20'000; ++i) {
    const auto all = core::order(measured_v4s(8), {.policy = policy::balanced}, random);
    ++seconds[all[1].endpoint.address.bytes()[3] - 1U];
  }
  CHECK(uniform_p(seconds) > 1e-6);
}

TEST_CASE("SEL-08: balanced names every address once, whatever is known") {
  test_random random;
  for (int i = 0; i < 500; ++i) {
    candidates set = v4s(1 + static_cast<unsigned>(random.below(12)));
    for (auto& c : set)
      if (random.below(3) != 0) c = measured(std::move(c), duration(random.below(300'000'000)));
    const std::size_t size = set.size();
    std::set<endpoint> seen;
    for (const auto& c : core::order(std::move(set), {.policy = policy::balanced}, random)) seen.insert(c.endpoint);
    CHECK(seen.size() == size);
  }
}

TEST_CASE("SEL-12: an address that refuses at once is behind one that works at 80 ms") {
  auto refusing = measured(v4(1), 1ms);
  refusing.known.failures = 10;
  refusing.known.failure_time = 100us;
  for (const policy p : {policy::balanced, policy::fastest})
    CHECK(ordered({refusing, measured(v4(2), 80ms)}, {.policy = p}) == "4.2 4.1");
}

TEST_CASE("SEL-08: fastest goes by the expected time, the unknown in the middle") {
  const candidates set{measured(v4(1), 80ms), v4(2), measured(v4(3), 10ms), measured(v4(4), 40ms)};
  for (std::uint64_t seed = 1; seed < 20; ++seed)
    CHECK(ordered(set, {.policy = policy::fastest}, seed) == "4.3 4.2 4.4 4.1");
}

TEST_CASE("SEL-08: in_order is the order of the answer") {
  const candidates set{measured(v4(3), 80ms), v4(1), measured(v4(2), 10ms)};
  CHECK(ordered(set, {.policy = policy::in_order}) == "4.3 4.1 4.2");
}

TEST_CASE("SEL-08: round_robin takes one after the other, whatever order the answer came in") {
  candidates set = v4s(4);
  const std::array<std::string, 5> wanted{"4.1 4.2 4.3 4.4", "4.2 4.3 4.4 4.1", "4.3 4.4 4.1 4.2", "4.4 4.1 4.2 4.3",
                                          "4.1 4.2 4.3 4.4"};
  for (std::uint64_t turn = 0; turn < wanted.size(); ++turn) {
    CHECK(ordered(set, {.policy = policy::round_robin, .turn = turn}) == wanted[turn]);
    std::rotate(set.begin(), set.begin() + 1, set.end());
  }
}

TEST_CASE("SEL-08: random is even, also over what is near and far") {
  candidates set = measured_v4s(8);
  set[2] = measured(v4(3), 300ms);
  CHECK(uniform_p(firsts(set, {.policy = policy::random}, 16'000)) > 1e-6);
}

TEST_CASE("SEL-08: hash gives a key its address, whatever the order of the answer and the draw of the day") {
  for (std::uint64_t key = 0; key < 50; ++key) {
    candidates set = v4s(8);
    const core::order_settings settings{.policy = policy::hash, .hash_key = key};
    const std::string one = ordered(set, settings, 1);
    std::reverse(set.begin(), set.end());
    CHECK(ordered(set, settings, 2) == one);
  }
}

TEST_CASE("SEL-08: hash spreads keys evenly (chi-square, p > 1e-6)") {
  std::vector<std::size_t> counts(8);
  for (std::uint64_t key = 0; key < 16'000; ++key) {
    test_random random;
    ++counts
        [core::order(v4s(8), {.policy = policy::hash, .hash_key = key}, random).front().endpoint.address.bytes()[3] -
         1U];
  }
  CHECK(uniform_p(counts) > 1e-6);
}

TEST_CASE("SEL-08: hash moves at most 1/n + 2 % of the keys when one of n leaves, and none that was elsewhere") {
  for (const unsigned n : {3U, 8U, 20U}) {
    CAPTURE(n);
    const int keys = 10'000;
    int moved = 0, needlessly = 0;
    for (std::uint64_t key = 0; key < keys; ++key) {
      const core::order_settings settings{.policy = policy::hash, .hash_key = key * 2'654'435'761U};
      test_random random;
      candidates set = v4s(n);
      const endpoint before = core::order(set, settings, random).front().endpoint;
      const endpoint leaver = set[n / 2].endpoint;
      set.erase(set.begin() + n / 2);
      const endpoint after = core::order(set, settings, random).front().endpoint;
      moved += before != after;
      needlessly += before != after && before != leaver;
    }
    CHECK(needlessly == 0);
    CHECK(moved <= keys * (1.0 / n + 0.02));
    CHECK(moved > 0);
  }
}

// ---- weights

TEST_CASE("SEL-06: weights of 60, 30 and 10 hold within 3 points over 10,000 picks, near or far") {
  for (const policy p : {policy::random, policy::balanced}) {
    CAPTURE(static_cast<int>(p));
    const candidates unknown{weighing(v4(1), 60), weighing(v4(2), 30), weighing(v4(3), 10)};
    const candidates near_and_far{weighing(measured(v4(1), 200ms), 60), weighing(measured(v4(2), 20ms), 30),
                                  weighing(v4(3), 10)};
    for (const candidates& set : {unknown, near_and_far}) {
      const auto counts = firsts(set, {.policy = p}, 10'000);
      CHECK(is_near(counts[0], 0.6, 10'000, 0.03));
      CHECK(is_near(counts[1], 0.3, 10'000, 0.03));
      CHECK(is_near(counts[2], 0.1, 10'000, 0.03));
    }
  }
}

TEST_CASE("SEL-06: weight 0 is rare beside others, and even among its like") {
  for (const policy p : {policy::random, policy::balanced}) {
    CAPTURE(static_cast<int>(p));
    const auto rare = firsts({weighing(v4(1), 0), weighing(v4(2), 50), weighing(v4(3), 50)}, {.policy = p}, 10'000);
    CHECK(rare[0] < 200);
    const auto even = firsts({weighing(v4(1), 0), weighing(v4(2), 0), weighing(v4(3), 0)}, {.policy = p}, 10'000);
    CHECK(uniform_p(even) > 1e-6);
  }
}

TEST_CASE("SEL-06: a priority is exhausted before the next begins, and a suspect is passed over") {
  const candidates set{with_priority(weighing(v4(1), 90), 10), with_priority(weighing(v4(2), 10), 10),
                       with_priority(weighing(v4(3), 1'000), 20)};
  for (std::uint64_t seed = 1; seed <= 200; ++seed)
    CHECK(ordered(set, {.policy = policy::balanced}, seed).substr(8) == "4.3");
  candidates one_suspect = set;
  one_suspect[0] = known_as(std::move(one_suspect[0]), state::suspect);
  CHECK(ordered(one_suspect, {.policy = policy::balanced}) == "4.2 4.3 4.1");
}

}  // namespace
}  // namespace lbresolve::test
