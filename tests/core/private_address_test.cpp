#include "core/private_address.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace lbresolve;
using namespace lbresolve::core;

namespace {

/// The first words of what keeps it from the internet; empty for nothing.
std::string kind(const char* text) {
  const char* found = private_kind(address::parse(text).value());
  const std::string all = found == nullptr ? "" : found;
  return all.substr(0, all.find(','));
}

}  // namespace

TEST_CASE("SEC-09: private IPv4 addresses, first and last of each range, and their neighbours") {
  for (const char* text : {"0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255",
                           "127.0.0.1", "127.255.255.255", "169.254.0.0", "169.254.255.255", "172.16.0.0",
                           "172.31.255.255", "192.0.0.1", "192.168.0.0", "192.168.255.255", "255.255.255.255"}) {
    CAPTURE(text);
    CHECK(kind(text) != "");
  }
  for (const char* text : {"1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
                           "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0",
                           "192.167.255.255", "192.169.0.0", "192.0.2.1", "198.51.100.1", "8.8.8.8"}) {
    CAPTURE(text);
    CHECK(kind(text) == "");
  }
  CHECK(kind("10.1.2.3") == "private");
  CHECK(kind("127.0.0.1") == "loopback");
  CHECK(kind("169.254.169.254") == "link-local");
}

TEST_CASE("SEC-09: private IPv6 addresses, and their neighbours") {
  for (const char* text : {"::", "::1", "fc00::", "fdff:ffff::1", "fe80::1", "febf:ffff::1", "fec0::1", "feff::1"}) {
    CAPTURE(text);
    CHECK(kind(text) != "");
  }
  for (const char* text : {"2001:db8::1", "2606:4700::1111", "fbff::1", "fe00::1", "ff02::1", "2001:4860::8888"}) {
    CAPTURE(text);
    CHECK(kind(text) == "");
  }
  CHECK(kind("fd00::1") == "unique local");
}

TEST_CASE("SEC-09: an IPv4 address inside an IPv6 one counts as what it is there, in every form") {
  const struct {
    const char* inside_private;
    const char* inside_public;
  } forms[] = {{"::ffff:10.0.0.1", "::ffff:8.8.8.8"},
               {"::127.0.0.1", "::8.8.8.8"},
               {"::ffff:0:192.168.0.1", "::ffff:0:8.8.8.8"},
               {"64:ff9b::10.0.0.1", "64:ff9b::8.8.8.8"},
               {"2002:0a00:0001::1", "2002:0808:0808::1"},
               {"2001:0:0808:0808:0:0:f5ff:fffe", "2001:0:0808:0808:0:0:f7f7:f7f7"},  // the client, inverted
               {"2001:0:0a00:0001:0:0:f7f7:f7f7", "2001:0:0808:0808:0:0:f7f7:f7f7"},  // the server
               {"2001:db8::5efe:10.0.0.1", "2001:db8::5efe:8.8.8.8"},
               {"2001:db8::200:5efe:10.0.0.1", "2001:db8::200:5efe:8.8.8.8"}};
  for (const auto& f : forms) {
    CAPTURE(f.inside_private);
    CHECK(kind(f.inside_private) != "");
    CHECK(kind(f.inside_public) == "");
  }
  CHECK(kind("::7f00:1") == "loopback");
}

TEST_CASE("SEC-09: the NAT64 prefix of this network is looked into; another local one is private as a whole") {
  CHECK(kind("64:ff9b:1::8.8.8.8") == "local NAT64");
  const auto local = nat64_prefix::parse("64:ff9b:1::/96");
  REQUIRE(local);
  CHECK(private_kind(address::parse("64:ff9b:1::8.8.8.8").value(), local) == nullptr);
  CHECK(private_kind(address::parse("64:ff9b:1::10.0.0.1").value(), local) != nullptr);
  const auto own = nat64_prefix::parse("2001:db8:64::/96");
  REQUIRE(own);
  CHECK(private_kind(address::parse("2001:db8:64::192.168.0.1").value(), own) != nullptr);
  CHECK(private_kind(address::parse("2001:db8:64::8.8.8.8").value(), own) == nullptr);
  CHECK(private_kind(address::parse("2001:db8:65::192.168.0.1").value(), own) == nullptr);
}
