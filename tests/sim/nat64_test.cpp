// A host without IPv4 behind a NAT64, in whole lookups and connects.
#include "support/simulated_world.hpp"

#include <doctest/doctest.h>

#include <algorithm>

namespace lbresolve::test {

namespace {

void behind_nat64(simulated_world& w, const std::string& prefix = "64:ff9b::/96") {
  w.has_ipv4 = false;
  w.chosen.nat64_prefix = prefix;
}

bool notes(const world_outcome& o, const std::string& text) {
  return std::find(o.story->notes.begin(), o.story->notes.end(), text) != o.story->notes.end();
}

}  // namespace

TEST_CASE("HE-60: a host without IPv4 connects to what the NAT64 has for an A record, and says so") {
  simulated_world w;
  behind_nat64(w);
  w.server(0, zone{{{"example.test", {"192.0.2.1"}}}});
  w.endpoint_is("[64:ff9b::c000:201]:80", connects(10ms));
  const auto o = w.connected("example.test:80");
  REQUIRE(o.connected);
  CHECK(o.peer.to_string() == "[64:ff9b::c000:201]:80");
  CHECK(w.opened.size() == 1);
  CHECK(notes(o, "64:ff9b::c000:201 stands for 192.0.2.1, which has no route (NAT64, RFC 6052)"));
}

TEST_CASE("HE-60: likewise an IPv4 literal, without a query") {
  simulated_world w;
  behind_nat64(w, "2001:db8:122::/48");
  w.endpoint_is("[2001:db8:122:c000:2:2100::]:80", connects(10ms));
  CHECK(w.connected("192.0.2.33:80").connected);
  const auto found = w.resolved("192.0.2.33");
  REQUIRE(found.endpoints.size() == 1);
  CHECK(found.endpoints[0].address.to_string() == "2001:db8:122:c000:2:2100::");
  CHECK(w.queries.empty());
}

TEST_CASE("HE-60: resolve gives the translated address where there is no IPv4") {
  simulated_world w;
  behind_nat64(w);
  w.server(0, zone{{{"example.test", {"192.0.2.1"}}}});
  const auto o = w.resolved("example.test");
  REQUIRE(o.endpoints.size() == 1);
  CHECK(o.endpoints[0].address.to_string() == "64:ff9b::c000:201");
  CHECK(notes(o, "64:ff9b::c000:201 stands for 192.0.2.1, which has no route (NAT64, RFC 6052)"));
}

TEST_CASE("HE-60: true IPv6 addresses go first, and the translated ones take turns as IPv4") {
  simulated_world w;
  behind_nat64(w);
  w.server(0, zone{{{"example.test", {"2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2"}}}});
  const auto o = w.resolved("example.test");
  std::vector<std::string> order;
  for (const auto& e : o.endpoints) order.push_back(e.address.to_string());
  CHECK(order == std::vector<std::string>{"2001:db8::1", "64:ff9b::c000:201", "2001:db8::2", "64:ff9b::c000:202"});
}

TEST_CASE("HE-60, HE-38: what DNS64 has already made is tried once") {
  simulated_world w;
  behind_nat64(w);
  w.server(0, zone{{{"example.test", {"64:ff9b::c000:201", "192.0.2.1"}}}});
  w.endpoint_is("[64:ff9b::c000:201]:80", refuses(1ms));
  CHECK_FALSE(w.connected("example.test:80").connected);
  CHECK(w.opened.size() == 1);
}

TEST_CASE("HE-60: 127/8, 0/8 and 169.254/16 are never translated, nor anything on a host with IPv4 or with -4") {
  for (const char* literal : {"127.0.0.1:80", "0.0.0.1:80", "169.254.1.1:80"}) {
    simulated_world w;
    behind_nat64(w);
    w.connected(literal);
    for (const auto& [when, to] : w.opened) CHECK(to == literal);
  }
  simulated_world both;
  behind_nat64(both);
  both.has_ipv4 = true;
  both.endpoint_is("192.0.2.1:80", connects(10ms));
  CHECK(both.connected("192.0.2.1:80").peer.to_string() == "192.0.2.1:80");

  simulated_world v4_only;
  behind_nat64(v4_only);
  v4_only.connected("192.0.2.1:80", {.families = families::ipv4_only});
  for (const auto& [when, to] : v4_only.opened) CHECK(to == "192.0.2.1:80");
}

}  // namespace lbresolve::test
