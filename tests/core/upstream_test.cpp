#include "core/upstream.hpp"

#include "support/test_random.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace lbresolve;
using namespace lbresolve::core;

namespace {

std::string canonical(std::string_view text) {
  const auto u = parse_upstream(text);
  return u ? u.assume_value().text : u.assume_error().message();
}

/// The error of a text that must be one.
error failure_of(std::string_view text) {
  const auto u = parse_upstream(text);
  REQUIRE_FALSE(u);
  return u.assume_error();
}

bool says(const error& e, const std::string& what) { return e.message().find(what) != std::string::npos; }

}  // namespace

TEST_CASE("an upstream is an address, with port 53 unless told otherwise") {
  CHECK(canonical("192.0.2.53") == "192.0.2.53:53");
  CHECK(canonical("192.0.2.53:5353") == "192.0.2.53:5353");
  CHECK(canonical("::1") == "[::1]:53");
  CHECK(canonical("2001:db8::53") == "[2001:db8::53]:53");
  CHECK(canonical("[::1]") == "[::1]:53");
  CHECK(canonical("[::1]:5353") == "[::1]:5353");
  CHECK(canonical("[fe80::1%3]:53") == "[fe80::1%3]:53");
  CHECK(canonical("192.0.2.53:65535") == "192.0.2.53:65535");
  const auto u = parse_upstream("192.0.2.53:5353").value();
  CHECK(u.at.port == 5353);
  CHECK_FALSE(u.only);
}

TEST_CASE("an upstream's scheme chooses the transport") {
  CHECK(canonical("udp://192.0.2.53") == "192.0.2.53:53");
  CHECK_FALSE(parse_upstream("udp://192.0.2.53").value().only);
  CHECK(canonical("tcp://192.0.2.53") == "tcp://192.0.2.53:53");
  CHECK(canonical("TCP://[2001:db8::53]:5353") == "tcp://[2001:db8::53]:5353");
  CHECK(parse_upstream("tcp://::1").value().only == transport::tcp);
  CHECK(make_upstream({address::v4({192, 0, 2, 1}), 53}).text == "192.0.2.1:53");
  CHECK(make_upstream({address::v4({192, 0, 2, 1}), 53}, transport::tcp).text == "tcp://192.0.2.1:53");
}

TEST_CASE("an upstream's canonical text reads as the same upstream") {
  for (const char* text : {"192.0.2.53", "tcp://192.0.2.53:99", "::1", "[fe80::1%3]:53"}) {
    CHECK(canonical(canonical(text)) == canonical(text));
  }
}

TEST_CASE("an encrypted upstream is refused as unsupported, never asked in clear text") {
  for (const char* text : {"tls://192.0.2.53", "https://dns.example/dns-query", "dns+tls://192.0.2.53",
                           "dns+https://192.0.2.53", "TLS://192.0.2.53", "quic://192.0.2.53", "h3://192.0.2.53"}) {
    CAPTURE(std::string(text));
    const error e = failure_of(text);
    CHECK(e == errc::unsupported);
    CHECK(says(e, "encrypted"));
  }
}

TEST_CASE("an upstream that cannot be read is refused, and the sentence names the wrong part") {
  const struct {
    const char* text;
    const char* says;
  } cases[] = {{"", "is empty"},
               {"dns.example", "\"dns.example\" is not an IP address"},
               {"dns.example:53", "\"dns.example\" is not an IP address"},
               {"udp://dns.example", "\"dns.example\" is not an IP address"},
               {"192.0.2.53:", "the port \"\" is not a number"},
               {"192.0.2.53:dns", "the port \"dns\" is not a number"},
               {"192.0.2.53:+53", "is not a number"},
               {"192.0.2.53:-1", "is not a number"},
               {"192.0.2.53:0", "\"0\" is not between 1 and 65535"},
               {"192.0.2.53:65536", "is not between 1 and 65535"},
               {"192.0.2.53:99999999999999999999", "is not between 1 and 65535"},
               {"[::1", "never closed"},
               {"[192.0.2.53]:53", "not an IPv6 address"},
               {"[::1]53", "only \":port\" may follow"},
               {"[::1]:", "is not a number"},
               {"192.0.2.53/dns-query", "leave out what else"},
               {"tcp://user@192.0.2.53", "leave out what else"},
               {"sdns://AQcAAAAAAAAA", "DNS stamps are not read"},
               {"sdns:AQcAAAAAAAAA", "DNS stamps are not read"},
               {"ftp://192.0.2.53", "\"ftp\" is not known"},
               {"://192.0.2.53", "\"\" is not known"},
               {"tcp://", "\"\" is not an IP address"},
               {" 192.0.2.53", "is not an IP address"},
               {"127.1", "is not an IP address"},
               {"fe80::1%eth0", "is not an IP address"}};
  for (const auto& c : cases) {
    CAPTURE(std::string(c.text));
    const error e = failure_of(c.text);
    CHECK(e == errc::invalid_option);
    CHECK_MESSAGE(says(e, c.says), e.message());
  }
}

TEST_CASE("SEC-12: random upstreams are read or refused with a printable sentence") {
  static constexpr const char* pieces[] = {"udp://", "tcp://", "tls://", "sdns:", "[", "]", ":", "::1", "192.0.2.1",
                                           "53",     "65536",  "%",      "/",     "@", " ", ".", "a",   "-"};
  for (std::uint64_t seed = 1; seed <= 5'000; ++seed) {
    CAPTURE(seed);
    test::test_random random(seed);
    std::string text;
    for (std::uint64_t n = random.below(8); n > 0; --n) {
      if (random.below(6) == 0) {
        text += static_cast<char>(random.below(256));
      } else {
        text += pieces[random.below(std::size(pieces))];
      }
    }
    const auto u = parse_upstream(text);
    if (u) {
      REQUIRE(u.assume_value().at.port != 0);
      REQUIRE(canonical(u.assume_value().text) == u.assume_value().text);
      continue;
    }
    for (const char c : u.assume_error().message()) REQUIRE((c >= 0x20 && c < 0x7f));
  }
}
