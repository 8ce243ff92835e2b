// Weights that show in the answers only: a server that draws each answer by weight, whole connects in virtual time.
#include "support/simulated_world.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

namespace lbresolve::test {
namespace {

using core::rr_type;

constexpr int heavy = 60, middle = 30, light = 10;

/// A name of three addresses, each answer one of them, as PowerDNS's pickwrandom draws it.
struct drawn_name {
  simulated_world w;
  test_random draws;
  std::vector<std::uint64_t> ids;

  drawn_name(std::uint64_t seed, bool learning, policy chosen, bool near_light = false)
      : w(1, seed), draws(seed + 100) {
    w.chosen.selection = {.mode = selection_mode::client, .policy = chosen, .learn_weights = learning};
    w.chosen.cache.prefetch = false;
    w.server(0, [this](const sent_query& q) -> std::vector<scripted_reply> {
      if (q.asked.type != rr_type::a) return {{5ms, make_reply(q, {}, 60, 0, false, 3600)}};
      const auto draw = static_cast<int>(draws.below(100));
      const int n = draw < heavy ? 1 : draw < heavy + middle ? 2 : 3;
      return {{5ms, make_reply(q, {"192.0.2." + std::to_string(n)}, 10)}};
    });
    for (int n = 1; n <= 3; ++n)
      w.endpoint_is("192.0.2." + std::to_string(n) + ":443", connects(near_light && n == 3 ? 5ms : 80ms));
  }
  void run(duration until) {
    for (duration at{}; at < until; at += 500ms) w.at(at, [this] { ids.push_back(w.connect("a.test:443")); });
    w.run(until + 10s);
  }
  /// Of the connects from then on, the share of each address in percent.
  std::map<int, double> shares(duration from) {
    std::map<int, double> out;
    double all = 0;
    for (const auto id : ids) {
      const auto& o = w.outcome(id);
      if (!o.connected || o.at < from) continue;
      ++out[o.peer.address.bytes()[3]];
      ++all;
    }
    for (auto& [n, count] : out) count *= 100 / all;
    return out;
  }
};

TEST_CASE(
    "SEL-02: shares of connects follow the weights that pickwrandom shows in its answers, where they are learned") {
  for (const policy chosen : {policy::balanced, policy::random}) {
    std::map<int, double> mean;
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      CAPTURE(seed);
      drawn_name name(seed, true, chosen);
      name.run(6'000s);  // 600 answers
      const auto shares = name.shares(1'000s);
      CHECK(std::abs(shares.at(1) - heavy) < 8);
      CHECK(std::abs(shares.at(2) - middle) < 8);
      CHECK(std::abs(shares.at(3) - light) < 8);
      for (const auto& [n, share] : shares) mean[n] += share / 3;
    }
    CHECK(std::abs(mean[1] - heavy) < 5);
    CHECK(std::abs(mean[2] - middle) < 5);
    CHECK(std::abs(mean[3] - light) < 5);
  }
}

TEST_CASE("SEL-02: without learning, all that count share alike") {
  drawn_name name(1, false, policy::balanced);
  name.run(3'000s);
  const auto shares = name.shares(500s);
  CHECK(shares.at(1) < 50);
  CHECK(shares.at(3) > 18);  // it counts for ten answers, since it was last seen
}

TEST_CASE("SEL-11: a learned weight decides among equals only: what is clearly nearer wins") {
  drawn_name name(1, true, policy::balanced, true);
  name.run(3'000s);
  CHECK(name.shares(500s).at(3) > 50);  // whenever it counts
}

}  // namespace
}  // namespace lbresolve::test
