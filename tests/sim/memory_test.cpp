// The health memory at work: fleets of clients over the real cores, in virtual time.
#include "sim/fleet/testing.hpp"

#include <algorithm>

namespace lbresolve::fleet {
namespace {

using namespace std::chrono_literals;

TEST_CASE(
    "MEM-01: an address dies inside TTL 300: one connect of each client waits on it, none after until it is back") {
  for (const auto seed : seeds) {
    CAPTURE(seed);
    // Evenly spaced, a second apart: no connect begins while another one waits.
    auto setup = find_scenario("outage")->setup({});
    setup.regular = true;
    const auto r = run(setup, "balanced", {}, seed);
    CHECK(r.failed == 0);
    CHECK(r.most_hits <= 1);
    CHECK(r.outages_seen >= 95);  // of 100 clients: nobody stayed away from it by luck
    // 100 ms of delay where the RTT is known to be 20 ms, and the time of another connect.
    CHECK(r.total_time.quantile(1) <= 350ms);
  }
}

TEST_CASE("MEM-01: of many connects at once, only those that began within the first attempt delay wait") {
  auto setup = find_scenario("outage")->setup(with({{"clients", 1}, {"rate", 500}, {"length_s", 125}}));
  const auto r = run(setup, "balanced");
  CHECK(r.hits <= 25);
  CHECK(r.late_hits <= 1);
}

TEST_CASE("MEM-02: it comes back: found within 60 s, and 15 s later it has its full share") {
  for (const auto seed : seeds) {
    CAPTURE(seed);
    const auto r = run("revival", "balanced", with({{"clients", 200}}), seed);
    CHECK(r.share(0, 90s + 75s, 200s) >= 0.9 / 8);
    CHECK(r.share(0, 40s, 90s) == 0);
  }
}

TEST_CASE("MEM-05: 0.5 % of SYNs lost, 50 connects/s, an hour: at most 0.1 false ejections an address") {
  const auto r = run("loss", "balanced");
  CHECK(r.connects > 175'000);
  CHECK(r.second_tries > 500);  // packets were lost
  std::uint64_t ejections = 0;
  for (const auto& s : r.servers) ejections += s.false_ejections;
  CHECK(static_cast<double>(ejections) <= 0.1 * 8);
  CHECK(r.max_to_mean() <= 1.05);
}

TEST_CASE("MEM-06: all fail at once: nobody is ejected, and all serve again as soon as the network is back") {
  for (const auto seed : seeds) {
    CAPTURE(seed);
    const auto p = with({{"dead", 8}, {"down_s", 30}, {"length_s", 180}});
    const auto r = run("correlated", "balanced", p, seed);
    std::uint64_t ejections = 0;
    for (const auto& s : r.servers) ejections += s.ejections;
    CHECK(ejections == 0);
    CHECK(r.max_to_min() <= 1.3);
    CHECK(wins_between(r, 0, 91s, 120s) > 0);
  }
}

TEST_CASE("MEM-07: of five dead among eight at most four are ejected, and the living serve") {
  auto setup = find_scenario("correlated")->setup(with({{"clients", 20}, {"rate", 5}, {"length_s", 120}}));
  setup.seed = 1;
  fleet f(setup, find_competitor("balanced")->make({}));
  const auto r = f.run();
  CHECK(r.failed == 0);
  int most = 0;
  for (std::size_t i = 0; i < setup.clients; ++i) {
    int out = 0;
    for (server_id s = 0; s < 8; ++s) out += f.chooser_of(i).is_ejected(s, beginning + 119s) ? 1 : 0;
    most = std::max(most, out);
  }
  CHECK(most == 4);
}

TEST_CASE("MEM-11: probes are at most 1 % of connects and one a second, and none are made for idle names") {
  for (const double rate : {0.2, 2.0, 50.0}) {
    CAPTURE(rate);
    const auto p = with({{"clients", 4}, {"rate", rate}, {"length_s", 200}, {"addresses", 32}, {"dead", 16}});
    const auto r = run("correlated", "balanced", p);
    CHECK(r.probes > 100);
    CHECK(static_cast<double>(r.probes) <= 0.01 * static_cast<double>(r.connects) + 4 * (200 + 2));
  }
  // 50 clients make 4,000 connects, the last ones during the outage, and then no more: an hour later there are no more
  // probes than two minutes later.
  const auto probes_by = [](double seconds) {
    auto setup = find_scenario("correlated")->setup(with({{"clients", 50}, {"length_s", seconds}, {"down_s", 3600}}));
    setup.most_connects = 4'000;
    return run(setup, "balanced").probes;
  };
  const auto soon = probes_by(180);
  CHECK(soon > 50);
  CHECK(probes_by(3600) == soon);
}

TEST_CASE("MEM-14: 1,000 clients return to a revived host over at least its ramp") {
  const auto r = run("revival", "balanced", with({{"rate", 0.5}}));
  // Its full share is 62 connects/s. Half of it is not reached within the ramp of 10 s, and no second brings a rush.
  CHECK(r.share(0, 90s, 100s) < 0.5 / 8);
  std::uint64_t most = 0;
  for (auto t = 90s; t < 180s; t += 1s) most = std::max(most, wins_between(r, 0, t, t + 1s));
  CHECK(most < 100);
  CHECK(r.share(0, 170s, 200s) >= 0.9 / 8);
  // Nor when all find out within two seconds, as ejections last for one at most: then it is the ramp that spreads them.
  const auto at_once = run("revival", "balanced", with({{"rate", 0.5}, {"length_s", 100}, {"eject_most", 1}}));
  CHECK(at_once.share(0, 90s, 95s) < 0.04);
}

TEST_CASE("MEM-01: an outage is seen by at most one connect of each client") {
  for (const auto seed : seeds) {
    CAPTURE(seed);
    const auto r = run("outage", "balanced", {}, seed);
    CHECK(r.late_hits == 0);
    CHECK(r.hits <= r.outages_seen * 11 / 10);
    CHECK(run("outage", "round_robin", {}, seed).hits > 5 * r.hits);
  }
}

}  // namespace
}  // namespace lbresolve::fleet
