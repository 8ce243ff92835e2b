// SRV records (RFC 2782) in virtual time: from a service to the hosts that offer it, and the race over them.
#include "support/simulated_world.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

namespace lbresolve::test {
namespace {

using core::rr_type;

constexpr const char* service = "_web._tcp.example.test";

octets srv(unsigned priority, unsigned weight, unsigned port, std::string_view target) {
  return srv_data(priority, weight, port, labels(target));
}

/// 192.0.2.n is host n, and 2001:db8::n too where it has `both`.
zone service_zone(std::vector<octets> records, unsigned hosts, bool both = false) {
  zone z;
  z.records[{service, rr_type::srv}] = std::move(records);
  for (unsigned n = 1; n <= hosts; ++n) {
    auto& at = z.addresses["h" + std::to_string(n) + ".test"];
    at.push_back("192.0.2." + std::to_string(n));
    if (both) at.push_back("2001:db8::" + std::to_string(n));
  }
  return z;
}

std::string names_asked(const simulated_world& w, rr_type type) {
  std::string out;
  for (const auto& q : w.queries)
    if (q.asked.type == type) out += (out.empty() ? "" : " ") + q.asked.name.to_text();
  return out;
}

std::string texts(const std::vector<endpoint>& endpoints) {
  std::string out;
  for (const endpoint& e : endpoints) out += (out.empty() ? "" : " ") + e.to_string();
  return out;
}

std::string opened(const simulated_world& w) {
  std::string out;
  for (const auto& [at, to] : w.opened)
    out += (out.empty() ? "" : " ") + to + "@" +
           std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(at).count());
  return out;
}

bool has_note(const world_outcome& o, const std::string& part) {
  return std::any_of(o.story->notes.begin(), o.story->notes.end(),
                     [&](const std::string& n) { return n.find(part) != std::string::npos; });
}

TEST_CASE("SEL-06: a service resolves to the addresses of its hosts, with the ports of its records") {
  simulated_world w;
  w.server(0, service_zone({srv(20, 0, 8003, "h3.test"), srv(10, 5, 8001, "h1.test"), srv(10, 5, 8002, "h2.test")}, 3));
  const auto o = w.resolved(service);
  CHECK(texts(o.endpoints) == "192.0.2.1:8001 192.0.2.2:8002 192.0.2.3:8003");
  CHECK(names_asked(w, rr_type::srv) == service);
  CHECK(names_asked(w, rr_type::a) == "h1.test h2.test h3.test");     // in order of priority
  CHECK(names_asked(w, rr_type::aaaa) == "h1.test h2.test h3.test");  // nothing of the service's own name
  for (const auto& q : w.queries) CHECK(q.at == (q.asked.type == rr_type::srv ? 0ms : 5ms));  // all at once
  CHECK(has_note(o, "SRV: h1.test:8001 (priority 10, weight 5), h2.test:8002"));
}

TEST_CASE("SEL-06, HE-23: connecting tries all of priority 1 before priority 2") {
  simulated_world w;
  w.server(0, service_zone({srv(2, 0, 80, "h3.test"), srv(1, 1, 80, "h1.test"), srv(1, 1, 80, "h2.test")}, 3));
  w.endpoint_is("192.0.2.3:80", connects(1ms)).endpoint_is("192.0.2.2:80", refuses(1ms));
  CHECK(w.connected(service).end() == "4.3@262");
  CHECK(opened(w) == "192.0.2.1:80@10 192.0.2.2:80@260 192.0.2.3:80@261");
}

TEST_CASE("SEL-06: a target \".\" says that there is no such service, and nothing more is asked") {
  simulated_world w;
  w.server(0, service_zone({srv(0, 0, 0, ".")}, 0));
  for (const bool connecting : {false, true}) {
    const auto o = connecting ? w.connected(service) : w.resolved(service);
    REQUIRE(o.failed);
    CHECK(*o.failed == errc::no_addresses);
    CHECK(o.failed->message().find("offers no such service") != std::string::npos);
    CHECK(o.story->attempts.empty());
  }
  CHECK(w.queries.size() == 1);
}

TEST_CASE("SEL-06: beside other records a target \".\" and a port 0 are passed over") {
  simulated_world w;
  w.server(0, service_zone({srv(0, 0, 80, "."), srv(0, 0, 0, "h2.test"), srv(5, 0, 80, "h1.test")}, 2));
  CHECK(texts(w.resolved(service).endpoints) == "192.0.2.1:80");
  CHECK(names_asked(w, rr_type::a) == "h1.test");
}

TEST_CASE("SEL-06: of a service without SRV records the addresses are not asked for") {
  simulated_world w;
  zone z;
  z.addresses[service] = {"192.0.2.1"};
  w.server(0, z);
  const auto there = w.resolved(service);
  REQUIRE(there.failed);
  CHECK(there.failed->message() == std::string(service) + " exists but has no SRV record");
  const auto nowhere = w.connected("_web._tcp.nowhere.test");
  REQUIRE(nowhere.failed);
  CHECK(*nowhere.failed == errc::name_not_found);
  CHECK(w.queries_for(rr_type::a) == 0);
}

TEST_CASE("SEL-06: one host that cannot be found does not sink the others, whatever its priority") {
  for (const bool silent : {false, true}) {
    CAPTURE(silent);
    simulated_world w;
    zone z = service_zone({srv(1, 0, 80, "gone.test"), srv(2, 0, 80, "h1.test")}, 1);
    if (silent)
      z.later = {{{"gone.test", rr_type::a}, duration::max()}, {{"gone.test", rr_type::aaaa}, duration::max()}};
    w.server(0, z).endpoint_is("192.0.2.1:80", connects(1ms));
    // Silence has the time of an attempt, from the first address on.
    CHECK(w.connected(service).end() == (silent ? "4.1@261" : "4.1@11"));
  }
}

TEST_CASE("SEL-06: a resolve waits for every host, and for a silent one as long as for a silent family") {
  simulated_world w;
  zone z = service_zone({srv(1, 0, 80, "h1.test"), srv(1, 0, 80, "h2.test"), srv(1, 0, 80, "h3.test")}, 3);
  z.later = {{{"h2.test", rr_type::a}, 300ms}, {{"h3.test", rr_type::a}, duration::max()}};
  w.server(0, z);
  const auto o = w.resolved(service);
  CHECK(texts(o.endpoints) == "192.0.2.1:80 192.0.2.2:80");
  CHECK(o.at == 510ms);
  CHECK(has_note(o, "not every host"));
}

TEST_CASE("SEL-06: no host at all has an address: the error names each") {
  simulated_world w;
  w.server(0, service_zone({srv(1, 0, 80, "a.gone.test"), srv(1, 0, 80, "b.gone.test")}, 0));
  const auto o = w.connected(service);
  REQUIRE(o.failed);
  CHECK(*o.failed == errc::no_addresses);
  CHECK(o.failed->message() == "no host of the service " + std::string(service) +
                                   " has an address: a.gone.test does not exist; b.gone.test does not exist");
}

TEST_CASE("SEL-06, HE-23: a better priority whose addresses take longer is still the first to be tried") {
  simulated_world w;
  zone z = service_zone({srv(1, 0, 80, "h1.test"), srv(2, 0, 80, "h2.test")}, 2);
  z.later = {{{"h1.test", rr_type::a}, 200ms}, {{"h1.test", rr_type::aaaa}, 200ms}};
  w.server(0, z).endpoint_is("192.0.2.1:80", connects(10ms)).endpoint_is("192.0.2.2:80", connects(1ms));
  CHECK(w.connected(service).end() == "4.1@215");
  CHECK(opened(w) == "192.0.2.1:80@205");
}

TEST_CASE("SEL-06: the weights hold although one host's addresses come first, and one has no IPv6") {
  // "Weights: proportionally higher weights SHOULD be given a proportionately higher probability of being selected."
  std::map<std::string, int> won;
  constexpr int rounds = 10'000;
  zone z = service_zone({srv(1, 60, 80, "h1.test"), srv(1, 30, 80, "h2.test"), srv(1, 10, 80, "h3.test")}, 3);
  z.addresses["h3.test"].push_back("2001:db8::3");
  z.addresses["h1.test"].push_back("192.0.2.101");  // two addresses have the weight of one record
  z.later = {{{"h2.test", rr_type::a}, 30ms}, {{"h3.test", rr_type::aaaa}, 1ms}};
  for (std::uint64_t seed = 1; seed <= rounds / 10; ++seed) {
    simulated_world w(1, seed * 7919);
    w.chosen.selection.policy = policy::random;
    w.server(0, z);
    for (const char* at : {"192.0.2.1:80", "192.0.2.101:80", "192.0.2.2:80", "192.0.2.3:80", "[2001:db8::3]:80"})
      w.endpoint_is(at, connects(1ms));
    for (int i = 0; i < 10; ++i) {
      const auto id = w.connect(service);
      w.run();
      const auto& o = w.outcome(id);
      REQUIRE(o.connected);
      const auto last = o.peer.address.bytes().back();
      ++won["h" + std::to_string(last % 100)];
    }
  }
  for (const auto& [host, weight] : std::map<std::string, int>{{"h1", 60}, {"h2", 30}, {"h3", 10}}) {
    const std::string name(host);  // clang 14 cannot capture a structured binding
    CAPTURE(name);
    CHECK(std::abs(won[host] * 100.0 / rounds - weight) < 3.0);
  }
}

TEST_CASE("SEL-06: of more records than a lookup follows, those of the best priorities are used") {
  std::vector<octets> records;
  for (unsigned n = 40; n >= 1; --n) records.push_back(srv(n, 0, 80, "h" + std::to_string(n) + ".test"));
  simulated_world w;
  w.server(0, service_zone(std::move(records), 40));
  const auto o = w.resolved(service);
  CHECK(o.endpoints.size() == core::most_other_hosts);
  CHECK(w.queries_for(rr_type::a) == core::most_other_hosts);
  CHECK(texts(o.endpoints).starts_with("192.0.2.1:80 192.0.2.2:80 "));
  CHECK(has_note(o, "24 more SRV records"));
}

TEST_CASE("SEL-06: one host with two ports is asked for once") {
  simulated_world w;
  w.server(0, service_zone({srv(1, 0, 8001, "h1.test"), srv(1, 0, 8002, "H1.test")}, 1));
  CHECK(texts(w.resolved(service).endpoints) == "192.0.2.1:8001 192.0.2.1:8002");
  CHECK(w.queries_for(rr_type::a) == 1);
}

TEST_CASE("SEL-06: families alternate inside a record, and its host without a route is skipped") {
  simulated_world w;
  w.server(0, service_zone({srv(1, 0, 80, "h1.test"), srv(2, 0, 80, "h2.test")}, 2, true));
  CHECK(texts(w.resolved(service).endpoints) == "[2001:db8::1]:80 192.0.2.1:80 [2001:db8::2]:80 192.0.2.2:80");
  w.has_ipv6 = false;
  w.endpoint_is("192.0.2.2:80", connects(1ms));
  CHECK(w.connected(service).end().starts_with("4.2@"));
}

TEST_CASE("SEL-06: hosts file and special names hold for the hosts of a service too") {
  simulated_world w;
  w.system.hosts = core::hosts_file::parse("192.0.2.77 h1.test\n");
  w.server(0, service_zone({srv(1, 0, 80, "h1.test"), srv(2, 0, 81, "localhost")}, 1));
  CHECK(texts(w.resolved(service, {.families = families::ipv4_only}).endpoints) == "192.0.2.77:80 127.0.0.1:81");
  CHECK(w.queries.size() == 1);
}

TEST_CASE("SEL-06, DNS-12: the search list is for the service's name, not for its hosts") {
  simulated_world w;
  w.system.dns = core::parse_resolv_conf("search corp.test\n");
  zone z;
  z.records[{"_web._tcp.corp.test", rr_type::srv}] = {srv(1, 0, 80, "h1")};
  z.addresses["h1.corp.test"] = {"192.0.2.1"};
  w.server(0, z);
  CHECK(w.resolved("_web._tcp").failed);
  CHECK(names_asked(w, rr_type::srv) == "_web._tcp _web._tcp.corp.test");
  CHECK(names_asked(w, rr_type::a) == "h1");
}

TEST_CASE("SEL-06: addresses in the additional section are not used") {
  simulated_world w;
  const zone z = service_zone({srv(1, 0, 80, "h1.test")}, 1);
  w.server(0, [z](const sent_query& q) -> std::vector<scripted_reply> {
    auto replies = z(q);
    if (q.asked.type != rr_type::srv) return replies;
    const auto parsed = core::message::parse(q.bytes).value();
    message_builder b(parsed.id());
    const auto question = parsed.question_octets();
    b.raw({question.begin(), question.end()}).set_count(0, 1);
    b.answer(pointer(12), rr_type::srv, 60, srv(1, 0, 80, "h1.test"));
    b.record(core::section::additional, labels("h1.test"), rr_type::a, 60, address_data("192.0.2.66"));
    return {{5ms, b.bytes()}};
  });
  CHECK(texts(w.resolved(service).endpoints) == "192.0.2.1:80");
}

TEST_CASE("SEL-06, HE-59: when every host fails, the records are asked for again, and may name others") {
  simulated_world w;
  int asked = 0;
  zone first = service_zone({srv(1, 0, 80, "h1.test")}, 1);
  zone later = service_zone({srv(1, 0, 80, "h2.test"), srv(2, 0, 80, "h1.test")}, 2);
  w.server(0, [&](const sent_query& q) {
    if (q.asked.type == rr_type::srv) ++asked;
    return asked < 2 ? first(q) : later(q);
  });
  w.endpoint_is("192.0.2.1:80", connects(1ms)).endpoint_is("192.0.2.2:80", connects(1ms));
  CHECK(w.connected(service).end() == "4.1@11");
  w.endpoint_is("192.0.2.1:80", refuses(1ms));
  CHECK(w.connected(service).end() == "4.2@23");
  CHECK(asked == 2);
}

TEST_CASE("SEL-06: a service from the cache asks nothing") {
  simulated_world w;
  w.server(0, service_zone({srv(1, 0, 80, "h1.test"), srv(2, 0, 80, "h2.test")}, 2));
  w.endpoint_is("192.0.2.1:80", connects(1ms));
  w.connected(service);
  const auto before = w.queries.size();
  CHECK(w.connected(service).end() == "4.1@12");
  CHECK(w.queries.size() == before);
}

TEST_CASE("SEL-06, SEL-02: mode client does not keep a host that the records name no longer") {
  simulated_world w;
  w.chosen.selection.mode = selection_mode::client;
  bool withdrawn = false;
  const zone both = service_zone({srv(1, 0, 80, "h1.test"), srv(2, 0, 80, "h2.test")}, 2);
  const zone second = service_zone({srv(2, 0, 80, "h2.test")}, 2);
  w.server(0, [&](const sent_query& q) { return withdrawn ? second(q) : both(q); });
  w.endpoint_is("192.0.2.1:80", connects(1ms)).endpoint_is("192.0.2.2:80", connects(1ms));
  CHECK(short_name(w.connected(service).peer) == "4.1");
  withdrawn = true;
  w.pass(61s);
  CHECK(short_name(w.connected(service).peer) == "4.2");
}

}  // namespace
}  // namespace lbresolve::test
