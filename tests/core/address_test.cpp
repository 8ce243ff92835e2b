#include <lbresolve/endpoint.hpp>

#include "support/test_random.hpp"

#include <doctest/doctest.h>

#include <array>
#include <functional>
#include <string>
#include <unordered_set>
#include <utility>

namespace lbresolve::test {
namespace {

TEST_CASE("IPv4: four decimal numbers up to 255, and nothing else") {
  const auto read = address::parse("192.0.2.1");
  REQUIRE(read);
  CHECK(*read == address::v4({192, 0, 2, 1}));
  CHECK(address::parse("0.0.0.0") == address());
  CHECK(address::parse("255.255.255.255")->to_string() == "255.255.255.255");
  for (const char* text :
       {"",         ".",         "1",         "127.1",     "1.2.3",     "1.2.3.",     ".1.2.3.4",  "1..2.3",
        "1.2.3.4.", "1.2.3.4.5", "256.1.1.1", "1.2.3.999", "01.2.3.4",  "1.2.3.00",   "0x1.2.3.4", "1.2.3.4 ",
        " 1.2.3.4", "+1.2.3.4",  "-1.2.3.4",  "1.2.3.a",   "1.2.3.4%1", "1.2.3.4:53", "[1.2.3.4]", "1,2,3,4"}) {
    CAPTURE(text);
    CHECK_FALSE(address::parse(text));
  }
}

TEST_CASE("IPv6: the forms of RFC 4291 section 2.2 are read") {
  const std::array<std::pair<const char*, const char*>, 14> forms{{
      {"2001:DB8:0:0:8:800:200C:417A", "2001:db8::8:800:200c:417a"},
      {"FF01:0:0:0:0:0:0:101", "ff01::101"},
      {"0:0:0:0:0:0:0:1", "::1"},
      {"0:0:0:0:0:0:0:0", "::"},
      {"::", "::"},
      {"::1", "::1"},
      {"1::", "1::"},
      {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
      {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
      {"0:0:0:0:0:FFFF:129.144.52.38", "::ffff:129.144.52.38"},
      {"::FFFF:129.144.52.38", "::ffff:129.144.52.38"},
      {"::13.1.68.3", "::d01:4403"},
      {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
      {"0001:0020:0300:4000:5:6:7:8", "1:20:300:4000:5:6:7:8"},
  }};
  for (const auto& form : forms) {
    CAPTURE(form.first);
    const auto read = address::parse(form.first);
    REQUIRE(read);
    CHECK(read->is_v6());
    CHECK(read->to_string() == form.second);
  }
}

TEST_CASE("IPv6: what RFC 4291 does not allow is refused") {
  for (const char* text : {":",
                           ":::",
                           "1:2:3:4:5:6:7",
                           "1:2:3:4:5:6:7:8:9",
                           "1:2:3:4:5:6:7:8::",
                           "::1:2:3:4:5:6:7:8",
                           "1::2::3",
                           ":1::2",
                           "1::2:",
                           "12345::",
                           "00001::",
                           "::g",
                           "::1 ",
                           "[::1]",
                           "::1]",
                           "::ffff:1.2.3",
                           "::ffff:1.2.3.4:5",
                           "1.2.3.4::",
                           "1:2:3:4:5:6:7:1.2.3.4",
                           "::1.2.3.256",
                           "0x1::",
                           "::-1",
                           "::%1%2",
                           "fe80::1%",
                           "fe80::1%eth0",
                           "fe80::1%-1",
                           "fe80::1%4294967296",
                           "::/64"}) {
    CAPTURE(text);
    CHECK_FALSE(address::parse(text));
  }
}

TEST_CASE("IPv6 text is canonical by RFC 5952 section 4") {
  const std::array<std::pair<const char*, const char*>, 9> forms{{
      {"2001:0db8::0001", "2001:db8::1"},                // 4.1 no leading zeros
      {"2001:db8:0:0:0:0:2:1", "2001:db8::2:1"},         // 4.2.1 as short as possible
      {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},  // 4.2.2 one group of zeros stays
      {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},           // 4.2.3 the longest run
      {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},     // 4.2.3 the first of equals
      {"2001:DB8::ABCD", "2001:db8::abcd"},              // 4.3 lower case
      {"0:0:1:0:0:0:0:0", "0:0:1::"},
      {"1:0:0:2:0:0:0:0", "1:0:0:2::"},
      {"::ffff:0:0", "::ffff:0.0.0.0"},  // 5 IPv4-mapped
  }};
  for (const auto& form : forms) {
    CAPTURE(form.first);
    CHECK(address::parse(form.first)->to_string() == form.second);
  }
}

TEST_CASE("a scope is a number, is part of the value, and is printed") {
  const auto scoped = address::parse("fe80::1%3");
  REQUIRE(scoped);
  CHECK(scoped->scope() == 3);
  CHECK(scoped->to_string() == "fe80::1%3");
  CHECK(*scoped != *address::parse("fe80::1"));
  CHECK(std::hash<address>()(*scoped) != std::hash<address>()(*address::parse("fe80::1")));
  CHECK(address::parse("fe80::1%4294967295")->scope() == 4294967295U);
  CHECK(address::parse("fe80::1%0")->to_string() == "fe80::1");
}

TEST_CASE("every address reads back from its text") {
  test_random random(11);
  for (int round = 0; round < 20000; ++round) {
    std::array<std::uint8_t, 16> octets{};
    // Mostly zeros, so that runs of every place and length come up.
    for (auto& octet : octets)
      octet = random.below(3) == 0 ? static_cast<std::uint8_t>(random.next()) : std::uint8_t{0};
    const auto six = address::v6(octets, static_cast<std::uint32_t>(random.below(2) * random.below(9)));
    CHECK(address::parse(six.to_string()) == six);
    const auto four = address::v4({octets[0], octets[1], octets[2], octets[3]});
    CHECK(address::parse(four.to_string()) == four);
  }
}

TEST_CASE("an endpoint is printed as people write it") {
  CHECK(endpoint{*address::parse("192.0.2.1"), 443}.to_string() == "192.0.2.1:443");
  CHECK(endpoint{*address::parse("2001:db8::1"), 443}.to_string() == "[2001:db8::1]:443");
  CHECK(endpoint{*address::parse("fe80::1%3"), 0}.to_string() == "[fe80::1%3]:0");
}

TEST_CASE("hashes tell families, addresses and ports apart") {
  std::unordered_set<std::size_t> seen;
  for (std::uint8_t i = 0; i < 100; ++i) {
    for (std::uint16_t port = 0; port < 100; ++port) {
      seen.insert(std::hash<endpoint>()({address::v4({10, 0, 0, i}), port}));
      seen.insert(std::hash<endpoint>()({address::v6({10, 0, 0, i}), port}));
    }
  }
  CHECK(seen.size() == 20000);
}

}  // namespace
}  // namespace lbresolve::test
