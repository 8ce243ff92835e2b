#include "core/nat64.hpp"
#include "core/settings.hpp"

#include <doctest/doctest.h>

#include <string>

namespace lbresolve::core {
namespace {

nat64_prefix prefix(const std::string& text) { return nat64_prefix::parse(text).value(); }
address ip(const std::string& text) { return address::parse(text).value(); }

}  // namespace

TEST_CASE("HE-60: an IPv4 address behind each prefix length, as the table of RFC 6052 section 2.4 has it") {
  const std::pair<const char*, const char*> table[] = {
      {"2001:db8::/32", "2001:db8:c000:221::"},
      {"2001:db8:100::/40", "2001:db8:1c0:2:21::"},
      {"2001:db8:122::/48", "2001:db8:122:c000:2:2100::"},
      {"2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"},
      {"2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"},
      {"2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33"},
      {"64:ff9b::/96", "64:ff9b::192.0.2.33"},
  };
  for (const auto& [text, whole] : table) {
    const std::string of(text);  // clang 14 cannot capture a structured binding
    CAPTURE(of);
    const auto made = prefix(text).synthesise(ip("192.0.2.33"));
    REQUIRE(made);
    CHECK(made->to_string() == ip(whole).to_string());
    CHECK(prefix(text).extract(*made) == ip("192.0.2.33"));
  }
}

TEST_CASE("HE-60: never 127/8, 0/8 or 169.254/16") {
  const auto p = prefix("64:ff9b::/96");
  for (const char* text : {"127.0.0.1", "127.255.255.255", "0.0.0.0", "0.1.2.3", "169.254.0.1", "169.254.255.255"})
    CHECK_FALSE(p.synthesise(ip(text)));
  for (const char* text : {"126.255.255.255", "128.0.0.1", "1.0.0.0", "169.253.0.1", "169.255.0.1", "10.0.0.1"})
    CHECK(p.synthesise(ip(text)));
  CHECK_FALSE(p.synthesise(ip("2001:db8::1")));
}

TEST_CASE("HE-60: nothing is taken out of an address under another prefix") {
  const auto p = prefix("2001:db8:122::/48");
  CHECK_FALSE(p.extract(ip("2001:db8:123:c000:2:2100::")));
  CHECK_FALSE(p.extract(ip("2001:db8:122:c000:102:2100::")));  // bits 64 to 71
  CHECK_FALSE(p.extract(ip("192.0.2.33")));
  CHECK(p.extract(ip("2001:db8:122:c000:2:21ff:ffff:ffff")) == ip("192.0.2.33"));
}

TEST_CASE("HE-60: a prefix that is none is refused, by a sentence that names it") {
  for (const char* text :
       {"", "64:ff9b::", "64:ff9b::/", "64:ff9b::/97", "64:ff9b::/0", "64:ff9b::/096", "64:ff9b::/96 ", "64:ff9b::1/96",
        "2001:db8:1::/32", "192.0.2.0/32", "fe80::%1/64", "2001:db8:0:0:100::/96", "auto", "/96"}) {
    CAPTURE(std::string(text));
    CHECK_FALSE(nat64_prefix::parse(text));
  }
  options o;
  o.nat64_prefix = "64:ff9b::/97";
  CHECK(check(o).error() == errc::invalid_option);
  CHECK(check(o).error().message() ==
        "nat64_prefix \"64:ff9b::/97\" is not an IPv6 prefix of 32, 40, 48, 56, 64 or 96 bits, as 64:ff9b::/96 is");
}

TEST_CASE("HE-60: only what has no route of its own, and has one by the NAT64, is translated") {
  const std::optional<nat64_prefix> p = prefix("64:ff9b::/96");
  const auto v6_only = [](const address& to) { return to.is_v6() ? std::optional(ip("2001:db8::9")) : std::nullopt; };
  const auto both = [](const address& to) { return std::optional(to); };
  const auto neither = [](const address&) { return std::optional<address>(); };
  CHECK(translated(p, ip("192.0.2.1"), v6_only) == ip("64:ff9b::192.0.2.1"));
  CHECK_FALSE(translated(p, ip("192.0.2.1"), both));
  CHECK_FALSE(translated(p, ip("192.0.2.1"), neither));
  CHECK_FALSE(translated(p, ip("2001:db8::1"), v6_only));
  CHECK_FALSE(translated(std::nullopt, ip("192.0.2.1"), v6_only));
}

}  // namespace lbresolve::core
