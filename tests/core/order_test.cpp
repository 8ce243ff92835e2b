// The order of candidates: tiers, families, and what the policy does among equals.
#include "core/order.hpp"

#include "support/simulated_race.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string>
#include <vector>

namespace lbresolve::test {
namespace {

using candidates = std::vector<core::candidate>;

std::string in_order(candidates c, int first_family_count = 1, core::interleaving so_far = {}) {
  test_random random;
  return short_names(core::order(std::move(c), {policy::in_order, first_family_count, so_far}, random));
}

TEST_CASE("HE-20: three IPv6 and two IPv4 addresses alternate, after the first family's count") {
  const candidates answer{v6(1), v6(2), v6(3), v4(1), v4(2)};
  CHECK(in_order(answer, 1) == "6.1 4.1 6.2 4.2 6.3");
  CHECK(in_order(answer, 2) == "6.1 6.2 4.1 6.3 4.2");
  CHECK(in_order(answer, 3) == "6.1 6.2 6.3 4.1 4.2");
  CHECK(in_order(answer, 9) == "6.1 6.2 6.3 4.1 4.2");
  CHECK(in_order(answer, 0) == "6.1 4.1 6.2 4.2 6.3");
}

TEST_CASE("HE-20: whichever way the answers came in, the families alternate") {
  CHECK(in_order({v4(1), v4(2), v6(1), v6(2), v6(3)}) == "6.1 4.1 6.2 4.2 6.3");
  CHECK(in_order({v4(1), v4(2), v4(3), v4(4), v6(1)}) == "6.1 4.1 4.2 4.3 4.4");
}

TEST_CASE("HE-20: one family alone keeps its order, and nothing stays nothing") {
  CHECK(in_order({v4(3), v4(1), v4(2)}, 2) == "4.3 4.1 4.2");
  CHECK(in_order({v6(3), v6(1)}) == "6.3 6.1");
  CHECK(in_order({v6(3)}) == "6.3");
  CHECK(in_order({}).empty());
}

TEST_CASE("HE-21: without an IPv6 source address IPv4 goes first and IPv6 last") {
  CHECK(in_order({without_route(v6(1)), without_route(v6(2)), v4(1), v4(2)}) == "4.1 4.2 6.1 6.2");
  CHECK(in_order({v6(1), without_route(v4(1)), v6(2)}) == "6.1 6.2 4.1");
}

TEST_CASE("HE-21: with no route at all both families are still tried, IPv6 first") {
  CHECK(in_order({without_route(v4(1)), without_route(v6(1)), without_route(v4(2))}) == "6.1 4.1 4.2");
}

TEST_CASE("HE-23: all of priority 1 come before priority 2, and each priority alternates for itself") {
  CHECK(in_order({with_priority(v6(3), 2), with_priority(v4(3), 2), with_priority(v4(1), 1), with_priority(v6(1), 1),
                  with_priority(v4(2), 1)}) == "6.1 4.1 4.2 6.3 4.3");
}

TEST_CASE("HE-23: a candidate without a route stays inside its priority") {
  CHECK(in_order({with_priority(v6(2), 2), without_route(with_priority(v6(1), 1)), with_priority(v4(1), 1)}) ==
        "4.1 6.1 6.2");
}

TEST_CASE("HE-23: priorities up to 65535 keep their order") {
  CHECK(in_order({with_priority(v6(3), 65535), with_priority(v4(1), 0), with_priority(v6(2), 65534)}) == "4.1 6.2 6.3");
}

TEST_CASE("HE-23: equals are shuffled by the policy random, inside their tier only") {
  test_random random(7);
  std::map<std::string, int> seen;
  for (int i = 0; i < 6'000; ++i) {
    const auto out = core::order(
        {with_priority(v4(1), 1), with_priority(v4(2), 1), with_priority(v4(3), 1), with_priority(v4(9), 2)},
        {policy::random}, random);
    REQUIRE(short_name(out.back().endpoint) == "4.9");
    ++seen[short_names(out)];
  }
  REQUIRE(seen.size() == 6);
  for (const auto& permutation : seen) {
    CAPTURE(permutation.first);
    CHECK(permutation.second > 850);  // 1,000 expected; a standard deviation is 29
    CHECK(permutation.second < 1'150);
  }
}

TEST_CASE("HE-24: among N equal addresses the first one is uniform over 10,000 orders (chi-square, p > 1e-6)") {
  // The 1e-6 quantiles of chi-square with N-1 degrees of freedom.
  const std::map<unsigned, double> limits{{2, 23.93}, {3, 27.63}, {8, 40.52}, {16, 56.49}};
  for (const auto& cells_and_limit : limits) {
    const unsigned n = cells_and_limit.first;
    for (const std::uint64_t seed : {1U, 2U, 3U}) {
      CAPTURE(n);
      CAPTURE(seed);
      test_random random(seed);
      std::map<std::string, int> first;
      for (int i = 0; i < 10'000; ++i) {
        candidates answer;
        for (unsigned k = 1; k <= n; ++k) answer.push_back(v4(k));
        ++first[short_name(core::order(std::move(answer), {policy::random}, random).front().endpoint)];
      }
      const double expected = 10'000.0 / n;
      double chi_square = 0;
      for (unsigned k = 1; k <= n; ++k) {
        const double d = first[short_name(v4(k).endpoint)] - expected;
        chi_square += d * d / expected;
      }
      CHECK(chi_square < cells_and_limit.second);
      CHECK(chi_square > 0);
    }
  }
}

TEST_CASE("HE-24: the same seed gives the same order") {
  const auto once = [] {
    test_random random(42);
    candidates answer;
    for (unsigned k = 1; k <= 20; ++k) answer.push_back(k % 2 ? v4(k) : v6(k));
    return short_names(core::order(std::move(answer), {policy::random}, random));
  };
  CHECK(once() == once());
}

TEST_CASE(
    "HE-38: an endpoint that the answer has twice comes out once, in its first place and with its best priority") {
  CHECK(in_order({v4(1), v4(2), v4(1), v4(3), v4(2)}) == "4.1 4.2 4.3");
  CHECK(in_order({with_priority(v4(1), 2), with_priority(v4(2), 1), with_priority(v4(1), 1)}) == "4.1 4.2");
  CHECK(in_order({v4(1), v4(1, 8443)}) == "4.1 4.1");  // another port is another endpoint
}

TEST_CASE("HE-13: a hint that equals an address is one candidate, and no hint any more") {
  test_random random;
  const auto out = core::order({as_hint(v6(1)), v6(1), as_hint(v6(2))}, {policy::in_order}, random);
  REQUIRE(out.size() == 2);
  CHECK_FALSE(out[0].hint);
  CHECK(out[1].hint);
}

TEST_CASE("HE-44: thousands of addresses, many of them the same, are ordered without getting lost") {
  candidates answer;
  for (unsigned i = 0; i < 4'000; ++i) answer.push_back(v4(i % 500));
  test_random random(3);
  auto out = core::order(std::move(answer), {policy::random}, random);
  REQUIRE(out.size() == 500);
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.endpoint < b.endpoint; });
  for (unsigned i = 0; i < 500; ++i) CHECK(out[i].endpoint == v4(i).endpoint);
}

TEST_CASE("HE-42: the families go on alternating from what a running race has started") {
  const auto group = core::group_of(v6(1));
  const candidates rest{v6(8), v6(9), v4(8), v4(9)};
  core::interleaving so_far;
  so_far.take(group, family::ipv6);
  CHECK(in_order(rest, 1, so_far) == "4.8 6.8 4.9 6.9");
  CHECK(in_order(rest, 2, so_far) == "6.8 4.8 6.9 4.9");
  so_far.take(group, family::ipv6);
  CHECK(in_order(rest, 2, so_far) == "4.8 6.8 4.9 6.9");
  so_far.take(group, family::ipv4);
  CHECK(in_order(rest, 2, so_far) == "6.8 4.8 6.9 4.9");
  CHECK(in_order(rest, 9, so_far) == "6.8 4.8 6.9 4.9");  // both families were tried: the first count is over
}

TEST_CASE("HE-42: what was started in another priority does not count") {
  core::interleaving so_far;
  so_far.take(core::group_of(v6(1)), family::ipv6);
  CHECK(in_order({with_priority(v4(8), 1), with_priority(v6(8), 1)}, 1, so_far) == "6.8 4.8");
}

TEST_CASE("HE-23: the first family count starts anew in the next priority") {
  core::interleaving so_far;
  const auto next = core::group_of(with_priority(v6(1), 1));
  so_far.take(core::group_of(v6(1)), family::ipv6);
  so_far.take(core::group_of(v4(1)), family::ipv4);
  so_far.take(next, family::ipv6);
  CHECK(in_order({with_priority(v6(8), 1), with_priority(v6(9), 1), with_priority(v4(8), 1)}, 2, so_far) ==
        "6.8 4.8 6.9");
}

TEST_CASE("HE-04: when IPv4 had to go first, IPv6 is next") {
  core::interleaving so_far;
  so_far.take(core::group_of(v4(1)), family::ipv4);
  CHECK(in_order({v4(2), v6(1), v6(2)}, 2, so_far) == "6.1 4.2 6.2");
}

TEST_CASE("SEL-06: weights 60, 30 and 10 hold within 3 points over 10,000 orders, weight 0 is rare") {
  test_random random(11);
  std::map<std::string, int> first;
  constexpr int rounds = 10'000;
  for (int i = 0; i < rounds; ++i) {
    const auto out = core::order({weighted(v4(1), 1, 60), weighted(v4(2), 2, 30), weighted(v4(3), 3, 10),
                                  weighted(v4(4), 4, 0), with_priority(weighted(v4(9), 5, 65535), 1)},
                                 {policy::random}, random);
    REQUIRE(short_name(out.back().endpoint) == "4.9");  // weights do not cross priorities
    ++first[short_name(out.front().endpoint)];
  }
  const auto percent = [&](const std::string& name) { return first[name] * 100.0 / rounds; };
  CHECK(std::abs(percent("4.1") - 60) < 3);
  CHECK(std::abs(percent("4.2") - 30) < 3);
  CHECK(std::abs(percent("4.3") - 10) < 3);
  CHECK(percent("4.4") < 0.5);
  CHECK(first["4.9"] == 0);
}

TEST_CASE("SEL-06: what is left after a record is drawn is drawn by weight too") {
  test_random random(12);
  int second = 0;
  for (int i = 0; i < 10'000; ++i) {
    const auto out = core::order({weighted(v4(1), 1, 65535), weighted(v4(2), 2, 3), weighted(v4(3), 3, 1)},
                                 {policy::random}, random);
    second += short_name(out[1].endpoint) == "4.2" ? 1 : 0;
  }
  CHECK(std::abs(second / 100.0 - 75) < 3);
}

TEST_CASE("SEL-06: weights that are all 0 are equals") {
  test_random random(13);
  int first = 0;
  for (int i = 0; i < 10'000; ++i) {
    const auto out = core::order({weighted(v4(1), 1, 0), weighted(v4(2), 2, 0)}, {policy::random}, random);
    first += short_name(out[0].endpoint) == "4.1" ? 1 : 0;
  }
  CHECK(std::abs(first / 100.0 - 50) < 3);
}

TEST_CASE("SEL-06: a record's weight is for all of its addresses, of either family") {
  test_random random(14);
  int second_record = 0;
  for (int i = 0; i < 10'000; ++i) {
    const auto out = core::order({weighted(v6(1), 1, 1), weighted(v6(2), 1, 1), weighted(v4(1), 1, 1),
                                  weighted(v4(2), 1, 1), weighted(v4(9), 2, 1)},
                                 {policy::random}, random);
    const bool first = short_name(out[0].endpoint) == "4.9";
    REQUIRE((first || short_name(out[4].endpoint) == "4.9"));  // the addresses of a record stay together
    second_record += first ? 1 : 0;
  }
  CHECK(std::abs(second_record / 100.0 - 50) < 3);
}

TEST_CASE("SEL-06, HE-20: families alternate inside a record and from one to the next") {
  CHECK(in_order({weighted(v6(1), 1, 5), weighted(v6(2), 1, 5), weighted(v4(1), 1, 5), weighted(v6(3), 2, 5),
                  weighted(v4(3), 2, 5)}) == "6.1 4.1 6.2 4.3 6.3");
}

TEST_CASE("SEL-06: with the policy in_order the records stay as sent, whichever host answered first") {
  CHECK(in_order({weighted(v4(3), 3, 1), weighted(v4(1), 1, 1), weighted(v4(2), 2, 60'000)}) == "4.1 4.2 4.3");
}

TEST_CASE(
    "SEL-06, HE-38: an endpoint that two records name has the better priority, with the weight that belongs to it") {
  std::vector<core::candidate> twice{with_priority(weighted(v4(1), 2, 7), 20),
                                     with_priority(weighted(v4(1), 1, 9), 10)};
  core::drop_duplicates(twice);
  REQUIRE(twice.size() == 1);
  CHECK(twice[0].priority == 10);
  CHECK(twice[0].weight == 9);
  CHECK(twice[0].from.host == 1);
}

TEST_CASE("HE-23: what DNS does not name comes after all that it can name") {
  CHECK(in_order({with_priority(v4(4), core::candidate::without_records), with_priority(v4(1), 0),
                  with_priority(v4(3), core::candidate::end_of_aliases), with_priority(v4(2), 65535)}) ==
        "4.1 4.2 4.3 4.4");
}

}  // namespace
}  // namespace lbresolve::test
