// Answers past their time, in whole lookups and connects (RFC 8767).
#include "support/simulated_world.hpp"

#include <doctest/doctest.h>

#include <algorithm>

namespace lbresolve::test {

using core::rr_type;

namespace {

const resolve_options v4_only{.families = families::ipv4_only};

/// One name with one address and TTL 60, known; 100 s have passed, and its server does `script` from now on.
void past_its_time(simulated_world& w, server_script script, std::chrono::seconds window = 3'600s) {
  w.chosen.cache.stale_window = window;
  w.server(0, zone{{{"example.test", {"192.0.2.1"}}}});
  w.resolved("example.test", v4_only);
  w.queries.clear();
  w.pass(100s).server(0, std::move(script));
}

server_script silent() {
  return [](const sent_query&) -> std::vector<scripted_reply> { return {}; };
}

server_script servfail(duration after = 5ms) {
  return [after](const sent_query& q) -> std::vector<scripted_reply> { return {{after, make_reply(q, {}, 0, 2)}}; };
}

std::size_t records_from(const world_outcome& o, query_record::source from) {
  return static_cast<std::size_t>(std::count_if(o.story->queries.begin(), o.story->queries.end(),
                                                [&](const query_record& q) { return q.from == from; }));
}

bool notes_contain(const world_outcome& o, const std::string& text) {
  return std::any_of(o.story->notes.begin(), o.story->notes.end(),
                     [&](const std::string& n) { return n.find(text) != std::string::npos; });
}

}  // namespace

TEST_CASE("TTL-06: while upstreams are silent, a resolve takes the stale answer after 1.8 s, for 30 s") {
  simulated_world w;
  past_its_time(w, silent());
  const auto o = w.resolved("example.test", v4_only);
  REQUIRE(o.endpoints.size() == 1);
  CHECK(short_name(o.endpoints[0]) == "4.1");
  CHECK(o.ttl == 30s);
  CHECK(o.story->took == 1'800ms);
  CHECK(records_from(o, query_record::source::stale) == 1);
  CHECK(records_from(o, query_record::source::network) == 1);
  CHECK(notes_contain(o, "41 s past its time (RFC 8767)"));
}

TEST_CASE("TTL-06: a query that fails is answered from what is stale at once") {
  simulated_world w;
  past_its_time(w, servfail());
  const auto o = w.resolved("example.test", v4_only);
  CHECK(o.endpoints.size() == 1);
  CHECK(o.ttl == 30s);
  CHECK(o.story->took < 100ms);
}

TEST_CASE("TTL-06: a new answer in time is used, and the old one is not") {
  simulated_world w;
  past_its_time(w, zone{.addresses = {{"example.test", {"192.0.2.2"}}}, .after = 1'799ms});
  const auto o = w.resolved("example.test", v4_only);
  REQUIRE(o.endpoints.size() == 1);
  CHECK(short_name(o.endpoints[0]) == "4.2");
  CHECK(o.ttl == 60s);
  CHECK(records_from(o, query_record::source::stale) == 0);
}

TEST_CASE("TTL-06: a new answer that comes too late for the caller still reaches the cache") {
  simulated_world w;
  past_its_time(w, zone{.addresses = {{"example.test", {"192.0.2.2"}}}, .after = 1'900ms});
  CHECK(short_name(w.resolved("example.test", v4_only).endpoints.at(0)) == "4.1");
  const auto sent = w.queries.size();
  CHECK(short_name(w.resolved("example.test", v4_only).endpoints.at(0)) == "4.2");
  CHECK(w.queries.size() == sent);
}

TEST_CASE("TTL-06: NXDOMAIN and NODATA are answers: nothing stale is used over them") {
  simulated_world w;
  int rcode = 0;
  SUBCASE("NXDOMAIN") { rcode = 3; }
  SUBCASE("NODATA") {}
  past_its_time(w, [rcode](const sent_query& q) -> std::vector<scripted_reply> {
    return {{5ms, make_reply(q, {}, 0, static_cast<unsigned>(rcode))}};
  });
  CHECK(w.resolved("example.test", v4_only).endpoints.empty());
  w.pass(31s).server(0, silent());
  CHECK(w.resolved("example.test", v4_only).endpoints.empty());
}

TEST_CASE("TTL-06: after a failed try the stale answer is used at once, and the next try is at least 30 s later") {
  simulated_world w;
  SUBCASE("a failure") { past_its_time(w, servfail()); }
  SUBCASE("silence") { past_its_time(w, silent()); }
  w.resolved("example.test", v4_only);
  const auto sent = w.queries.size();
  const auto last = w.queries.back().at;
  for (int i = 0; i < 4; ++i) {
    const auto o = w.pass(4s).resolved("example.test", v4_only);
    CHECK(o.endpoints.size() == 1);
    CHECK(o.story->took == 0ms);
    CHECK(o.ttl == 30s);
  }
  CHECK(w.queries.size() == sent);
  w.pass(30s).resolved("example.test", v4_only);
  CHECK(w.queries.size() > sent);
  CHECK(w.queries[sent].at - last >= 30s);
}

TEST_CASE("TTL-06: failures do not extend the window") {
  simulated_world w;
  past_its_time(w, servfail(), 120s);  // stale for 40 s by now
  CHECK(w.resolved("example.test", v4_only).endpoints.size() == 1);
  w.pass(40s);
  CHECK(w.resolved("example.test", v4_only).endpoints.size() == 1);
  w.pass(41s);
  CHECK(w.resolved("example.test", v4_only).endpoints.empty());
}

TEST_CASE("TTL-06: it is off unless chosen, and can be refused for one call") {
  simulated_world off;
  past_its_time(off, servfail(), 0s);
  CHECK(off.resolved("example.test", v4_only).endpoints.empty());

  simulated_world refused;
  past_its_time(refused, servfail());
  CHECK(refused.resolved("example.test", {.families = families::ipv4_only, .use_stale = false}).endpoints.empty());
  CHECK(refused.resolved("example.test", {.families = families::ipv4_only, .use_cache = false}).endpoints.empty());
}

TEST_CASE("TTL-06: a deadline before the client timer is met with the stale answer") {
  simulated_world w;
  past_its_time(w, silent());
  const auto o = w.resolved("example.test", {.timeout = 200ms, .families = families::ipv4_only});
  CHECK(o.endpoints.size() == 1);
  CHECK(o.story->took == 200ms);
}

TEST_CASE("TTL-06: one family new, the other stale: both are given") {
  simulated_world w;
  w.chosen.cache.stale_window = 3'600s;
  w.server(0, zone{{{"example.test", {"192.0.2.1", "2001:db8::1"}}}});
  w.resolved("example.test");
  w.pass(100s).server(0, [](const sent_query& q) -> std::vector<scripted_reply> {
    if (q.asked.type == rr_type::a) return {};
    return {{5ms, make_reply(q, {"2001:db8::2"})}};
  });
  const auto o = w.resolved("example.test");
  REQUIRE(o.endpoints.size() == 2);
  CHECK(short_name(o.endpoints[0]) == "6.2");
  CHECK(short_name(o.endpoints[1]) == "4.1");
  CHECK(o.story->took == 505ms);
}

namespace {

const connect_options connect_v4{.families = families::ipv4_only};

}  // namespace

TEST_CASE("HE-17: a stale address is connected to at once, and one refresh goes out") {
  simulated_world w;
  past_its_time(w, zone{.addresses = {{"example.test", {"192.0.2.2"}}}, .after = 1s});
  w.endpoint_is("192.0.2.1:80", connects(10ms));
  const auto o = w.connected("example.test:80", connect_v4);
  CHECK(short_name(o.peer) == "4.1");
  CHECK(o.story->took == 10ms);
  CHECK(w.queries.size() == 1);
  CHECK(notes_contain(o, "40 s past its time (RFC 8767): tried at once, and asked for again"));
  // HE-18: the answer after the win reached the cache.
  CHECK(short_name(w.resolved("example.test", v4_only).endpoints.at(0)) == "4.2");
  CHECK(w.queries.size() == 1);
}

TEST_CASE("HE-17: both families stale, the first attempt does not wait for the refresh") {
  simulated_world w;
  w.chosen.cache.stale_window = 3'600s;
  w.server(0, zone{{{"example.test", {"192.0.2.1", "2001:db8::1"}}}});
  w.resolved("example.test");
  w.queries.clear();
  w.pass(100s).server(0, silent());
  w.endpoint_is("[2001:db8::1]:80", connects(10ms));
  const auto o = w.connected("example.test:80");
  CHECK(short_name(o.peer) == "6.1");
  CHECK(o.story->took == 10ms);
}

TEST_CASE("HE-17: new addresses join the race that stale ones began") {
  simulated_world w;
  past_its_time(w, zone{.addresses = {{"example.test", {"192.0.2.2"}}}, .after = 30ms});
  w.endpoint_is("192.0.2.2:80", connects(10ms));  // the old one hangs
  const auto o = w.connected("example.test:80", connect_v4);
  CHECK(short_name(o.peer) == "4.2");
  CHECK(o.story->took == 260ms);
  CHECK(w.queries.size() == 1);
}

TEST_CASE("HE-17: when all stale addresses fail, the refresh is waited for, and starts at once") {
  simulated_world w;
  past_its_time(w, zone{.addresses = {{"example.test", {"192.0.2.1", "192.0.2.2"}}}, .after = 700ms});
  w.endpoint_is("192.0.2.1:80", refuses(1ms)).endpoint_is("192.0.2.2:80", connects(10ms));
  const auto o = w.connected("example.test:80", connect_v4);
  CHECK(short_name(o.peer) == "4.2");
  CHECK(o.story->took == 710ms);
  CHECK(w.queries.size() == 1);
  CHECK(o.story->attempts.size() == 2);
}

TEST_CASE("HE-17: stale addresses fail and the refresh too: lost with what the addresses said, asked once") {
  simulated_world w;
  past_its_time(w, servfail(100ms));
  w.endpoint_is("192.0.2.1:80", refuses(1ms));
  const auto o = w.connected("example.test:80", connect_v4);
  REQUIRE(o.failed);
  CHECK(*o.failed == std::errc::connection_refused);
  CHECK(o.story->took == 100ms);
  CHECK(w.queries.size() == 1);
}

TEST_CASE("HE-17, TTL-06: an NXDOMAIN from the refresh drops the stale addresses not yet tried") {
  simulated_world w;
  w.chosen.cache.stale_window = 3'600s;
  w.server(0, zone{{{"example.test", {"192.0.2.1", "192.0.2.2"}}}});
  w.resolved("example.test", v4_only);
  w.pass(100s).server(0, zone{.addresses = {}, .after = 20ms});
  w.endpoint_is("192.0.2.1:80", refuses(100ms)).endpoint_is("192.0.2.2:80", connects(10ms));
  const auto o = w.connected("example.test:80", connect_v4);
  CHECK_FALSE(o.connected);
  CHECK(w.opened.size() == 1);
}

TEST_CASE("HE-17: connects to a name whose refresh fails ask at most every 30 s") {
  simulated_world w;
  past_its_time(w, silent());
  w.endpoint_is("192.0.2.1:80", connects(10ms));
  w.connected("example.test:80", connect_v4);
  const auto sent = w.queries.size();
  for (int i = 0; i < 5; ++i) CHECK(w.pass(1s).connected("example.test:80", connect_v4).connected);
  CHECK(w.queries.size() == sent);
}

TEST_CASE("HE-17: without leave nothing stale is connected to") {
  simulated_world w;
  past_its_time(w, servfail());
  w.endpoint_is("192.0.2.1:80", connects(10ms));
  CHECK_FALSE(w.connected("example.test:80", {.families = families::ipv4_only, .use_stale = false}).connected);
  CHECK(w.opened.empty());
}

}  // namespace lbresolve::test
