// The rebinding filter in whole lookups.
#include "support/simulated_world.hpp"

#include <doctest/doctest.h>

#include <algorithm>

namespace lbresolve::test {

namespace {

simulated_world& filtering(simulated_world& w) {
  w.chosen.rebinding_filter = true;
  return w;
}

bool notes(const world_outcome& o, const std::string& sentence) {
  const auto& all = o.story->notes;
  return std::find(all.begin(), all.end(), sentence) != all.end();
}

octets ipv4_hint(const char* address) { return svc_param(4, address_data(address)); }

}  // namespace

TEST_CASE("SEC-09: private addresses are left out of an answer, with a note for each, and the others stay") {
  simulated_world w;
  filtering(w).server(0, zone{{{"evil.test", {"192.168.0.1", "192.0.2.1", "127.0.0.1", "::ffff:10.0.0.1"}}}});
  const auto o = w.resolved("evil.test");
  REQUIRE(o.endpoints.size() == 1);
  CHECK(short_name(o.endpoints[0]) == "4.1");
  CHECK(notes(o, "rebinding filter: 192.168.0.1 (private, RFC 1918) of evil.test is left out"));
  CHECK(notes(o, "rebinding filter: 127.0.0.1 (loopback, RFC 1122) of evil.test is left out"));
  CHECK(notes(o, "rebinding filter: ::ffff:10.0.0.1 (private, RFC 1918) of evil.test is left out"));
}

TEST_CASE("SEC-09: where nothing is left the error says what was left out, from the cache too, and no socket opens") {
  simulated_world w;
  filtering(w).server(0, zone{{{"evil.test", {"10.0.0.1", "fd00::1"}}}});
  for (int i = 0; i < 2; ++i) {
    const auto o = w.connected("evil.test:80");
    REQUIRE(o.failed);
    CHECK(*o.failed == errc::no_addresses);
    const std::string why = o.failed->message();
    CHECK_MESSAGE(why.find("has only addresses that the rebinding filter leaves out: ") != std::string::npos, why);
    CHECK(why.find("10.0.0.1 (private, RFC 1918)") != std::string::npos);
    CHECK(why.find("fd00::1 (unique local, RFC 4193)") != std::string::npos);
    CHECK(notes(o, "rebinding filter: 10.0.0.1 (private, RFC 1918) of evil.test is left out"));
  }
  CHECK(w.opened.empty());
  CHECK(w.queries.size() == 2);
}

TEST_CASE("SEC-09: without the filter, and for allowed domains, private addresses are addresses") {
  const zone all{
      {{"printer.home.test", {"192.168.0.9"}}, {"home.test", {"192.168.0.1"}}, {"nothome.test", {"10.0.0.1"}}}};
  simulated_world off;
  CHECK(off.server(0, all).resolved("printer.home.test").endpoints.size() == 1);
  simulated_world w;
  filtering(w).server(0, all);
  w.chosen.rebinding_allowed = {"Home.Test."};
  CHECK(w.resolved("printer.home.test").endpoints.size() == 1);
  CHECK(w.resolved("home.test").endpoints.size() == 1);
  CHECK(w.resolved("nothome.test").failed);
}

TEST_CASE("SEC-09: what the user wrote is not filtered: a literal, the hosts file, localhost") {
  simulated_world w;
  w.system.hosts = core::hosts_file::parse("192.168.0.9 printer\n");
  filtering(w);
  CHECK(w.resolved("127.0.0.1").endpoints.size() == 1);
  CHECK(w.resolved("printer").endpoints.size() == 1);
  CHECK(w.resolved("localhost").endpoints.size() == 2);
}

TEST_CASE("SEC-09: hints of HTTPS records are filtered") {
  simulated_world w;
  zone z{{{"evil.test", {"192.0.2.1"}}}};
  z.records[{"evil.test", core::rr_type::https}] = {binding_data(1, ".", ipv4_hint("127.0.0.1"))};
  z.later[{"evil.test", core::rr_type::a}] = 40ms;
  z.later[{"evil.test", core::rr_type::aaaa}] = 40ms;
  filtering(w).server(0, z).endpoint_is("192.0.2.1:443", connects(10ms));
  const auto o = w.connected("https://evil.test");
  CHECK(o.connected);
  for (const auto& [when, to] : w.opened) CHECK(to == "192.0.2.1:443");
  CHECK(notes(o, "rebinding filter: 127.0.0.1 (loopback, RFC 1122) of evil.test is left out"));
}

TEST_CASE("SEC-09: hosts that SRV records name are filtered by their own names") {
  simulated_world w;
  zone z{{{"a.test", {"10.0.0.1"}}, {"b.test", {"192.0.2.1"}}}};
  z.records[{"_x._tcp.evil.test", core::rr_type::srv}] = {srv_data(1, 1, 80, labels("a.test")),
                                                          srv_data(2, 1, 80, labels("b.test"))};
  filtering(w).server(0, z);
  const auto o = w.resolved("_x._tcp.evil.test");
  REQUIRE(o.endpoints.size() == 1);
  CHECK(o.endpoints[0].to_string() == "192.0.2.1:80");
}

TEST_CASE("SEC-09: answers past their time are filtered") {
  simulated_world w;
  w.chosen.cache.stale_window = std::chrono::hours(1);
  filtering(w).server(0, zone{.addresses = {{"evil.test", {"10.0.0.1", "192.0.2.1"}}}, .ttl = 1});
  CHECK(w.resolved("evil.test").endpoints.size() == 1);
  w.server(0, nullptr).pass(1min);
  const auto o = w.resolved("evil.test");
  REQUIRE(o.endpoints.size() == 1);
  CHECK(short_name(o.endpoints[0]) == "4.1");
}

TEST_CASE("SEC-09: a name whose addresses were left out is there, and the search list goes no further") {
  simulated_world w;
  w.system.dns = core::parse_resolv_conf("search one.test two.test\n");
  filtering(w).server(0, zone{{{"www.one.test", {"10.0.0.1"}}, {"www.two.test", {"192.0.2.1"}}}});
  CHECK(w.resolved("www").failed);
}

}  // namespace lbresolve::test
