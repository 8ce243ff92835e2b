// Queries against simulated upstreams in virtual time: failover, truncation, EDNS, 0x20, deadlines.
#include "support/simulated_world.hpp"

#include <doctest/doctest.h>

#include <cerrno>

namespace lbresolve::test {

namespace {

const resolve_options v4_only{.families = families::ipv4_only};
const zone example{{{"example.test", {"192.0.2.1"}}}};

/// Turns every ASCII letter of the question to lower case: a server that folds case.
std::vector<std::uint8_t> folded(std::vector<std::uint8_t> reply) {
  for (std::size_t i = 12; i < reply.size() && reply[i] != 0; ++i)
    if (reply[i] >= 'A' && reply[i] <= 'Z') reply[i] = static_cast<std::uint8_t>(reply[i] + 32);
  return reply;
}

}  // namespace

TEST_CASE("DNS-01: a truncated answer is asked again over TCP at the same server") {
  simulated_world w;
  w.server(0, [](const sent_query& q) -> std::vector<scripted_reply> {
    return {{5ms, make_reply(q, {"192.0.2.1"}, 60, 0, q.over == transport::udp)}};
  });
  const auto o = w.resolved("example.test", v4_only);
  CHECK(o.endpoints.size() == 1);
  REQUIRE(w.queries.size() == 2);
  CHECK(w.queries[0].over == transport::udp);
  CHECK(w.queries[1].over == transport::tcp);
  CHECK(o.story->queries[0].detail == "truncated: asked again over TCP");
}

TEST_CASE("DNS-02: a server that refuses EDNS is asked once without, remembered, and tried again later") {
  for (const unsigned rcode : {1U, 4U}) {
    CAPTURE(rcode);
    simulated_world w;
    w.server(0, [rcode](const sent_query& q) -> std::vector<scripted_reply> {
      if (q.has_edns()) return {{1ms, make_reply(q, {}, 0, rcode, false, 0)}};
      return {{1ms, make_reply(q, {"192.0.2.1"}, 1)}};
    });
    CHECK(w.resolved("example.test", v4_only).endpoints.size() == 1);
    REQUIRE(w.queries.size() == 2);
    CHECK_FALSE(w.queries[1].has_edns());
    w.pass(2s).resolved("example.test", v4_only);
    CHECK(w.queries.size() == 3);  // remembered: straight without
    w.pass(11min).resolved("example.test", v4_only);
    CHECK(w.queries.size() == 5);  // forgotten again
  }
}

TEST_CASE("DNS-02: a header-only FORMERR means the same") {
  simulated_world w;
  w.server(0, [](const sent_query& q) -> std::vector<scripted_reply> {
    if (!q.has_edns()) return {{1ms, make_reply(q, {"192.0.2.1"})}};
    auto header = make_reply(q, {}, 0, 1, false, 0);
    header.resize(12);
    header[5] = 0;  // no question
    return {{1ms, header}};
  });
  CHECK(w.resolved("example.test", v4_only).endpoints.size() == 1);
  CHECK(w.queries.size() == 2);
}

TEST_CASE("DNS-02: a server that refuses with and without EDNS is not asked for ever") {
  simulated_world w;
  w.server(0, [](const sent_query& q) -> std::vector<scripted_reply> {
    return {{1ms, make_reply(q, {}, 0, 1, false, 0)}};
  });
  CHECK(*w.resolved("example.test", v4_only).failed == errc::upstream_failed);
  CHECK(w.queries.size() == 2);
}

TEST_CASE("DNS-04: a query ends by its deadline, whatever the servers do") {
  simulated_world w(2);
  const auto o = w.resolved("example.test", v4_only);
  REQUIRE(o.failed);
  CHECK(o.at > 4s);  // two rounds of 2 s
  CHECK(o.at <= 5s);
  CHECK(w.open_exchanges.empty());
}

TEST_CASE("DNS-09: a dead first upstream costs the hedge delay once, and is asked last afterwards") {
  simulated_world w(2);
  w.server(1, zone{.addresses = {{"example.test", {"192.0.2.1"}}}, .ttl = 0, .after = 5ms});
  const auto first = w.resolved("example.test", v4_only);
  CHECK(first.endpoints.size() == 1);
  CHECK(first.at == 305ms);
  const auto second = w.resolved("example.test", v4_only);
  CHECK(second.at - first.at == 5ms);
  CHECK(w.open_exchanges.empty());
}

TEST_CASE("DNS-09: a dead upstream that comes back is used again") {
  simulated_world w(2);
  w.chosen.query.choice = upstream_choice::ordered;  // of the fastest, upstreams_test has more to say
  w.server(1, zone{.addresses = {{"example.test", {"192.0.2.1"}}}, .ttl = 0, .after = 5ms});
  w.resolved("example.test", v4_only);
  w.server(0, zone{.addresses = {{"example.test", {"192.0.2.7"}}}, .ttl = 0, .after = 5ms});
  w.pass(2s);  // the first backoff is 1 s, give or take 20 %
  const auto o = w.resolved("example.test", v4_only);
  REQUIRE(o.endpoints.size() == 1);
  CHECK(short_name(o.endpoints[0]) == "4.7");
}

TEST_CASE("a SERVFAIL or REFUSED from one upstream is answered by the next at once") {
  for (const unsigned rcode : {2U, 5U}) {
    simulated_world w(2);
    w.server(0, [rcode](const sent_query& q) -> std::vector<scripted_reply> {
      return {{5ms, make_reply(q, {}, 0, rcode)}};
    });
    w.server(1, example);
    const auto o = w.resolved("example.test", v4_only);
    CHECK(o.endpoints.size() == 1);
    CHECK(o.at == 10ms);
  }
}

TEST_CASE("NXDOMAIN from one upstream is the answer: the next is not asked") {
  simulated_world w(2);
  w.server(0, zone{}).server(1, example);
  CHECK(*w.resolved("example.test", v4_only).failed == errc::name_not_found);
  CHECK(w.queries.size() == 1);
}

TEST_CASE("an upstream that refuses the packet is followed by the next at once") {
  simulated_world w(2);
  w.server(0, [](const sent_query&) -> std::vector<scripted_reply> {
    return {{1ms, {}, std::error_code(ECONNREFUSED, std::system_category())}};
  });
  w.server(1, example);
  CHECK(w.resolved("example.test", v4_only).at == 6ms);
}

TEST_CASE("when no upstream can be reached the error names each one and why") {
  simulated_world w(2);
  w.server(0, [](const sent_query&) -> std::vector<scripted_reply> {
    return {{1ms, {}, std::error_code(ECONNREFUSED, std::system_category())}};
  });
  w.server(1, [](const sent_query& q) -> std::vector<scripted_reply> { return {{1ms, make_reply(q, {}, 0, 5)}}; });
  const auto o = w.resolved("example.test", v4_only);
  REQUIRE(o.failed);
  CHECK(o.failed->message() ==
        "no upstream could answer for example.test: 198.51.100.1:53: Connection refused; "
        "198.51.100.2:53: answered REFUSED");
}

TEST_CASE("what a transport says besides its code stands in the error and in the trace") {
  simulated_world w;
  w.server(0, [](const sent_query&) -> std::vector<scripted_reply> {
    return {{1ms, {}, std::error_code(EPROTO, std::system_category()), "it answered with HTTP status 503"}};
  });
  const auto o = w.resolved("example.test", v4_only);
  REQUIRE(o.failed);
  CHECK(o.failed->message() ==
        "no upstream could answer for example.test: 198.51.100.1:53: it answered with HTTP status 503");
  REQUIRE(o.story);
  REQUIRE_FALSE(o.story->queries.empty());
  CHECK(o.story->queries[0].detail == "it answered with HTTP status 503");
  CHECK(o.story->queries[0].code == std::errc::protocol_error);
}

TEST_CASE("TTL-05: failures that cost nobody anything are not remembered") {
  simulated_world w;
  w.server(0, [](const sent_query&) -> std::vector<scripted_reply> {
    return {{1ms, {}, std::error_code(ENETUNREACH, std::system_category())}};
  });
  CHECK(w.resolved("example.test", v4_only).failed);
  w.server(0, example);
  CHECK(w.resolved("example.test", v4_only).endpoints.size() == 1);
}

TEST_CASE("0x20: a server that folds case is asked over TCP, and then without 0x20") {
  simulated_world w;
  w.server(0, [](const sent_query& q) -> std::vector<scripted_reply> {
    return {{1ms, folded(make_reply(q, {"192.0.2.1"}, 1))}};
  });
  CHECK(w.resolved("a-rather-long-name.example.test", v4_only).endpoints.size() == 1);
  REQUIRE(w.queries.size() == 2);
  CHECK(w.queries[1].over == transport::tcp);
  w.pass(2s);
  CHECK(w.resolved("a-rather-long-name.example.test", v4_only).endpoints.size() == 1);
  REQUIRE(w.queries.size() == 3);
  CHECK(w.queries[2].over == transport::udp);
}

TEST_CASE("0x20: a forger who folds case cannot get an answer in") {
  simulated_world w;
  w.server(0, [](const sent_query& q) -> std::vector<scripted_reply> {
    if (q.over == transport::tcp) return {{5ms, make_reply(q, {"192.0.2.1"})}};
    return {{1ms, folded(make_reply(q, {"192.0.2.66"}))}, {5ms, make_reply(q, {"192.0.2.1"})}};
  });
  const auto o = w.resolved("a-rather-long-name.example.test", v4_only);
  REQUIRE(o.endpoints.size() == 1);
  CHECK(short_name(o.endpoints[0]) == "4.1");
}

TEST_CASE("SEC-06: a malformed answer to the right question goes to TCP") {
  simulated_world w;
  w.server(0, [](const sent_query& q) -> std::vector<scripted_reply> {
    auto reply = make_reply(q, {"192.0.2.1"});
    if (q.over == transport::udp) reply.resize(reply.size() - 3);
    return {{1ms, reply}};
  });
  CHECK(w.resolved("example.test", v4_only).endpoints.size() == 1);
  REQUIRE(w.queries.size() == 2);
  CHECK(w.queries[1].over == transport::tcp);
}

TEST_CASE("never two identical queries in flight to one upstream") {
  simulated_world w(3);
  const auto o = w.resolved("example.test", v4_only);
  CHECK(o.failed);
  // Each server is silent: it is asked again only after its try has timed out (2 s).
  for (std::size_t i = 0; i < w.queries.size(); ++i)
    for (std::size_t k = i + 1; k < w.queries.size(); ++k)
      if (w.queries[i].server == w.queries[k].server) CHECK(w.queries[k].at - w.queries[i].at >= 2s);
  CHECK(w.queries.size() > 3);
}

TEST_CASE("DNS-12: rotate, timeout and attempts of the system's configuration hold for its servers") {
  simulated_world w(2);
  w.chosen.servers.clear();
  w.system.dns = core::parse_resolv_conf(
      "nameserver 198.51.100.1\nnameserver 198.51.100.2\noptions rotate timeout:1 attempts:1\n");
  w.server(0, zone{.addresses = {{"example.test", {"192.0.2.1"}}}, .ttl = 0, .after = 5ms});
  w.server(1, zone{.addresses = {{"example.test", {"192.0.2.1"}}}, .ttl = 0, .after = 5ms});
  for (int i = 0; i < 4; ++i) w.resolved("example.test", v4_only);
  REQUIRE(w.queries.size() == 4);
  CHECK(w.queries[0].server != w.queries[1].server);
  CHECK(w.queries[0].server == w.queries[2].server);
  w.server(0, nullptr).server(1, nullptr);
  const auto begun = w.queries.back().at;
  const auto o = w.resolved("example.test", v4_only);
  CHECK(o.failed);
  CHECK(o.at - begun <= 1400ms);  // one round of 1 s, the second server joining after its hedge delay
}

}  // namespace lbresolve::test
