// RFC 6724: the policy table, scopes, and the examples of section 10.2 that concern destinations.
#include "core/address_selection.hpp"

#include "core/order.hpp"
#include "support/test_random.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

namespace lbresolve::test {
namespace {

address ip(const char* text) {
  const auto a = address::parse(text);
  REQUIRE_MESSAGE(a.has_value(), text);
  return *a;
}

core::candidate route(const char* destination, const char* source) {
  core::candidate c;
  c.endpoint = {ip(destination), 443};
  if (source != nullptr) c.source = ip(source);
  return c;
}

/// The order that comes out of both orders of the answer; they must agree.
std::vector<std::string> both_ways(std::vector<core::candidate> candidates) {
  test_random random;
  const core::order_settings in_order{policy::in_order};
  const auto text = [](const std::vector<core::candidate>& all) {
    std::vector<std::string> out;
    out.reserve(all.size());
    for (const auto& c : all) out.push_back(c.endpoint.address.to_string());
    return out;
  };
  auto forwards = text(core::order(candidates, in_order, random));
  const auto backwards = text(core::order({candidates.rbegin(), candidates.rend()}, in_order, random));
  CHECK(forwards == backwards);
  return forwards;
}

using names = std::vector<std::string>;

TEST_CASE("RFC 6724 section 2.1: the default policy table, row by row") {
  const auto check = [](const char* text, int precedence, int label) {
    CAPTURE(text);
    const auto p = core::policy_of(ip(text));
    CHECK(int{p.precedence} == precedence);
    CHECK(int{p.label} == label);
  };
  check("::1", 50, 0);
  check("2001:db8::1", 40, 1);
  check("ff02::1", 40, 1);
  check("fe80::1", 40, 1);
  check("::ffff:192.0.2.1", 35, 4);
  check("192.0.2.1", 35, 4);
  check("2002:c633:6401::1", 30, 2);
  check("2001::1", 5, 5);
  check("2001:0:ffff::1", 5, 5);
  check("2001:1::1", 40, 1);
  check("fc00::1", 3, 13);
  check("fdff::1", 3, 13);
  check("::192.0.2.1", 1, 3);
  check("::2", 1, 3);
  check("fec0::1", 1, 11);
  check("feff::1", 1, 11);
  check("3ffe::1", 1, 12);
  check("3fff::1", 40, 1);
}

TEST_CASE("RFC 6724 sections 3.1 and 3.2: scopes") {
  const auto check = [](const char* text, int scope) {
    CAPTURE(text);
    CHECK(int{core::scope_of(ip(text))} == scope);
  };
  check("::1", core::scope_link_local);
  check("fe80::1", core::scope_link_local);
  check("febf::1", core::scope_link_local);
  check("fec0::1", core::scope_site_local);
  check("fd00::1", core::scope_global);
  check("2001:db8::1", core::scope_global);
  check("::2", core::scope_global);
  check("ff01::1", 1);
  check("ff02::1", 2);
  check("ff0e::1", 14);
  check("127.0.0.1", core::scope_link_local);
  check("169.254.1.1", core::scope_link_local);
  check("169.253.1.1", core::scope_global);
  check("10.0.0.1", core::scope_global);  // "IPv4 private addresses ... are assigned global scope"
  check("192.0.2.1", core::scope_global);
  check("::ffff:127.0.0.1", core::scope_link_local);
  check("::ffff:192.0.2.1", core::scope_global);
}

TEST_CASE("RFC 6724 section 10.2: a source of the same scope is preferred (rule 2)") {
  CHECK(both_ways({route("198.51.100.121", "169.254.13.78"), route("2001:db8:1::1", "2001:db8:1::2")}) ==
        names{"2001:db8:1::1", "198.51.100.121"});
  CHECK(both_ways({route("2001:db8:1::1", "fe80::1"), route("198.51.100.121", "198.51.100.117")}) ==
        names{"198.51.100.121", "2001:db8:1::1"});
}

TEST_CASE("RFC 6724 section 10.2: precedence chooses the family (rule 6)") {
  CHECK(both_ways({route("10.1.2.3", "10.1.2.4"), route("2001:db8:1::1", "2001:db8:1::2")}) ==
        names{"2001:db8:1::1", "10.1.2.3"});
}

TEST_CASE("RFC 6724 section 10.2: the smaller scope is preferred (rule 8)") {
  CHECK(both_ways({route("2001:db8:1::1", "2001:db8:1::2"), route("fe80::1", "fe80::2")}) ==
        names{"fe80::1", "2001:db8:1::1"});
}

TEST_CASE("RFC 6724 section 10.2: a matching label is preferred (rule 5)") {
  CHECK(both_ways({route("2001:db8:1::1", "2002:c633:6401::2"), route("2002:c633:6401::1", "2002:c633:6401::2")}) ==
        names{"2002:c633:6401::1", "2001:db8:1::1"});
}

TEST_CASE("RFC 6724 section 10.2: native before 6to4 when both match (rule 7 stands in for rule 6)") {
  CHECK(both_ways({route("2002:c633:6401::1", "2002:c633:6401::2"), route("2001:db8:1::1", "2001:db8:1::2")}) ==
        names{"2001:db8:1::1", "2002:c633:6401::1"});
}

TEST_CASE("HE-21: IPv6 that can only be reached badly does not go before native IPv4") {
  const auto native = route("192.0.2.1", "198.51.100.1");
  const auto first = [&](const core::candidate& other) { return both_ways({other, native}).front(); };
  CHECK(first(route("2001:db8::1", nullptr)) == "192.0.2.1");                    // no route at all: rule 1
  CHECK(first(route("2001:db8::1", "2002:c633:6401::2")) == "192.0.2.1");        // from 6to4: label
  CHECK(first(route("2001:db8::1", "2001:0:1::2")) == "192.0.2.1");              // from Teredo: label
  CHECK(first(route("2001:db8::1", "fd00::2")) == "192.0.2.1");                  // from a unique local address: label
  CHECK(first(route("2002:c633:6401::1", "2002:c633:6401::2")) == "192.0.2.1");  // 6to4 both ends: precedence
  CHECK(first(route("fd00::1", "fd00::2")) == "192.0.2.1");                      // ULA both ends: precedence
  CHECK(first(route("2001:db8::1", "2001:db8:1::1")) == "2001:db8::1");
  CHECK(first(route("::1", "::1")) == "::1");
}

TEST_CASE("RFC 6724 rule 9 is not applied: the length of the common prefix gives no order") {
  test_random random;
  const auto near = route("2001:db8:1::1", "2001:db8:1::2");
  const auto far = route("2001:db8:3ffe::1", "2001:db8:1::2");
  const core::order_settings in_order{policy::in_order};
  CHECK(core::order({far, near}, in_order, random).front().endpoint == far.endpoint);
  CHECK(core::order({near, far}, in_order, random).front().endpoint == near.endpoint);
}

TEST_CASE("RFC 6724 section 6: what the rules say of one destination") {
  const auto rank = [](const char* to, const char* from) {
    return core::rank_destination(ip(to), from == nullptr ? std::nullopt : std::optional(ip(from)));
  };
  const auto plain = rank("2001:db8::1", "2001:db8::2");
  CHECK_FALSE((plain.unroutable || plain.scope_mismatch || plain.label_mismatch || plain.encapsulated));
  CHECK(rank("2001:db8::1", nullptr).unroutable);
  CHECK(rank("2001:db8::1", "fe80::1").scope_mismatch);
  CHECK(rank("2001:db8::1", "fd00::1").label_mismatch);
  CHECK(rank("2001:db8::1", "2002:c633:6401::2").encapsulated);
  CHECK(rank("2001:db8::1", "2001:0:1::2").encapsulated);
  CHECK(rank("2002:c633:6401::2", "2001:db8::1").encapsulated);
  CHECK(rank("2001:0:1::2", nullptr).encapsulated);
}

TEST_CASE("RFC 6724 section 6: an earlier rule outweighs all later ones") {
  using rank = core::destination_rank;
  // Each is worse than all before it, although those are as bad as can be by the later rules.
  const std::vector<rank> by_preference{
      {.precedence = 50, .scope = 2},
      {.precedence = 50, .scope = 14},
      {.encapsulated = true, .precedence = 50, .scope = 2},
      {.precedence = 49, .scope = 2},
      {.encapsulated = true, .precedence = 1, .scope = 14},
      {.label_mismatch = true, .precedence = 50, .scope = 2},
      {.scope_mismatch = true, .precedence = 50, .scope = 2},
      {.scope_mismatch = true, .label_mismatch = true, .encapsulated = true, .precedence = 1, .scope = 14},
      {.unroutable = true, .precedence = 50, .scope = 2},
  };
  for (std::size_t i = 1; i < by_preference.size(); ++i) {
    CAPTURE(i);
    CHECK(by_preference[i - 1].preference() < by_preference[i].preference());
  }
  const std::vector<rank> by_tier{
      {.precedence = 1, .scope = 2},        {.precedence = 50, .scope = 14},      {.encapsulated = true, .scope = 2},
      {.label_mismatch = true, .scope = 2}, {.scope_mismatch = true, .scope = 2}, {.unroutable = true, .scope = 2},
  };
  for (std::size_t i = 1; i < by_tier.size(); ++i) {
    CAPTURE(i);
    CHECK(by_tier[i - 1].tier() < by_tier[i].tier());
  }
  CHECK(rank{.precedence = 3, .scope = 14}.tier() == rank{.precedence = 40, .scope = 14}.tier());
}

}  // namespace
}  // namespace lbresolve::test
