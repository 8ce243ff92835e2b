// Who stands for a name now, and how the name behaves.
#include "core/roster.hpp"

#include "support/simulated_race.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

namespace lbresolve::test {
namespace {

using namespace std::chrono_literals;
using numbers = std::vector<unsigned>;

constexpr time_point t0{std::chrono::hours{1}};

struct subject {
  core::roster_rules rules{};
  core::roster roster{};
  time_point now = t0;

  explicit subject(selection_mode mode = selection_mode::client, duration window = 5min)
      : rules{.mode = mode, .rotation_window = window} {}

  subject& pass(duration d) {
    now += d;
    return *this;
  }
  /// A fresh answer with these addresses.
  subject& answers(const numbers& members, duration ttl = 30s) {
    take(members, now, ttl);
    return *this;
  }
  void take(const numbers& members, time_point fetched, duration ttl) {
    core::membership m{.members = {}, .fetched = fetched, .ttl = ttl};
    for (const unsigned n : members) m.members.push_back({.at = v4(n).endpoint});
    roster.take(std::move(m), now, rules);
  }
  /// Who is a member besides the newest answer.
  std::string kept() const {
    std::vector<endpoint> all;
    for (const core::member& m : roster.kept(rr_type::a, now, rules)) all.push_back(m.at);
    std::sort(all.begin(), all.end());
    std::string out;
    for (const endpoint& e : all) out += (out.empty() ? "" : " ") + short_name(e);
    return out;
  }
};

/// Three of eight in turn, every 30 s: 1 2 3, 4 5 6, 7 8 1, ...
numbers shown(int turn) {
  numbers out;
  for (int i = 0; i < 3; ++i) out.push_back(static_cast<unsigned>((turn * 3 + i) % 8 + 1));
  return out;
}

TEST_CASE("SEL-02: once a server that shows three of eight in turn has shown all, all are members") {
  subject s;
  for (int turn = 0; turn < 3; ++turn) s.answers(shown(turn)).pass(30s);
  s.now -= 30s;
  CHECK(s.kept() == "4.2 4.3 4.4 4.5 4.6");
  for (int turn = 3; turn < 50; ++turn) {
    s.pass(30s).answers(shown(turn));
    CHECK(s.roster.kept(rr_type::a, s.now, s.rules).size() == 5);
  }
}

TEST_CASE("SEL-02: each stays for the rotation window since it was last seen, and not an instant longer") {
  subject s;
  s.answers({1, 2, 3}).pass(30s).answers({4, 5, 6});
  s.now = t0 + 300s - 1ns;
  CHECK(s.kept() == "4.1 4.2 4.3");
  s.now = t0 + 300s;
  CHECK(s.kept().empty());
}

TEST_CASE("SEL-02: the window is ten TTLs where that is less") {
  subject s;
  s.answers({1, 2, 3}, 5s).pass(5s).answers({4, 5, 6}, 5s);
  s.now = t0 + 50s - 1ns;
  CHECK(s.kept() == "4.1 4.2 4.3");
  s.now = t0 + 50s;
  CHECK(s.kept().empty());
}

TEST_CASE("SEL-02: with a window of zero each address counts strictly until its own TTL") {
  subject s(selection_mode::client, 0s);
  s.answers({1, 2, 3}, 30s).pass(10s).answers({4, 5, 6}, 30s);
  s.now = t0 + 30s - 1ns;
  CHECK(s.kept() == "4.1 4.2 4.3");
  s.now = t0 + 30s;
  CHECK(s.kept().empty());
}

TEST_CASE("SEL-02: the window never cuts an address's own TTL short") {
  subject s(selection_mode::client, 5min);
  s.answers({1, 2, 3}, 3600s).pass(10s).answers({4, 5, 6}, 3600s);
  s.now = t0 + 3600s - 1ns;
  CHECK(s.kept() == "4.1 4.2 4.3");
}

TEST_CASE("MEM-04: a name that does not rotate keeps what it withdrew for its TTL only") {
  subject s;
  s.answers({1, 2, 3, 4}, 30s).pass(10s).answers({1, 2, 3}, 30s);
  CHECK(s.kept() == "4.4");
  s.now = t0 + 30s;
  CHECK(s.kept().empty());
}

TEST_CASE("SEL-03: in every mode but client the newest answer is the membership") {
  for (const auto mode : {selection_mode::hybrid, selection_mode::server}) {
    subject s(mode);
    s.answers({1, 2, 3}).pass(1s).answers({3, 4, 5}).pass(1s).answers({5});
    CHECK(s.kept().empty());
  }
}

TEST_CASE("MEM-04: what another mode has seen is not brought back by mode client") {
  subject s(selection_mode::hybrid);
  s.answers({1, 2, 3}).pass(1s).answers({3, 4, 5});
  s.rules.mode = selection_mode::client;
  CHECK(s.kept().empty());
}

TEST_CASE("SEL-02: the same answer out of the cache, and an older one, change nothing") {
  subject s;
  s.answers({1, 2, 3}).pass(5s).answers({4, 5, 6});
  const time_point fetched = s.now;
  s.pass(5s).take({4, 5, 6}, fetched, 30s);
  s.take({7, 8, 9}, fetched - 1s, 30s);
  CHECK(s.kept() == "4.1 4.2 4.3");
  CHECK(s.roster.behaviour() == name_behaviour::rotating_subset);
}

TEST_CASE("SEL-02: a member that is seen again is counted from then, with its new TTL") {
  subject s(selection_mode::client, 0s);
  s.answers({1, 2}, 30s).pass(20s).answers({1, 2}, 10s).pass(5s).answers({3, 4}, 60s);
  s.now = t0 + 30s - 1ns;
  CHECK(s.kept() == "4.1 4.2");
  s.now = t0 + 30s;
  CHECK(s.kept().empty());
}

TEST_CASE("SEL-02: TTL 0 is kept for nothing") {
  subject s;
  s.answers({1, 2, 3}, 0s).answers({1}, 0s).pass(1ns).answers({4, 5, 6}, 0s).pass(1ns).answers({7, 8, 9}, 0s);
  CHECK(s.kept().empty());
}

TEST_CASE("MEM-04: the longest TTL and window that there are stay within the clock") {
  subject s(selection_mode::client, duration::max());
  constexpr duration longest = std::chrono::seconds{2'147'483'647};
  s.answers({1, 2}, longest).pass(1s).answers({3, 4}, longest);
  CHECK(s.kept() == "4.1 4.2");
  s.now = time_point::max();
  s.kept();
}

TEST_CASE("MEM-04: however many a server shows, what is kept is bounded") {
  subject s;
  for (unsigned i = 0; i < 200; ++i) {
    numbers members;
    for (unsigned k = 0; k < 100; ++k) members.push_back(i * 100 + k);
    s.answers(members, 3600s).pass(1s);
  }
  const auto kept = s.roster.kept(rr_type::a, s.now, s.rules);
  CHECK(kept.size() <= 1'024);
  CHECK(kept.size() > 900);
  numbers again;
  for (unsigned k = 0; k < 100; ++k) again.push_back(30'000 + k);
  s.answers(again, 3600s).pass(1s).answers({1}, 3600s);
  const auto newer = s.roster.kept(rr_type::a, s.now, s.rules);
  const auto seen = std::count_if(newer.begin(), newer.end(), [&](const core::member& m) {
    return std::any_of(again.begin(), again.end(), [&](unsigned n) { return v4(n).endpoint == m.at; });
  });
  CHECK(seen == 100);  // the oldest go, not the newest
}

// ---- learned weights

std::vector<double> frequencies(const subject& s, const numbers& members) {
  std::vector<endpoint> all;
  for (const unsigned n : members) all.push_back(v4(n).endpoint);
  return s.roster.frequencies(rr_type::a, all);
}

TEST_CASE("SEL-02: how often a member is in the answers is counted where that is asked for, and only in mode client") {
  for (const bool asked : {true, false}) {
    for (const auto mode : {selection_mode::client, selection_mode::hybrid}) {
      subject s(mode);
      s.rules.learn_weights = asked;
      for (int i = 0; i < 30; ++i) s.answers({i % 5 == 0 ? 2U : 1U}).pass(30s);
      const auto learned = frequencies(s, {1, 2});
      REQUIRE(learned.empty() == !(asked && mode == selection_mode::client));
      if (!learned.empty()) CHECK(learned[0] > 2 * learned[1]);
    }
  }
}

TEST_CASE("SEL-02: where the same answer comes again, and where its order rotates, nothing is learned") {
  subject s;
  s.rules.learn_weights = true;
  for (int i = 0; i < 5; ++i) s.answers({1, 2, 3}).pass(30s).answers({2, 3, 1}).pass(30s);
  CHECK(frequencies(s, {1, 2, 3}).empty());
}

TEST_CASE("SEL-02: an answer out of the cache is not counted again") {
  subject once, often;
  for (subject* s : {&once, &often}) {
    s->rules.learn_weights = true;
    s->answers({1}).pass(30s).answers({2}).pass(30s).answers({1});
  }
  for (int i = 0; i < 50; ++i) often.take({1}, often.now, 30s);
  CHECK(frequencies(once, {1, 2}) == frequencies(often, {1, 2}));
}

// ---- behaviour

name_behaviour after(const std::vector<numbers>& answers) {
  subject s;
  for (const numbers& a : answers) s.answers(a).pass(30s);
  return s.roster.behaviour();
}

TEST_CASE("SEL-02: how a name behaves is seen from its answers") {
  using b = name_behaviour;
  CHECK(after({}) == b::unknown);
  CHECK(after({{1}}) == b::single);
  CHECK(after({{1}, {1}, {1}}) == b::single);
  CHECK(after({{1}, {2}, {1}}) == b::rotating_single);
  CHECK(after({{1, 2, 3}}) == b::full_set);
  CHECK(after({{1, 2, 3}, {1, 2, 3}}) == b::full_set);
  CHECK(after({{1, 2, 3}, {2, 3, 1}}) == b::rotated_order);
  CHECK(after({{1, 2, 3}, {4, 5, 6}}) == b::rotating_subset);
  CHECK(after({{1, 2, 3}, {3, 4, 5}}) == b::rotating_subset);
}

TEST_CASE("SEL-03: fewer addresses than before is filtering, not rotation") {
  CHECK(after({{1, 2, 3, 4}, {1, 2, 3}}) == name_behaviour::filtered);
  CHECK(after({{1, 2, 3}, {1, 2, 3, 4}}) == name_behaviour::filtered);
  CHECK(after({{1, 2}, {1}}) == name_behaviour::filtered);
  CHECK(after({{1}, {1, 2}}) == name_behaviour::filtered);
  CHECK(after({{1, 2, 3}, {2, 1, 3}, {1, 3}}) == name_behaviour::filtered);
}

}  // namespace
}  // namespace lbresolve::test
