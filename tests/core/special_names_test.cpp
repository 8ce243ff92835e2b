#include "core/special_names.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace lbresolve;
using namespace lbresolve::core;

namespace {

special_answer special_of(std::string_view text) { return find_special(name::from_text(text).value()); }

answer answer_of(std::string_view text, rr_type type) {
  const name n = name::from_text(text).value();
  return make_answer(find_special(n), {n, type});
}

}  // namespace

TEST_CASE("special names never go out: localhost and all below it are this host (RFC 6761 section 6.3)") {
  for (const char* text : {"localhost", "LOCALHOST.", "a.localhost", "a.b.LocalHost"}) {
    CAPTURE(text);
    CHECK(special_of(text).is == special::localhost);
    const answer v4 = answer_of(text, rr_type::a);
    CHECK(v4.is == answer::kind::positive);
    CHECK(v4.rcode == 0);
    REQUIRE(v4.addresses.size() == 1);
    CHECK(v4.addresses[0].to_string() == "127.0.0.1");
    const answer v6 = answer_of(text, rr_type::aaaa);
    CHECK(v6.is == answer::kind::positive);
    REQUIRE(v6.addresses.size() == 1);
    CHECK(v6.addresses[0].to_string() == "::1");
    CHECK(v6.canonical == name::from_text(text).value());
    // "for all other types: an immediate negative response"
    CHECK(answer_of(text, rr_type::https).is == answer::kind::nodata);
  }
}

TEST_CASE("special names never go out: .invalid, .onion, .alt and .local do not exist here, and the reason says why") {
  const struct {
    const char* text;
    special is;
    const char* rfc;
  } cases[] = {{"invalid", special::nowhere, "6761"},     {"www.invalid", special::nowhere, "6761"},
               {"abc.ONION", special::nowhere, "7686"},   {"x.y.alt.", special::nowhere, "9476"},
               {"printer.local", special::local, "6762"}, {"local", special::local, "6762"}};
  for (const auto& c : cases) {
    CAPTURE(std::string(c.text));
    const special_answer found = special_of(c.text);
    CHECK(found);
    CHECK(found.is == c.is);
    CHECK(std::string(found.reason).find(c.rfc) != std::string::npos);
    for (const rr_type t : {rr_type::a, rr_type::aaaa, rr_type::https}) {
      const answer a = answer_of(c.text, t);
      CHECK(a.is == answer::kind::nxdomain);
      CHECK(a.rcode == 3);
      CHECK(a.addresses.empty());
    }
  }
}

TEST_CASE("DNS-13: names in resolver.arpa are there and empty, and never go out (RFC 9462 section 6.4)") {
  for (const char* text : {"resolver.arpa", "_dns.RESOLVER.arpa.", "a.b.resolver.arpa"}) {
    CAPTURE(std::string(text));
    CHECK(special_of(text).is == special::resolver);
    CHECK(std::string(special_of(text).reason).find("9462") != std::string::npos);
    for (const rr_type t : {rr_type::a, rr_type::svcb}) CHECK(answer_of(text, t).is == answer::kind::nodata);
  }
  for (const char* text : {"resolver.example", "arpa", "xresolver.arpa", "resolver", "resolver.arpa.example"})
    CHECK_FALSE(special_of(text));
}

TEST_CASE("special names never go out, and every other name does") {
  for (const char* text :
       {"example.com", "www.test", "example", "home.arpa", "nas.home.arpa", "1.0.0.127.in-addr.arpa", "ipv4only.arpa",
        "b.e.f.ip6.arpa", "corp.internal", "localhost.example.com", "invalid.example", "onion.com", "notlocalhost",
        "localhosts", "xlocal", "alt.example.", "."}) {
    CAPTURE(std::string(text));
    CHECK_FALSE(special_of(text));
    CHECK(std::string(special_of(text).reason).empty());
  }
}

TEST_CASE("what ends in a number is what a URL parser takes for an IPv4 address") {
  for (const char* host : {"1.2.3", "127.1", "1", "1.2.3.4", "1.2.3.4.", "0x7f.1", "1.0x7f", "0x7f000001", "a.0X1F",
                           "0x", "a.b.09", "example.0", "1.2.3.4.5"}) {
    CAPTURE(std::string(host));
    CHECK(ends_in_number(host));
  }
  for (const char* host : {"", ".", "example.com", "1.2.3.com", "a1", "0x7g", "1x", "x0", "0xg", "1.example", "3com",
                           "example.0x7f.com", "a.0xfz"}) {
    CAPTURE(std::string(host));
    CHECK_FALSE(ends_in_number(host));
  }
}
