#include "sim/fleet/scenarios.hpp"

#include "sim/fleet/draws.hpp"

#include <algorithm>
#include <array>

namespace lbresolve::fleet {

using namespace std::chrono_literals;

namespace {

time_point at(duration since) { return beginning + since; }

/// What most scenarios have in common: `addresses` equal servers, `clients` that connect `rate` times a second.
fleet_setup usual(const parameters& p, std::size_t addresses, std::size_t clients, double rate, double length,
                  double rtt_ms = 20) {
  fleet_setup s;
  s.servers.resize(p.count("addresses", addresses));
  for (auto& server : s.servers) {
    server.rtt = {p.milliseconds("rtt_ms", rtt_ms)};
    server.jitter = p.get("jitter", 0.05);
    server.loss = p.get("loss", 0);
  }
  s.clients = p.count("clients", clients);
  s.connects_per_second = p.get("rate", rate);
  s.length = p.seconds("length_s", length);
  s.warm_up = p.seconds("warm_up_s", 0);
  s.dns.ttl = p.seconds("ttl_s", 300);
  s.dns.resolvers = p.count("resolvers", 10);
  return s;
}

fleet_setup equal(const parameters& p) { return usual(p, 8, 20, 10, 100); }

fleet_setup one_faster(const parameters& p) {
  auto s = usual(p, 8, 200, 1, 100);
  s.servers[0].rtt = {s.servers[0].rtt[0] - p.milliseconds("faster_ms", 1)};
  return s;
}

fleet_setup one_near(const parameters& p) {
  auto s = usual(p, 8, 20, 1, 500, 80);
  s.servers[0].rtt = {p.milliseconds("near_ms", 5)};
  s.warm_up = p.seconds("warm_up_s", 16);
  return s;
}

fleet_setup one_far(const parameters& p) {
  auto s = usual(p, 8, 20, 1, 500);
  s.servers[0].rtt = {s.servers[0].rtt[0] + p.milliseconds("farther_ms", 80)};
  s.warm_up = p.seconds("warm_up_s", 16);
  return s;
}

fleet_setup outage(const parameters& p) {
  auto s = usual(p, 8, 100, 1, 300);
  s.servers[0].troubles = {{at(60s), at(60s + p.seconds("down_s", 60)), trouble::kind::mute}};
  return s;
}

fleet_setup refusal(const parameters& p) {
  auto s = usual(p, 8, 100, 1, 300);
  s.servers[0].troubles = {{at(60s), at(60s + p.seconds("down_s", 60)), trouble::kind::refuses}};
  return s;
}

/// The experiment of "Beyond Round Robin" (Finagle, 2016): 11 hosts, 1,000 requests a second, one takes 2 s for 30 s.
fleet_setup slow_host(const parameters& p, trouble::kind what) {
  auto s = usual(p, 11, 1, 0, 45);
  s.connects_per_second = p.get("total_rate", 1000) / static_cast<double>(s.clients);
  s.servers[0].troubles = {{at(10s), at(40s), what, p.milliseconds("slow_ms", 2000)}};
  s.warm_up = p.seconds("warm_up_s", 10);
  s.length = p.seconds("length_s", 45);
  if (what == trouble::kind::busy) {
    s.requests = true;
    s.feedback = p.get("feedback", 1) != 0;
    for (auto& server : s.servers) server.service = p.milliseconds("service_ms", 10);
  }
  return s;
}
fleet_setup slow_connects(const parameters& p) { return slow_host(p, trouble::kind::slow); }
fleet_setup slow_requests(const parameters& p) { return slow_host(p, trouble::kind::busy); }

/// The first half near, the second far; all near ones go away for a while.
fleet_setup regions(const parameters& p) {
  auto s = usual(p, 8, 100, 1, 400, 10);
  const auto near = s.servers.size() / 2;
  for (std::size_t i = 0; i < s.servers.size(); ++i) {
    if (i >= near) {
      s.servers[i].rtt = {p.milliseconds("far_ms", 100)};
    } else {
      s.servers[i].troubles = {{at(120s), at(120s + p.seconds("down_s", 60)), trouble::kind::mute}};
    }
  }
  return s;
}

/// One near host that cannot serve what it draws; the others have room.
fleet_setup saturation(const parameters& p) {
  auto s = usual(p, 8, 50, 20, 120, 20);
  s.requests = true;
  s.feedback = p.get("feedback", 1) != 0;
  s.warm_up = p.seconds("warm_up_s", 30);
  for (auto& server : s.servers) {
    server.service = p.milliseconds("service_ms", 20);
    server.workers = static_cast<unsigned>(p.count("workers", 8));
  }
  s.servers[0].rtt = {p.milliseconds("near_ms", 2)};
  return s;
}

fleet_setup loss(const parameters& p) {
  auto s = usual(p, 8, 1, 50, 3600);
  for (auto& server : s.servers) server.loss = p.get("loss", 0.005);
  return s;
}

/// `dead` of the servers go away together.
fleet_setup correlated(const parameters& p) {
  auto s = usual(p, 8, 100, 1, 300);
  const auto dead = std::min(p.count("dead", s.servers.size() / 2 + 1), s.servers.size());
  for (std::size_t i = 0; i < dead; ++i) {
    s.servers[i].troubles = {{at(60s), at(60s + p.seconds("down_s", 60)), trouble::kind::mute}};
  }
  return s;
}

fleet_setup flapping(const parameters& p) {
  auto s = usual(p, 8, 100, 1, 600);
  const auto down = p.seconds("down_s", 5), up = p.seconds("up_s", 5);
  for (duration t = 60s; t < s.length; t += down + up) {
    s.servers[0].troubles.push_back({at(t), at(t + down), trouble::kind::mute});
  }
  return s;
}

/// DNS gives three of eight, in turn, and takes a dead one out after a lag.
fleet_setup subsets(const parameters& p) {
  auto s = usual(p, 8, 100, 1, 600);
  s.dns.subset = p.count("subset", 3);
  s.dns.ttl = p.seconds("ttl_s", 30);
  s.dns.filters = p.get("filters", 1) != 0;
  s.dns.lag = p.seconds("lag_s", 20);
  s.servers[0].troubles = {{at(120s), at(300s), trouble::kind::mute}};
  return s;
}

fleet_setup revival(const parameters& p) {
  auto s = usual(p, 8, 1000, 1, 200);
  s.servers[0].troubles = {{at(30s), at(30s + p.seconds("down_s", 60)), trouble::kind::mute}};
  return s;
}

/// Sub-millisecond times, uneven by nature.
fleet_setup lan(const parameters& p) {
  auto s = usual(p, 8, 200, 1, 100, 0.2);
  for (auto& server : s.servers) server.jitter = p.get("jitter", 0.5);
  s.servers[0].rtt = {p.milliseconds("near_ms", 0.1)};
  return s;
}

/// The first half of the addresses is IPv6, and IPv6 goes nowhere.
fleet_setup dead_ipv6(const parameters& p) {
  auto s = usual(p, 8, 100, 1, 200);
  for (std::size_t i = 0; i < s.servers.size() / 2; ++i) {
    s.servers[i].ipv6 = true;
    s.servers[i].troubles = {{beginning, core::never, trouble::kind::mute}};
  }
  return s;
}

fleet_setup crowd(const parameters& p) {
  auto s = usual(p, 8, 100'000, 0.1, 60);
  s.servers[0].rtt = {s.servers[0].rtt[0] - p.milliseconds("faster_ms", 1)};
  s.servers[1].troubles = {{at(20s), at(40s), trouble::kind::mute}};
  return s;
}

constexpr std::array all{
    scenario{"equal", "8 equal servers, 20 clients with 10 connects/s each", equal},
    scenario{"one_faster", "200 clients, 8 servers, one of them 1 ms faster", one_faster},
    scenario{"lan", "200 clients, 8 servers around 0.2 ms, one at 0.1 ms, uneven times", lan},
    scenario{"one_near", "one server at 5 ms, seven at 80 ms, 1 connect/s a client, after 16 connects", one_near},
    scenario{"one_far", "seven servers at 20 ms, one 80 ms farther, 1 connect/s a client, after 16 connects", one_far},
    scenario{"outage", "one of 8 servers does not answer from 60 s to 120 s", outage},
    scenario{"refusal", "one of 8 servers refuses within 0.1 ms from 60 s to 120 s", refusal},
    scenario{"slow_connects", "11 servers, 1,000 connects/s, one takes 2 s to connect for 30 s", slow_connects},
    scenario{"slow_requests", "11 servers, 1,000 requests/s, one takes 2 s to answer for 30 s", slow_requests},
    scenario{"regions", "4 servers at 10 ms and 4 at 100 ms; the near ones do not answer from 120 s to 180 s", regions},
    scenario{"saturation", "one server at 2 ms, seven at 20 ms; each serves 400 requests/s, the clients send 1,000",
             saturation},
    scenario{"loss", "one client, 50 connects/s for an hour, 0.5 % of SYNs lost", loss},
    scenario{"correlated", "5 of 8 servers do not answer from 60 s to 120 s", correlated},
    scenario{"flapping", "one of 8 servers is away 5 s of every 10 s", flapping},
    scenario{"subsets", "DNS gives 3 of 8 in turn, TTL 30 s; one is dead from 120 s to 300 s, DNS drops it 20 s later",
             subsets},
    scenario{"revival", "1,000 clients; one of 8 servers does not answer from 30 s to 90 s", revival},
    scenario{"dead_ipv6", "4 IPv6 and 4 IPv4 addresses; IPv6 goes nowhere", dead_ipv6},
    scenario{"crowd", "100,000 clients, one connect in 10 s each; one server is 1 ms faster, one is dead for 20 s",
             crowd},
};

}  // namespace

std::span<const scenario> scenarios() { return all; }

const scenario* find_scenario(std::string_view name) {
  const auto found = std::find_if(all.begin(), all.end(), [&](const scenario& s) { return s.name == name; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace lbresolve::fleet
