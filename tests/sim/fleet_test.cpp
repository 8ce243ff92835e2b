// The fleet simulator itself: what its servers, DNS and competitors do must be right before anything is read from it.
#include "sim/fleet/dns_model.hpp"
#include "sim/fleet/testing.hpp"
#include "support/test_random.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <set>
#include <string>
#include <vector>

namespace lbresolve::fleet {
namespace {

using namespace std::chrono_literals;
using test::test_random;

server_model server(std::vector<trouble> troubles, double loss = 0) {
  server_setup s;
  s.jitter = 0;
  s.loss = loss;
  s.troubles = std::move(troubles);
  return server_model(s);
}

TEST_CASE("fleet: a SYN that is lost is sent again after 1, 3 and 7 s") {
  test_random random;
  const auto t = beginning;
  CHECK(server({}).connect(0, t, random).at == t + 20ms);
  CHECK(server({{t, t + 500ms}}).connect(0, t, random).at == t + 1020ms);
  CHECK(server({{t, t + 2s}}).connect(0, t, random).at == t + 3020ms);
  CHECK(server({{t, t + 5s}}).connect(0, t, random).at == t + 7020ms);
  CHECK(server({{t, t + 1min}}).connect(0, t, random).at == core::never);
  CHECK_FALSE(server({{t, t + 1min}}).connect(0, t, random).connected);
  const auto refused = server({{t, t + 1min, trouble::kind::refuses}}).connect(0, t, random);
  CHECK_FALSE(refused.connected);
  CHECK(refused.at == t + 100us);
  CHECK(server({{t, t + 1min, trouble::kind::slow, 2s}}).connect(0, t, random).at == t + 2020ms);
}

TEST_CASE("fleet: as many SYNs are lost as is said") {
  test_random random;
  int late = 0;
  for (int i = 0; i < 10'000; ++i) late += server({}, 0.1).connect(0, beginning, random).at > beginning + 1s ? 1 : 0;
  CHECK(late > 900);
  CHECK(late < 1'100);
}

TEST_CASE("fleet: requests wait for a free worker") {
  test_random random;
  server_setup s;
  s.workers = 2;
  s.troubles = {{beginning, core::never, trouble::kind::busy, 100ms}};
  server_model m(s);
  const auto t = beginning;
  CHECK(m.serve(t, random) == t + 100ms);
  CHECK(m.serve(t, random) == t + 100ms);
  CHECK(m.serve(t, random) == t + 200ms);
  CHECK(m.serve(t + 1s, random) == t + 1100ms);
}

TEST_CASE("fleet: DNS rotates, gives parts, keeps answers for the TTL, and leaves dead servers out with a lag") {
  test_random random;
  std::vector<server_model> servers;
  for (int i = 0; i < 4; ++i) servers.push_back(server({}));
  dns_setup setup;
  setup.ttl = 10s;
  dns_model dns(setup);
  const auto t = beginning;
  CHECK(dns.ask(0, servers, t, random).addresses == std::vector<server_id>{0, 1, 2, 3});
  CHECK(dns.ask(1, servers, t + 9s, random).addresses == std::vector<server_id>{0, 1, 2, 3});
  CHECK(dns.ask(0, servers, t + 10s, random).addresses == std::vector<server_id>{1, 2, 3, 0});
  setup.subset = 3;
  setup.ttl = 0s;
  dns_model parts(setup);
  std::set<server_id> seen;
  for (int i = 0; i < 4; ++i) {
    const auto& answer = parts.ask(0, servers, t, random).addresses;
    CHECK(answer.size() == 3);
    seen.insert(answer.begin(), answer.end());
  }
  CHECK(seen.size() == 4);
  servers[2] = server({{t + 60s, t + 120s}});
  setup = {.ttl = 0s, .filters = true, .lag = 20s};
  dns_model filtering(setup);
  CHECK(filtering.ask(0, servers, t + 79s, random).addresses.size() == 4);
  CHECK(filtering.ask(0, servers, t + 80s, random).addresses.size() == 3);
  CHECK(filtering.ask(0, servers, t + 140s, random).addresses.size() == 4);
}

TEST_CASE("fleet: the same seed gives the same run, another seed another") {
  const auto a = run("outage", "balanced"), b = run("outage", "balanced"), c = run("outage", "balanced", {}, 2);
  CHECK(a.wins == b.wins);
  CHECK(a.probes == b.probes);
  CHECK(a.total_time.quantile(0.999) == b.total_time.quantile(0.999));
  CHECK(a.wins != c.wins);
}

TEST_CASE("fleet: quantiles are within 4 %") {
  histogram h;
  for (int i = 1; i <= 10'000; ++i) h.add(std::chrono::microseconds{i});
  for (const double q : {0.01, 0.5, 0.99, 0.999}) {
    const double off = static_cast<double>(h.quantile(q).count()) / (q * 1e7);
    CHECK(off > 0.999);
    CHECK(off < 1.04);
  }
}

TEST_CASE("fleet: round robin is even, getaddrinfo's order is not, and without a race a dead first address stops it") {
  CHECK(run("equal", "round_robin").max_to_min() < 1.02);
  CHECK(run("equal", "glibc").share(0) == 1);
  const auto dead = run("outage", "glibc");
  CHECK(dead.failed > 4'000);
  CHECK(run("outage", "in_order").failed == 0);
}

TEST_CASE("fleet: fastest herds, and peak EWMA takes a host that refuses at once for a fast one") {
  CHECK(run("one_faster", "fastest").max_to_mean() > 3);
  // Two choices give one of eight at most a quarter: of the 6,000 connects in that minute, 1,500.
  CHECK(run("refusal", "peak_ewma").late_hits > 1'200);
  CHECK(run("refusal", "round_robin").late_hits < 750);
}

TEST_CASE("fleet: peak EWMA leaves a slow host, and five failures in a row eject a dead one") {
  CHECK(run("slow_requests", "peak_ewma").success_within_second() > 0.995);
  CHECK(run("slow_requests", "round_robin").success_within_second() < 0.95);
  const auto dead = run("outage", "k_failures");
  CHECK(dead.servers[0].ejections >= 100);
  CHECK(dead.late_hits < run("outage", "round_robin").late_hits);
}

TEST_CASE("fleet: where no request is reported, none is known") {
  CHECK(run("slow_requests", "peak_ewma", with({{"feedback", 0}})).success_within_second() < 0.95);
}

}  // namespace
}  // namespace lbresolve::fleet
