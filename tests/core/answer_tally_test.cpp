// How often each address is in a name's answers.
#include "core/answer_tally.hpp"

#include "support/simulated_race.hpp"
#include "support/test_random.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <vector>

namespace lbresolve::test {
namespace {

using namespace std::chrono_literals;
using numbers = std::vector<unsigned>;

/// A tally of answers that come every 30 s and live for 30 s, unless said otherwise.
struct subject {
  core::answer_tally tally{};
  time_point now{std::chrono::hours{1}};

  static std::vector<endpoint> sorted(const numbers& members) {
    std::vector<endpoint> out;
    for (const unsigned n : members) out.push_back(v4(n).endpoint);
    std::sort(out.begin(), out.end());
    return out;
  }
  subject& answers(const numbers& members, duration ttl = 30s, duration pass = 30s) {
    tally.count(sorted(members), now, ttl);
    now += pass;
    return *this;
  }
  subject& repeats(int times, const numbers& members) {
    for (int i = 0; i < times; ++i) answers(members);
    return *this;
  }
  double frequency(unsigned n, const numbers& members = {1, 2, 3}) const {
    const auto all = sorted(members);
    const auto at = std::find(all.begin(), all.end(), v4(n).endpoint);
    return tally.frequencies(all).at(static_cast<std::size_t>(at - all.begin()));
  }
};

/// One of three, by weights 60, 30 and 10.
unsigned drawn(core::random_source& random) {
  const auto draw = random.below(100);
  return draw < 60 ? 1 : draw < 90 ? 2 : 3;
}

TEST_CASE("SEL-02: weights that a server shows in how often it answers with each address are learned") {
  double off = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    test_random random(seed);
    subject s;
    for (int i = 0; i < 400; ++i) s.answers({drawn(random)});
    // Of 200 answers, as many as say something, three standard deviations are 10 points at 60 %.
    CHECK(std::abs(s.frequency(1) - 0.6) < 0.12);
    CHECK(std::abs(s.frequency(2) - 0.3) < 0.12);
    CHECK(std::abs(s.frequency(3) - 0.1) < 0.09);
    off += s.frequency(1) - 0.6;
  }
  CHECK(std::abs(off / 20) < 0.03);  // and to neither side
}

TEST_CASE("SEL-02: a few answers do not swing the weights") {
  subject s;
  s.answers({1});
  CHECK(s.frequency(1) == doctest::Approx(1.0 / 3));
  CHECK(s.frequency(2) == doctest::Approx(1.0 / 3));
  s.answers({1}).answers({1});
  CHECK(s.frequency(1) == doctest::Approx(3.0 / 5).epsilon(0.01));  // (2 + 1) / (2 + 3)
  CHECK(s.frequency(2) == doctest::Approx(1.0 / 3));
}

TEST_CASE("SEL-02: who is in every answer has the weight of every other") {
  subject s;
  s.answers({1, 2, 3}).answers({3, 1, 2}).answers({2, 3, 1});
  for (const unsigned n : {1U, 2U, 3U}) CHECK(s.frequency(n) == doctest::Approx(1));
}

TEST_CASE("SEL-02: what a server shows in turn has about equal weights") {
  subject s;
  for (unsigned turn = 0; turn < 200; ++turn) {
    numbers shown;
    for (unsigned i = 0; i < 3; ++i) shown.push_back((turn * 3 + i) % 8 + 1);
    s.answers(shown);
  }
  for (unsigned n = 1; n <= 8; ++n)
    CHECK(s.frequency(n, {1, 2, 3, 4, 5, 6, 7, 8}) == doctest::Approx(0.375).epsilon(0.05));
}

TEST_CASE("SEL-02: a new address among many that are known gets its share at once") {
  test_random random;
  subject s;
  for (int i = 0; i < 300; ++i) s.answers({static_cast<unsigned>(random.below(3)) + 1});
  s.answers({4});
  CHECK(s.frequency(4, {1, 2, 3, 4}) == doctest::Approx(0.25).epsilon(0.01));
}

TEST_CASE("SEL-02: weights that the operator has changed are followed") {
  subject s;
  for (int i = 0; i < 300; ++i) s.answers({i % 10 == 0 ? 2U : 1U});
  for (int i = 0; i < 200; ++i) s.answers({i % 10 == 0 ? 1U : 2U});
  CHECK(s.frequency(1, {1, 2}) < 0.25);
  CHECK(s.frequency(2, {1, 2}) > 0.75);
}

TEST_CASE("SEL-02: an address that is away for a hundred answers is forgotten, and is one of equals when it is back") {
  subject s;
  s.repeats(50, {1}).repeats(1, {2}).repeats(99, {1});
  CHECK(s.tally.size() == 2);
  CHECK(s.frequency(2, {1, 2}) < 0.05);
  s.repeats(1, {1});
  CHECK(s.tally.size() == 1);
  CHECK(s.answers({2}).frequency(2, {1, 2}) == doctest::Approx(0.5));
}

TEST_CASE("SEL-02: an answer that a recursive server has in its cache counts once") {
  subject s;
  s.answers({1}, 30s, 10s).answers({1}, 20s, 10s).answers({1}, 10s, 10s).answers({2}, 30s, 29s).answers({2}, 1s, 1s);
  // Only the second and later ones of each address count for it: of two answers, {1} and {2}, none was one.
  CHECK(s.frequency(2) == doctest::Approx(1.0 / 3));
  CHECK(s.frequency(1) < 0.3);
  CHECK(s.answers({2}).frequency(2) == doctest::Approx(0.5).epsilon(0.01));
}

TEST_CASE("SEL-02: answers that nobody may keep all count") {
  subject s;
  for (int i = 0; i < 100; ++i) s.answers({i % 10 == 0 ? 2U : 1U}, 0s, 1ms);
  CHECK(s.frequency(1, {1, 2}) > 0.8);
}

TEST_CASE("SEL-02: where answers are asked for more than once a second, those that count are no chosen ones") {
  test_random random;
  subject s;
  for (int i = 0; i < 20'000; ++i) s.answers({drawn(random)}, 1s, 10ms);
  CHECK(std::abs(s.frequency(1) - 0.6) < 0.15);
}

TEST_CASE("SEL-02: a TTL that has become shorter is no sign of age for ever") {
  subject s;
  s.answers({1}, 300s, 300s).answers({1}, 300s, 300s);
  for (int i = 0; i < 200; ++i) s.answers({2}, 5s, 5s);
  CHECK(s.frequency(2, {1, 2}) > 0.9);
}

TEST_CASE("SEL-02: however many a server shows, what is counted is bounded") {
  subject s;
  for (unsigned i = 0; i < 50; ++i) {
    numbers members;
    for (unsigned k = 0; k < 100; ++k) members.push_back(i * 100 + k);
    s.answers(members);
  }
  CHECK(s.tally.size() == core::answer_tally::most);
  CHECK(s.answers({4'950}).frequency(4'950, {4'950, 1}) > 0.5);  // the oldest went
}

TEST_CASE("SEL-02: an address named twice in an answer is in it once") {
  subject s;
  for (int i = 0; i < 50; ++i) s.answers({1, 1}).answers({2});
  CHECK(s.frequency(1, {1, 2}) == doctest::Approx(0.5).epsilon(0.05));
  CHECK(s.tally.frequencies({}).empty());
  CHECK(core::answer_tally().frequencies(subject::sorted({1})) == std::vector<double>{1.0});
}

}  // namespace
}  // namespace lbresolve::test
