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
  for (const char* text : {"192.0.2.53", "tcp://192.0.2.53:99", "::1", "[fe80::1%3]:53", "tls://192.0.2.53#dns.example",
                           "tls://dns.example", "tls-opportunistic://::1", "https://dns.example/q"}) {
    CHECK(canonical(canonical(text)) == canonical(text));
  }
}

TEST_CASE("DNS-05: tls:// is an address whose certificate is verified against a name, or against the address") {
  const upstream named = parse_upstream("tls://1.1.1.1#cloudflare-dns.com").value();
  CHECK(named.only == transport::tls);
  CHECK(named.at.to_string() == "1.1.1.1:853");
  CHECK(named.host.empty());
  CHECK(named.identity.name == "cloudflare-dns.com");
  CHECK_FALSE(named.identity.address);
  CHECK(named.identity.verify);
  CHECK(named.text == "tls://1.1.1.1:853#cloudflare-dns.com");

  const upstream plain = parse_upstream("TLS://[2620:fe::9]:8853").value();
  CHECK(plain.at.to_string() == "[2620:fe::9]:8853");
  CHECK(plain.identity.name.empty());
  CHECK(plain.identity.address == address::parse("2620:fe::9"));
  CHECK(plain.text == "tls://[2620:fe::9]:8853");
  CHECK(canonical("dns+tls://9.9.9.9") == "tls://9.9.9.9:853");
}

TEST_CASE("DNS-10: an encrypted upstream may be a name, with its addresses or without") {
  const upstream u = parse_upstream("tls://DNS.Example.:8853").value();
  CHECK(u.host == "dns.example");
  CHECK(u.identity.name == "dns.example");
  CHECK(u.at.port == 8853);
  CHECK(u.known.empty());
  CHECK(u.text == "tls://dns.example:8853");

  const upstream known = parse_upstream("tls://dns.example?ip=192.0.2.1&ip=[2001:db8::1]&ip=2001:db8::2").value();
  REQUIRE(known.known.size() == 3);
  CHECK(known.known[1] == address::parse("2001:db8::1"));
  CHECK(known.known[2] == address::parse("2001:db8::2"));
  CHECK(known.text == "tls://dns.example:853");

  CHECK(parse_upstream("tls://dns.example#other.example").value().identity.name == "other.example");
  CHECK(canonical("tls://dns.example#other.example") == "tls://dns.example:853#other.example");
  CHECK(parse_upstream("tls://localhost").value().known.size() == 2);
  CHECK(parse_upstream("tls://dns.local?ip=192.0.2.1").value().known.size() == 1);
}

TEST_CASE("DNS-06: https:// has a path, /dns-query where none is given, and asks with POST unless told to GET") {
  const upstream u = parse_upstream("https://dns.example").value();
  CHECK(u.only == transport::https);
  CHECK(u.host == "dns.example");
  CHECK(u.at.port == 443);
  CHECK(u.path == "/dns-query");
  CHECK_FALSE(u.use_get);
  CHECK(u.text == "https://dns.example:443/dns-query");

  CHECK(parse_upstream("https://dns.example/").value().path == "/");
  CHECK(parse_upstream("https://dns.example/a/b%20c{?dns}").value().path == "/a/b%20c");
  CHECK_FALSE(parse_upstream("https://dns.example/dns-query{?dns}").value().use_get);
  CHECK(parse_upstream("https://dns.example/dns-query?get").value().use_get);
  const upstream all = parse_upstream("dns+https://dns.example:8443/q{?dns}?get&ip=192.0.2.1").value();
  CHECK(all.use_get);
  CHECK(all.known.size() == 1);
  CHECK(all.text == "https://dns.example:8443/q");
  const upstream at = parse_upstream("https://[2001:db8::53]/q").value();
  CHECK(at.identity.address == address::parse("2001:db8::53"));
  CHECK(at.text == "https://[2001:db8::53]:443/q");
}

TEST_CASE("SEC-08: pins are 32 octets in base64, as many as there are") {
  const std::string first = "sha256-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
  const std::string second = "sha256//-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_8";
  const upstream u = parse_upstream("tls://192.0.2.1?pin=" + first + "&pin=" + second).value();
  REQUIRE(u.identity.pins.size() == 2);
  for (std::size_t i = 0; i < 32; ++i) CHECK(u.identity.pins[0][i] == i);
  CHECK(u.identity.pins[1][0] == 0xFB);
  CHECK(u.identity.pins[1][31] == 0xFF);
  CHECK(u.identity.verify);
  CHECK(u.text == "tls://192.0.2.1:853");
  for (const std::string bad :
       {"", "sha256-", "sha256-AAEC", "sha1-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "sha256-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=", "sha256-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8==",
        "sha256-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd!h8="}) {
    CAPTURE(bad);
    CHECK(says(failure_of("tls://192.0.2.1?pin=" + bad), "32 octets in base64"));
  }
}

TEST_CASE("SEC-08: strict is the default, and only tls-opportunistic:// takes anybody for the server") {
  const upstream u = parse_upstream("tls-opportunistic://192.0.2.1").value();
  CHECK(u.only == transport::tls);
  CHECK_FALSE(u.identity.verify);
  CHECK(u.text == "tls-opportunistic://192.0.2.1:853");
  CHECK(is_encrypted(u));
  CHECK_FALSE(is_authenticated(u));
  CHECK(is_authenticated(parse_upstream("tls://192.0.2.1").value()));
  CHECK_FALSE(is_authenticated(parse_upstream("tcp://192.0.2.1").value()));
  for (const char* text : {"tls-opportunistic://192.0.2.1#dns.example",
                           "tls-opportunistic://192.0.2.1?pin=sha256-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}) {
    CHECK(says(failure_of(text), "this scheme verifies nobody"));
  }
}

TEST_CASE("DNS-13: ddr is the system's resolvers, or one given by address, which is asked for its designations alone") {
  const upstream system = parse_upstream("ddr").value();
  CHECK(system.discovers);
  CHECK(is_of_system(system));
  CHECK(system.text == "ddr");
  const upstream one = parse_upstream("DDR://192.0.2.53").value();
  CHECK(one.discovers);
  CHECK_FALSE(is_of_system(one));
  CHECK_FALSE(is_encrypted(one));
  CHECK(one.text == "ddr://192.0.2.53:53");
  CHECK(parse_upstream("ddr://[2001:db8::53]:5353").value().at.to_string() == "[2001:db8::53]:5353");
  CHECK_FALSE(parse_upstream("192.0.2.53").value().discovers);
  for (const char* bad : {"ddr://", "ddr://dns.example", "ddr://192.0.2.53/q", "ddr://192.0.2.53#dns.example",
                          "ddr://192.0.2.53?pin=sha256-x", "ddr:192.0.2.53"})
    CHECK_FALSE(parse_upstream(bad));
}

TEST_CASE("an upstream over QUIC or HTTP/3 is refused as unsupported") {
  for (const char* text : {"quic://192.0.2.53", "h3://192.0.2.53", "DOQ://dns.example"}) {
    CAPTURE(std::string(text));
    const error e = failure_of(text);
    CHECK(e == errc::unsupported);
    CHECK(says(e, "is not supported; write \"tls://\""));
  }
}

TEST_CASE("an encrypted upstream that cannot be read is refused, and the sentence names the wrong part") {
  const struct {
    const char* text;
    const char* says;
  } cases[] = {{"tls://", "\"\" is neither an IP address nor a host name"},
               {"tls://192.0.2.300", "\"192.0.2.300\" is neither"},
               {"tls://dns..example", "is neither"},
               {"tls://d\xc3\xbc.example", "xn-- form"},
               {"tls://dns_example!", "is neither"},
               {"tls://user@dns.example", "a user name"},
               {"tls://192.0.2.1#", "no name follows the \"#\""},
               {"tls://192.0.2.1#192.0.2.1", "is an address; write a name"},
               {"tls://192.0.2.1#a b", "\"a b\" is neither"},
               {"tls://192.0.2.1/dns-query", "the path \"/dns-query\" is only for \"https://\""},
               {"tls://192.0.2.1?ip=192.0.2.2", "an address already"},
               {"tls://dns.example?ip=", "ip=\"\" is not an IP address"},
               {"tls://dns.example?ip=dns.example", "is not an IP address"},
               {"tls://dns.example?", "\"\" is not understood"},
               {"tls://dns.example?get", "\"get\" is not understood"},
               {"tls://dns.example?pins=1", "\"pins=1\" is not understood"},
               {"tls://dns.example:dns", "leave it and its colon out for 853"},
               {"tls://dns.onion", "\"dns.onion\" cannot be looked up"},
               {"tls://dns.local", "cannot be looked up"},
               {"https://dns.example:0", "not between 1 and 65535"},
               {"https://dns.example/a b", "is not one of a URL"},
               {"https://dns.example/%2", "is not one of a URL"},
               {"https://dns.example/q{?dns}x", "\"{?dns}\" ends the path"},
               {"https://dns.example/q?dns=AAAA", "\"dns=AAAA\" is not understood"},
               {"https://192.0.2.1/q#dns.example", "https://NAME/dns-query?ip=ADDRESS"},
               {"udp://192.0.2.1#dns.example", "without TLS"},
               {"192.0.2.1?ip=192.0.2.1", "without TLS"}};
  for (const auto& c : cases) {
    CAPTURE(std::string(c.text));
    const error e = failure_of(c.text);
    CHECK(e == errc::invalid_option);
    CHECK_MESSAGE(says(e, c.says), e.message());
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
  static constexpr const char* pieces[] = {
      "udp://", "tcp://", "tls://", "https://", "sdns:", "[", "]", ":", "::1", "192.0.2.1", "53",  "65536",  "%",
      "/",      "@",      " ",      ".",        "a",     "-", "?", "&", "ip=", "pin=",      "get", "{?dns}", "#"};
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
