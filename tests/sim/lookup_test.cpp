// Whole lookups in virtual time: cache, single flight, search lists, and the order of questions.
#include "support/simulated_world.hpp"

#include <doctest/doctest.h>

namespace lbresolve::test {

using core::rr_type;

TEST_CASE("HE-01: HTTPS, AAAA and A go out in that order, without waiting for one another") {
  simulated_world w;
  w.server(0, zone{{{"example.test", {"192.0.2.1"}}}});
  w.endpoint_is("192.0.2.1:443", connects(10ms));
  const auto o = w.connected("example.test:443", {.https_records = true});
  REQUIRE(w.queries.size() == 3);
  CHECK(w.queries[0].asked.type == rr_type::https);
  CHECK(w.queries[1].asked.type == rr_type::aaaa);
  CHECK(w.queries[2].asked.type == rr_type::a);
  for (const auto& q : w.queries) CHECK(q.at == 0ms);
  CHECK(o.end() == "4.1@15");
}

TEST_CASE("HE-10: a SERVFAIL for one family leaves the other one usable") {
  simulated_world w;
  w.server(0, [](const sent_query& q) -> std::vector<scripted_reply> {
    if (q.asked.type == rr_type::aaaa) return {{5ms, make_reply(q, {}, 0, 2)}};
    return {{5ms, make_reply(q, {"192.0.2.1"})}};
  });
  w.endpoint_is("192.0.2.1:80", connects(10ms));
  CHECK(w.connected("example.test:80").end() == "4.1@15");
}

TEST_CASE("HE-11: both NXDOMAIN is a DNS error and opens no socket") {
  simulated_world w;
  w.server(0, zone{});
  const auto o = w.connected("nowhere.test:80");
  REQUIRE(o.failed);
  CHECK(*o.failed == errc::name_not_found);
  CHECK(o.failed->message() == "nowhere.test does not exist");
  CHECK(w.opened.empty());
}

TEST_CASE("HE-15: an IP literal asks nothing") {
  simulated_world w;
  w.endpoint_is("192.0.2.7:80", connects(10ms)).endpoint_is("[2001:db8::7]:80", connects(20ms));
  CHECK(w.connected("192.0.2.7:80").end() == "4.7@10");
  CHECK(w.connected("[2001:db8::7]:80").end() == "6.7@30");
  CHECK(w.queries.empty());
}

TEST_CASE("HE-16: a link-local literal that leads nowhere ends by its deadline") {
  simulated_world w;
  const auto o = w.connected("[fe80::1]:80", {.timeout = 300ms});
  REQUIRE(o.failed);
  CHECK(o.at <= 300ms);
}

TEST_CASE("HE-18: an answer that comes within a second of the win still reaches the cache") {
  simulated_world w;
  w.server(0, [](const sent_query& q) -> std::vector<scripted_reply> {
    if (q.asked.type == rr_type::aaaa) return {{800ms, make_reply(q, {"2001:db8::1"})}};
    return {{5ms, make_reply(q, {"192.0.2.1"})}};
  });
  w.endpoint_is("192.0.2.1:80", connects(10ms)).endpoint_is("[2001:db8::1]:80", connects(10ms));
  CHECK(w.connected("example.test:80").end() == "4.1@65");
  CHECK(w.queries.size() == 2);
  CHECK(w.connected("example.test:80").end() == "6.1@810");  // from the cache, at once
  CHECK(w.queries.size() == 2);
  CHECK(w.open_exchanges.empty());
}

TEST_CASE("HE-08: an AAAA that was never answered is remembered, and the next connect does not wait for it") {
  simulated_world w;
  w.server(0, [](const sent_query& q) -> std::vector<scripted_reply> {
    if (q.asked.type == rr_type::aaaa) return {};
    return {{5ms, make_reply(q, {"192.0.2.1"})}};
  });
  w.endpoint_is("192.0.2.1:80", connects(10ms));
  CHECK(w.connected("example.test:80").end() == "4.1@65");
  CHECK(w.open_exchanges.empty());
  const auto begun = w.outcome(1).at;
  const auto again = w.connected("example.test:80");  // run() went on until the try for AAAA had timed out
  CHECK(again.story->took == 10ms);
  CHECK(again.at > begun + 1s);
  CHECK(w.queries_for(rr_type::aaaa) == 1);
}

TEST_CASE("TTL-05: a query that nobody waited for to its end is no failure to remember") {
  simulated_world w;
  w.chosen.racing.late_answers = 100ms;
  w.server(0, [](const sent_query& q) -> std::vector<scripted_reply> {
    return {{1200ms, make_reply(q, {"192.0.2.1"})}};
  });
  CHECK(*w.resolved("example.test", {.timeout = 10ms}).failed == errc::timed_out);
  CHECK(w.resolved("example.test").endpoints.size() == 1);
}

TEST_CASE("TTL-08: who asks again while a forgotten query is still under way gets its answer, in full time") {
  simulated_world w;
  w.server(0, [](const sent_query& q) -> std::vector<scripted_reply> {
    return {{1900ms, make_reply(q, {"192.0.2.1"})}};
  });
  const resolve_options brief{.timeout = 10ms, .families = families::ipv4_only};
  const resolve_options patient{.families = families::ipv4_only};
  const auto first = w.resolve("example.test", brief);
  std::uint64_t second = 0;
  w.at(500ms, [&] { second = w.resolve("example.test", patient); });
  w.run();
  CHECK(w.outcome(first).failed);
  CHECK(w.outcome(second).endpoints.size() == 1);
  CHECK(w.queries.size() == 1);
}

TEST_CASE("HE-59: when every cached address fails, the name is asked again and a new address is used") {
  simulated_world w;
  int asked = 0;
  w.server(0, [&asked](const sent_query& q) -> std::vector<scripted_reply> {
    if (q.asked.type == rr_type::aaaa) return {{5ms, make_reply(q, {})}};
    return {{5ms, make_reply(q, {++asked == 1 ? "192.0.2.1" : "192.0.2.2"})}};
  });
  w.endpoint_is("192.0.2.1:80", connects(10ms)).endpoint_is("192.0.2.2:80", connects(10ms));
  CHECK(w.connected("example.test:80").end() == "4.1@15");
  w.endpoint_is("192.0.2.1:80", refuses(1ms));
  const auto o = w.connected("example.test:80");
  CHECK(o.connected);
  CHECK(short_name(o.peer) == "4.2");
  CHECK(asked == 2);
}

TEST_CASE("HE-59: fresh addresses that fail are not asked for again in the same race, but before the next") {
  simulated_world w;
  w.server(0, zone{{{"example.test", {"192.0.2.1"}}}});
  w.endpoint_is("192.0.2.1:80", refuses(1ms));
  CHECK_FALSE(w.connected("example.test:80").connected);
  CHECK(w.queries_for(rr_type::a) == 1);
  CHECK_FALSE(w.connected("example.test:80").connected);
  CHECK(w.queries_for(rr_type::a) == 2);
}

TEST_CASE("SEL-04: what another upstream says when all addresses failed is kept, and the next connect uses it") {
  simulated_world w(2);
  w.server(0, zone{{{"example.test", {"192.0.2.1", "192.0.2.2"}}}, 300});  // a recursive server repeats its cache
  w.server(1, zone{{{"example.test", {"192.0.2.9"}}}, 300});
  for (const char* to : {"192.0.2.1:80", "192.0.2.2:80", "192.0.2.9:80"}) w.endpoint_is(to, connects(10ms));
  REQUIRE(w.connected("example.test:80").connected);
  for (const char* dead : {"192.0.2.1:80", "192.0.2.2:80"}) w.endpoint_is(dead, refuses(10ms));
  CHECK(short_name(w.connected("example.test:80").peer) == "4.9");
  const std::size_t asked = w.queries.size();
  for (int i = 0; i < 10; ++i) CHECK(short_name(w.connected("example.test:80").peer) == "4.9");
  CHECK(w.queries.size() == asked);
}

TEST_CASE("SEL-04: a name whose addresses all fail is asked for again at most every five seconds") {
  simulated_world w;
  w.server(0, zone{{{"example.test", {"192.0.2.1", "192.0.2.2"}}}, 300});
  for (const char* dead : {"192.0.2.1:80", "192.0.2.2:80"}) w.endpoint_is(dead, refuses(10ms));
  for (int i = 0; i < 40; ++i) CHECK_FALSE(w.connected("example.test:80").connected);  // 20 ms each
  CHECK(w.queries_for(rr_type::a) == 2);
  w.pass(5s);
  for (int i = 0; i < 40; ++i) CHECK_FALSE(w.connected("example.test:80").connected);
  CHECK(w.queries_for(rr_type::a) == 3);
}

TEST_CASE("HE-14: without IPv6 AAAA is not asked and no IPv6 socket is opened, unless told otherwise") {
  simulated_world w;
  w.has_ipv6 = false;
  w.server(0, zone{{{"example.test", {"2001:db8::1", "192.0.2.1"}}}});
  w.endpoint_is("192.0.2.1:80", connects(10ms));
  CHECK(w.connected("example.test:80").end() == "4.1@15");
  CHECK(w.queries_for(rr_type::aaaa) == 0);

  simulated_world asks;
  asks.has_ipv6 = false;
  asks.chosen.ask_unroutable = true;
  asks.server(0, zone{{{"example.test", {"2001:db8::1", "192.0.2.1"}}}});
  asks.endpoint_is("192.0.2.1:80", connects(10ms));
  const auto o = asks.connected("example.test:80");
  CHECK(o.end() == "4.1@15");
  CHECK(asks.queries_for(rr_type::aaaa) == 1);
  REQUIRE(asks.opened.size() == 1);
  CHECK(asks.opened[0].second == "192.0.2.1:80");
}

TEST_CASE("HE-57: with a source address the other family is skipped, with its reason") {
  simulated_world w;
  w.server(0, zone{{{"example.test", {"2001:db8::1", "192.0.2.1"}}}});
  w.endpoint_is("192.0.2.1:80", connects(10ms)).endpoint_is("[2001:db8::1]:80", connects(10ms));
  const auto o = w.connected("example.test:80", {.source_address = v4(9).endpoint.address});
  CHECK(o.connected);
  CHECK(w.opened.size() == 1);
  bool told = false;
  for (const auto& a : o.story->attempts)
    if (a.ended_as == attempt_record::outcome::skipped) told = a.detail == "the source address is IPv4";
  CHECK(told);
}

TEST_CASE("TTL-01: an answer is used until exactly its TTL") {
  simulated_world w;
  w.chosen.cache.prefetch = false;
  w.server(0, zone{.addresses = {{"example.test", {"192.0.2.1"}}}, .ttl = 10, .after = 0ms});
  w.resolved("example.test");
  const auto first = w.queries_for(rr_type::a);
  w.pass(9'999ms);
  w.resolved("example.test");
  CHECK(w.queries_for(rr_type::a) == first);
  w.pass(1ms);
  w.resolved("example.test");
  CHECK(w.queries_for(rr_type::a) == first + 1);
}

TEST_CASE("TTL-07: a name used in the last tenth of its TTL is asked for once, in the background") {
  simulated_world w;
  w.server(0, zone{.addresses = {{"example.test", {"192.0.2.1"}}}, .ttl = 100, .after = 200ms});
  const resolve_options v4_only{.families = families::ipv4_only};
  w.resolved("example.test", v4_only);
  w.pass(89s).resolved("example.test", v4_only);
  CHECK(w.queries.size() == 1);
  const auto id = w.pass(7s).resolve("example.test", v4_only);  // 96.2 s
  std::vector<std::uint64_t> others;
  for (int i = 0; i < 10; ++i) others.push_back(w.resolve("example.test", v4_only));
  w.run();
  CHECK(w.queries.size() == 2);
  CHECK(w.outcome(id).story->took == 0ms);
  CHECK(w.outcome(id).ttl == 4s);
  // What it brought has its whole TTL.
  const auto later = w.pass(50s).resolved("example.test", v4_only);
  CHECK(later.story->took == 0ms);
  CHECK(w.queries.size() == 2);
}

TEST_CASE("TTL-07: none for idle names, and a prefetch that fails is not repeated before the end") {
  simulated_world w;
  const zone up{.addresses = {{"example.test", {"192.0.2.1"}}, {"idle.test", {"192.0.2.2"}}}, .ttl = 100, .after = 5ms};
  w.server(0, up);
  const resolve_options v4_only{.families = families::ipv4_only};
  w.resolved("example.test", v4_only);
  w.resolved("idle.test", v4_only);
  w.queries.clear();
  w.server(0, [](const sent_query& q) -> std::vector<scripted_reply> { return {{5ms, make_reply(q, {}, 0, 2)}}; });
  w.pass(96s);
  for (int i = 0; i < 3; ++i) CHECK(w.pass(1s).resolved("example.test", v4_only).endpoints.size() == 1);
  CHECK(w.queries.size() == 1);
  w.pass(200s).run();
  CHECK(w.queries.size() == 1);
}

TEST_CASE("TTL-02: TTL 0 is used once, and callers already waiting share it") {
  simulated_world w;
  w.server(0, zone{.addresses = {{"example.test", {"192.0.2.1", "2001:db8::1"}}}, .ttl = 0, .after = 5ms});
  std::vector<std::uint64_t> ids;
  for (int i = 0; i < 10; ++i) ids.push_back(w.resolve("example.test"));
  w.run();
  for (const auto id : ids) CHECK(w.outcome(id).endpoints.size() == 2);
  CHECK(w.queries.size() == 2);
  w.resolved("example.test");
  CHECK(w.queries.size() == 4);
}

TEST_CASE("TTL-05: SERVFAIL is remembered for 5 s, then 10 s") {
  simulated_world w;
  w.server(0, [](const sent_query& q) -> std::vector<scripted_reply> { return {{0ms, make_reply(q, {}, 0, 2)}}; });
  const resolve_options v4_only{.families = families::ipv4_only};
  CHECK(*w.resolved("example.test", v4_only).failed == errc::upstream_failed);
  const auto first = w.queries.size();
  w.pass(4'999ms).resolved("example.test", v4_only);
  CHECK(w.queries.size() == first);
  w.pass(2ms).resolved("example.test", v4_only);
  CHECK(w.queries.size() == 2 * first);
  w.pass(9'990ms).resolved("example.test", v4_only);
  CHECK(w.queries.size() == 2 * first);
}

TEST_CASE("TTL-08: a thousand callers at once for one cold name make one query per type") {
  simulated_world w;
  w.server(0, zone{{{"example.test", {"192.0.2.1", "2001:db8::1"}}}});
  std::vector<std::uint64_t> ids;
  for (int i = 0; i < 1000; ++i) ids.push_back(w.resolve("example.test"));
  w.run();
  for (const auto id : ids) CHECK(w.outcome(id).endpoints.size() == 2);
  CHECK(w.queries_for(rr_type::a) == 1);
  CHECK(w.queries_for(rr_type::aaaa) == 1);
}

TEST_CASE("DNS-12: the search list is gone through until a name exists, ndots deciding what comes first") {
  simulated_world w;
  w.system.dns = core::parse_resolv_conf("search a.test b.test\noptions ndots:2\n");
  w.server(0, zone{{{"www.example.b.test", {"192.0.2.1"}}, {"www.example", {"192.0.2.9"}}}});
  const auto o = w.resolved("www.example");
  REQUIRE(o.endpoints.size() == 1);
  CHECK(short_name(o.endpoints[0]) == "4.1");
  std::vector<std::string> asked;
  for (const auto& q : w.queries)
    if (q.asked.type == rr_type::a) asked.push_back(q.asked.name.to_text());
  CHECK(asked == std::vector<std::string>{"www.example.a.test", "www.example.b.test"});

  w.queries.clear();
  REQUIRE(w.resolved("www.example.").endpoints.size() == 1);
  CHECK(w.queries.size() == 2);  // absolute: as it is
}

TEST_CASE("DNS-12: a failing name ends the search: the next one could be another host") {
  simulated_world w;
  w.system.dns = core::parse_resolv_conf("search a.test\noptions ndots:5\n");
  w.server(0, [](const sent_query& q) -> std::vector<scripted_reply> {
    if (q.asked.name.to_text() == "www.a.test") return {{1ms, make_reply(q, {}, 0, 2)}};
    return {{1ms, make_reply(q, {"192.0.2.1"})}};
  });
  const auto o = w.resolved("www");
  REQUIRE(o.failed);
  CHECK(*o.failed == errc::upstream_failed);
}

TEST_CASE("DNS-12: the hosts file answers before any upstream") {
  simulated_world w;
  w.system.hosts = core::hosts_file::parse("192.0.2.5 printer printer.home\n");
  CHECK(w.resolved("printer").endpoints.size() == 1);
  CHECK(w.queries.empty());
}

TEST_CASE("a resolve does not wait for ever for the family that never answers") {
  simulated_world w;
  w.server(0, [](const sent_query& q) -> std::vector<scripted_reply> {
    if (q.asked.type == rr_type::aaaa) return {};
    return {{5ms, make_reply(q, {"192.0.2.1"})}};
  });
  const auto o = w.resolved("example.test");
  CHECK(o.endpoints.size() == 1);
  CHECK(o.at == 505ms);
  bool told = false;
  for (const auto& q : o.story->queries) told = told || (q.type == 28 && q.ended_as == query_record::outcome::pending);
  CHECK(told);
}

TEST_CASE("DNS-12: of the names in .local those below a searched domain are in DNS, and the others never go out") {
  simulated_world w;
  w.system.dns = core::parse_resolv_conf("search shop.svc.cluster.local cluster.local local\noptions ndots:5\n");
  w.server(0, zone{.addresses = {{"web.shop.svc.cluster.local", {"192.0.2.1"}}}});
  for (const char* asked : {"web", "web.shop.svc", "web.shop.svc.cluster.local", "web.shop.svc.Cluster.Local."}) {
    CAPTURE(asked);
    CHECK(w.resolved(asked).endpoints.size() == 1);
  }
  w.queries.clear();
  CHECK(*w.resolved("printer.local").failed == errc::name_not_found);
  CHECK(*w.resolved("web.other-cluster.local").failed == errc::name_not_found);
  CHECK(w.queries.empty());
}

TEST_CASE("special names never go out (RFC 6761)") {
  simulated_world w;
  CHECK(w.resolved("localhost").endpoints.size() == 2);
  CHECK(*w.resolved("x.invalid").failed == errc::name_not_found);
  CHECK(*w.resolved("x.onion").failed == errc::name_not_found);
  CHECK(*w.resolved("printer.local").failed == errc::name_not_found);
  CHECK(w.queries.empty());
}

}  // namespace lbresolve::test
