// The policy `balanced` at work: fleets of clients over the real cores, in virtual time.
#include "sim/fleet/testing.hpp"

namespace lbresolve::fleet {
namespace {

using namespace std::chrono_literals;

TEST_CASE("SEL-09: eight equal endpoints share 20,000 connects with at most 15 % between the most and the least") {
  for (const auto seed : seeds) {
    CAPTURE(seed);
    // One client alone, and twenty that do not know of one another.
    CHECK(run("equal", "balanced", with({{"clients", 1}, {"rate", 200}}), seed).max_to_min() <= 1.15);
    CHECK(run("equal", "balanced", {}, seed).max_to_min() <= 1.15);
  }
}

TEST_CASE("SEL-10: at 1 connect/s, one of eight that is 80 ms farther gets at most 3 % of 10,000") {
  for (const auto seed : seeds) {
    CAPTURE(seed);
    const auto r = run("one_far", "balanced", with({{"clients", 1}, {"length_s", 10'016}}), seed);
    CHECK(r.connects > 9'700);
    CHECK(r.share(0) <= 0.03);
  }
}

TEST_CASE("SEL-10: one at 5 ms and seven at 80: the near one gets at least 80 % after 16 connects") {
  for (const auto seed : seeds) {
    CAPTURE(seed);
    CHECK(run("one_near", "balanced", with({{"length_s", 116}}), seed).share(0) >= 0.8);
  }
}

TEST_CASE("SEL-11: 200 clients do not herd on the one of eight that is 1 ms faster, at 2 and at 20 ms") {
  for (const auto seed : seeds) {
    CAPTURE(seed);
    for (const double rtt : {2.0, 20.0}) {
      CAPTURE(rtt);
      auto setup = find_scenario("one_faster")->setup(with({{"rtt_ms", rtt}}));
      setup.step = 10s;
      const auto r = run(setup, "balanced", {}, seed);
      CHECK(r.connects > 19'000);
      CHECK(r.max_to_mean() <= 1.1);
      // Nor by turns: 2,000 connects in 10 s, 250 to each.
      CHECK(r.worst_step(10s, 100s) <= 1.35);
    }
  }
}

TEST_CASE("SEL-11: on a LAN, where times are uneven by nature, nobody herds either") {
  CHECK(run("lan", "balanced").max_to_mean() <= 1.1);
}

TEST_CASE("SEL-12: a host that refuses in 0.1 ms gains no share, whoever is asked for it") {
  for (const auto seed : seeds) {
    CAPTURE(seed);
    const auto r = run("refusal", "balanced", {}, seed);
    // It refuses for a minute: each client tries it once, not again before it is back.
    CHECK(r.most_hits <= 2);
    CHECK(r.late_hits <= 2);
    CHECK(r.failed == 0);
    CHECK(r.share(0, 60s, 120s) == 0);
    CHECK(r.share(0, 0s, 60s) < 0.15);
  }
}

TEST_CASE("SEL-12: one that refuses two connects of three has less than its share") {
  auto setup = find_scenario("equal")->setup({});
  for (auto t = beginning; t < beginning + 100s; t += 3s) {
    setup.servers[0].troubles.push_back({t, t + 2s, trouble::kind::refuses});
  }
  const auto r = run(setup, "balanced");
  CHECK(r.share(0) < 0.125 / 3);
}

TEST_CASE("SEL-14: the far region serves 2 % while the near one is well, all when it is dead, and hands back") {
  for (const auto seed : seeds) {
    CAPTURE(seed);
    const auto r = run("regions", "balanced", with({{"length_s", 320}}), seed);
    const auto near = [&](duration from, duration to) {
      double sum = 0;
      for (server_id s = 0; s < 4; ++s) sum += r.share(s, from, to);
      return sum;
    };
    CHECK(near(20s, 120s) >= 0.98);
    CHECK(near(121s, 180s) == 0);
    CHECK(r.failed == 0);
    // One connect of each client sees that they are dead, four addresses of them: 4 attempt delays.
    CHECK(r.total_time.quantile(0.999) <= 1'200ms);
    // Back at 180 s: half-open within 60 s, full share 15 s later.
    CHECK(near(255s, 320s) >= 0.98);
  }
}

TEST_CASE("SEL-15: a near host that saturates sheds load where latency is reported, and does not where it is not") {
  // It can serve 200 requests/s of the 500 that come.
  const auto told = run("saturation", "balanced", with({{"rate", 10}, {"workers", 4}, {"length_s", 70}}));
  CHECK(told.share(0) < 0.45);
  CHECK(told.total_time.quantile(0.99) < 300ms);
  const auto silent =
      run("saturation", "balanced", with({{"rate", 10}, {"workers", 4}, {"length_s", 70}, {"feedback", 0}}));
  CHECK(silent.share(0) > 0.9);
  CHECK(silent.total_time.quantile(0.5) > 1s);
}

TEST_CASE("SEL-15: one of 11 hosts answers after 2 s for 30 s, 1,000 requests/s: 99.9 % are answered within a second") {
  const double balanced = run("slow_requests", "balanced").success_within_second();
  CHECK(balanced >= 0.999);
  CHECK(run("slow_requests", "round_robin").success_within_second() < 0.95);
  CHECK(balanced >= run("slow_requests", "peak_ewma").success_within_second() - 0.0005);
}

TEST_CASE("SEL-10: one of 11 hosts connects after 2 s for 30 s: 99.9 % connect within a second, few by a second try") {
  const auto balanced = run("slow_connects", "balanced");
  CHECK(balanced.success_within_second() >= 0.999);
  CHECK(balanced.total_time.quantile(0.999) < 100ms);
  CHECK(balanced.second_tries < run("slow_connects", "round_robin").second_tries / 20);
}

}  // namespace
}  // namespace lbresolve::fleet
