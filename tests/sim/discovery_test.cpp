// Lookups whose upstreams have to be discovered first (RFC 9462). The designated ones are simulated servers too.
#include "support/simulated_world.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

namespace lbresolve::test {

namespace {

const resolve_options v4_only{.families = families::ipv4_only};
const zone example{{{"example.test", {"192.0.2.1"}}}};
const octets dot{3, 'd', 'o', 't'};

/// A record that designates the simulated server of this number.
octets designated(std::size_t server, std::size_t priority = 1) {
  return binding_data(priority, "n" + std::to_string(server) + ".example",
                      svc_param(1, dot) + svc_param(4, address_data("198.51.100." + std::to_string(server + 1))));
}

/// A plain server that designates, and has nothing else to say.
zone designating(const octets& record, std::uint32_t ttl = 300) {
  zone z;
  z.ttl = ttl;
  z.records[{"_dns.resolver.arpa", core::rr_type::svcb}] = {record};
  return z;
}

/// The first so many servers are asked what they designate; the others are there to be designated.
void discover(simulated_world& w, std::size_t plain) {
  w.chosen.servers.clear();
  for (std::size_t i = 0; i < plain; ++i) w.chosen.servers.push_back("ddr://198.51.100." + std::to_string(i + 1));
}

/// "udp 0 SVCB, tls 1 A": what was asked of whom.
std::string asked(const simulated_world& w) {
  std::string out;
  for (const sent_query& q : w.queries)
    out += (out.empty() ? "" : ", ") + std::string(to_string(q.over)) + " " + std::to_string(q.server) + " " +
           type_name(static_cast<std::uint16_t>(q.asked.type));
  return out;
}

/// Nothing but the question for designations may leave in clear.
void check_nothing_leaked(const simulated_world& w) {
  for (const sent_query& q : w.queries)
    CHECK((q.over == transport::tls || q.asked.name.to_text() == "_dns.resolver.arpa"));
}

}  // namespace

TEST_CASE("DNS-13: a lookup waits until its upstream is discovered, and the story tells both") {
  simulated_world w(2);
  discover(w, 1);
  w.server(0, designating(designated(1)));
  w.server(1, example);
  const auto o = w.resolved("example.test", v4_only);
  CHECK(o.endpoints.size() == 1);
  CHECK(o.at == 10ms);
  CHECK(asked(w) == "udp 0 SVCB, tls 1 A");
  REQUIRE(o.story->queries.size() == 2);
  CHECK(o.story->queries[0].name == "_dns.resolver.arpa");
  CHECK(o.story->queries[0].upstream == "198.51.100.1:53");
  CHECK(o.story->queries[0].ended_as == query_record::outcome::answered);
  CHECK(o.story->queries[0].count == 1);
  CHECK(o.story->queries[1].upstream == "tls://n1.example:853#198.51.100.1");
}

TEST_CASE("DNS-13: all who wait share one discovery, it is told once, and the next lookup needs none") {
  simulated_world w(2);
  discover(w, 1);
  w.server(0, designating(designated(1)));
  w.server(1, zone{{{"example.test", {"192.0.2.1", "2001:db8::1"}}, {"other.test", {"192.0.2.2"}}}});
  w.resolve("other.test", v4_only);
  const auto both = w.resolved("example.test");
  CHECK(both.endpoints.size() == 2);
  CHECK(both.story->queries.size() == 3);
  CHECK(w.queries_for(core::rr_type::svcb) == 1);
  CHECK(w.resolved("none.test", v4_only).failed.value() == errc::name_not_found);
  CHECK(w.queries_for(core::rr_type::svcb) == 1);
  check_nothing_leaked(w);
}

TEST_CASE("DNS-13: where discovery fails lookups fail with the reason, and nothing is asked in clear instead") {
  const auto refusing = [](const sent_query& q) -> std::vector<scripted_reply> {
    return {{1ms, make_reply(q, {}, 0, 5)}};
  };
  const auto unreachable = [](const sent_query&) -> std::vector<scripted_reply> {
    return {{1ms, {}, std::error_code(ECONNREFUSED, std::system_category())}};
  };
  const std::pair<server_script, const char*> scripts[] = {
      {example, "198.51.100.1:53: it designates no encrypted resolver (RFC 9462)"},
      {refusing, "198.51.100.1:53: answered REFUSED, when it was asked which encrypted resolvers it designates"},
      {unreachable, "198.51.100.1:53: Connection refused, when it was asked"},
      {designating(binding_data(1, "n1.example")), "none of the resolvers it designates can be used: \"n1.example\""},
      {nullptr, "198.51.100.1:53: no answer in 2000 ms, when it was asked"}};
  for (const auto& one : scripts) {
    const std::string why = one.second;
    CAPTURE(why);
    simulated_world w;
    discover(w, 1);
    w.server(0, one.first);
    const auto o = w.resolved("example.test", v4_only);
    REQUIRE(o.failed);
    CHECK(*o.failed == errc::upstream_failed);
    CHECK_MESSAGE(o.failed->message().find(why) != std::string::npos, o.failed->message());
    CHECK_FALSE(w.queries.empty());
    check_nothing_leaked(w);
  }
}

TEST_CASE("DNS-13: a designated resolver that fails or is refused is not replaced by clear text") {
  simulated_world w(2);
  discover(w, 1);
  w.server(0, [](const sent_query& q) {
    zone all = designating(designated(1));
    all.addresses["example.test"] = {"192.0.2.66"};
    return all(q);
  });
  w.server(1, [](const sent_query&) -> std::vector<scripted_reply> {
    return {
        {5ms, {}, make_error_code(errc::certificate_rejected), "the certificate is for \"x\", not for 198.51.100.1"}};
  });
  const auto o = w.resolved("example.test", v4_only);
  REQUIRE(o.failed);
  CHECK(o.failed->message().find(
            "tls://n1.example:853#198.51.100.1: the certificate is for \"x\", not for 198.51.100.1") !=
        std::string::npos);
  check_nothing_leaked(w);
}

TEST_CASE("DNS-13: several are asked whom they designate at once, their order counts, and a mute one costs its hedge") {
  simulated_world w(4);
  discover(w, 2);
  zone slow = designating(designated(2));
  slow.after = 100ms;
  w.server(0, slow);
  w.server(1, designating(designated(3)));
  w.server(2, example);
  w.server(3, example);
  CHECK(w.resolved("example.test", v4_only).at == 105ms);
  CHECK(asked(w) == "udp 0 SVCB, udp 1 SVCB, tls 2 A");

  simulated_world v(4);
  discover(v, 2);
  v.server(1, designating(designated(3)));  // 0 is mute
  v.server(3, example);
  CHECK(v.resolved("example.test", v4_only).at == 305ms);
  const auto later =
      v.pass(3min).resolved("other.test", v4_only);  // the mute one is due again, and nobody waits for it
  CHECK(later.failed.value() == errc::name_not_found);
  CHECK(later.story->took == 5ms);
  check_nothing_leaked(v);
}

TEST_CASE("DNS-13: where lookups fail, who designates nobody is named beside who was asked") {
  simulated_world v(4);
  discover(v, 2);
  v.server(0, example);
  v.server(1, designating(designated(3)));
  v.server(3, [](const sent_query& q) -> std::vector<scripted_reply> { return {{1ms, make_reply(q, {}, 0, 2)}}; });
  const auto both = v.resolved("example.test", v4_only);
  REQUIRE(both.failed);
  CHECK(both.failed->message().find(
            "tls://n3.example:853#198.51.100.2: answered SERVFAIL; 198.51.100.1:53: it designates "
            "no encrypted resolver") != std::string::npos);
}

TEST_CASE("DNS-13: one that is designated with a lower priority is asked when the better one fails") {
  simulated_world w(3);
  discover(w, 1);
  zone both = designating(designated(2, 2));
  both.records.begin()->second.push_back(designated(1, 1));
  w.server(0, both);
  w.server(1, [](const sent_query&) -> std::vector<scripted_reply> {
    return {{1ms, {}, std::error_code(ECONNREFUSED, std::system_category())}};
  });
  w.server(2, example);
  CHECK(w.resolved("example.test", v4_only).endpoints.size() == 1);
  CHECK(asked(w) == "udp 0 SVCB, tls 1 A, tls 2 A");
}

TEST_CASE("DNS-13: a deadline that passes during discovery ends the lookup, and its story shows what it waited for") {
  simulated_world w;
  discover(w, 1);
  const auto o = w.resolved("example.test", {.timeout = 300ms, .families = families::ipv4_only});
  REQUIRE(o.failed);
  CHECK(*o.failed == errc::timed_out);
  CHECK(o.at == 300ms);
  REQUIRE(o.story->queries.size() == 1);
  CHECK(o.story->queries[0].name == "_dns.resolver.arpa");
  CHECK(o.story->queries[0].ended_as == query_record::outcome::pending);
}

TEST_CASE("DNS-13: a lookup that is cancelled during discovery leaves nothing behind") {
  simulated_world w(2);
  discover(w, 1);
  w.server(0, designating(designated(1)));
  w.server(1, example);
  const auto id = w.resolve("example.test", v4_only);
  w.at(2ms, [&] { w.cancel(id); });
  w.run();
  CHECK(w.outcome(id).failed.value() == errc::cancelled);
  CHECK(w.open_exchanges.empty());
}

TEST_CASE(
    "DNS-13: in the last tenth of its TTL a designation is asked for anew, while lookups go on with the old one") {
  simulated_world w(3);
  discover(w, 1);
  w.server(0, designating(designated(1), 100));
  w.server(1, example);
  w.server(2, example);
  w.chosen.cache.max_ttl = 0s;
  w.resolved("example.test", v4_only);
  w.server(0, designating(designated(2), 100));
  w.at(80s, [&] { w.resolve("example.test", v4_only); });
  w.at(95s, [&] { w.resolve("example.test", v4_only); });
  w.run(120s);
  REQUIRE(asked(w) == "udp 0 SVCB, tls 1 A, tls 1 A, udp 0 SVCB, tls 2 A");
  CHECK(w.queries[3].at == 90s + 5ms);
}

TEST_CASE("DNS-13: who is not in use is not asked, and an old designation is asked for before it is used again") {
  simulated_world w(2);
  discover(w, 1);
  w.server(0, designating(designated(1), 100));
  w.server(1, example);
  w.chosen.cache.max_ttl = 0s;
  w.resolved("example.test", v4_only);
  w.run(10min);
  CHECK(asked(w) == "udp 0 SVCB, tls 1 A");
  w.pass(10min);
  CHECK(w.resolved("example.test", v4_only).endpoints.size() == 1);
  CHECK(asked(w) == "udp 0 SVCB, tls 1 A, udp 0 SVCB, tls 1 A");
}

TEST_CASE(
    "DNS-13: while asking anew fails the old designation stays in use, and an answer that there is none ends it") {
  simulated_world w(2);
  discover(w, 1);
  w.server(0, designating(designated(1), 100));
  w.server(1, example);
  w.chosen.cache.max_ttl = 0s;
  w.resolved("example.test", v4_only);
  w.server(0, nullptr);
  for (int i = 1; i <= 10; ++i) {
    const auto later = w.pass(20s).resolved("example.test", v4_only);
    CHECK(later.endpoints.size() == 1);
  }
  CHECK(w.queries_for(core::rr_type::svcb) > 2);
  w.server(0, example);
  w.pass(5min).resolved("example.test", v4_only);
  const auto o = w.pass(1s).resolved("example.test", v4_only);
  REQUIRE(o.failed);
  CHECK(o.failed->message().find("it designates no encrypted resolver") != std::string::npos);
  check_nothing_leaked(w);
}

TEST_CASE("DNS-13: after a failure lookups fail at once for a while, then one asks again and waits") {
  simulated_world w(2);
  discover(w, 1);
  w.server(0, [](const sent_query& q) -> std::vector<scripted_reply> { return {{5ms, make_reply(q, {}, 0, 2)}}; });
  w.server(1, example);
  const auto first = w.resolve("example.test", v4_only);
  w.run(100ms);
  CHECK(w.outcome(first).end() == "lost@5");
  const auto second = w.pass(95ms).resolve("example.test", v4_only);
  w.run(200ms);
  CHECK(w.outcome(second).end() == "lost@100");
  CHECK(w.queries.size() == 1);
  w.server(0, designating(designated(1)));
  CHECK(w.pass(2s).resolved("example.test", v4_only).endpoints.size() == 1);
}

TEST_CASE("DNS-13: `ddr` asks what each of the system's servers designates") {
  simulated_world w(4);
  w.chosen.servers = {"ddr"};
  w.system.dns = core::parse_resolv_conf("nameserver 198.51.100.1\nnameserver 198.51.100.2\n");
  w.server(0, designating(designated(2)));
  w.server(1, designating(designated(3)));
  w.server(2, example);
  w.server(3, example);
  CHECK(w.resolved("example.test", v4_only).endpoints.size() == 1);
  CHECK(asked(w) == "udp 0 SVCB, udp 1 SVCB, tls 2 A");
}

TEST_CASE("DNS-13: a domain's servers may be discovered too, and names outside it go their own way") {
  simulated_world w(3);
  w.chosen.servers = {"198.51.100.3"};
  w.chosen.domain_servers = {{"corp.test", {"ddr://198.51.100.1"}}};
  w.server(0, designating(designated(1)));
  w.server(1, zone{{{"www.corp.test", {"192.0.2.7"}}}});
  w.server(2, example);
  CHECK(w.resolved("example.test", v4_only).endpoints.size() == 1);
  CHECK(asked(w) == "udp 2 A");
  CHECK(w.resolved("www.corp.test", v4_only).endpoints.size() == 1);
  CHECK(asked(w) == "udp 2 A, udp 0 SVCB, tls 1 A");
}

TEST_CASE("DNS-13: names below resolver.arpa are never asked of an upstream (RFC 9462 section 6.4)") {
  simulated_world w(2);
  discover(w, 1);
  w.server(0, designating(designated(1)));
  w.server(1, example);
  for (const char* name : {"resolver.arpa", "_dns.resolver.arpa", "x.resolver.arpa"}) {
    const auto o = w.resolved(name, v4_only);
    REQUIRE(o.failed);
    CHECK(*o.failed == errc::no_addresses);
    CHECK(o.failed->message().find("RFC 9462") != std::string::npos);
  }
  CHECK(w.queries.empty());
}

}  // namespace lbresolve::test
