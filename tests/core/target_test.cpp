#include "core/target.hpp"

#include "support/test_random.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace lbresolve;
using namespace lbresolve::core;

namespace {

/// The parts of a target in one line: "host:port", then what else is set.
std::string read(std::string_view text, bool port_required = false) {
  const auto parsed = parse_target(text, port_required);
  if (!parsed) return "error: " + parsed.assume_error().message();
  const target& t = parsed.assume_value();
  std::string all = t.host + " " + (t.port ? std::to_string(*t.port) : std::string("-"));
  if (t.literal) all += " literal=" + t.literal->to_string();
  if (t.absolute) all += " absolute";
  if (t.https) all += " https";
  if (t.service) all += " service";
  CHECK(t.text == text);
  CHECK((t.literal ? t.name.is_root() : t.name.to_text() == t.host));
  return all;
}

void check_error(std::string_view text, bool port_required, errc code, std::string_view says) {
  CAPTURE(std::string(text));
  const auto parsed = parse_target(text, port_required);
  REQUIRE_FALSE(parsed);
  const error& e = parsed.assume_error();
  CHECK(e == code);
  CHECK_MESSAGE(e.message().find(says) != std::string::npos, e.message());
  CHECK(e.story() == nullptr);
}

void check_invalid(std::string_view text, std::string_view says) {
  check_error(text, true, errc::invalid_target, says);
}

}  // namespace

TEST_CASE("a target is host:port, or a host alone where no port is needed") {
  CHECK(read("www.example.com:443", true) == "www.example.com 443");
  CHECK(read("www.example.com") == "www.example.com -");
  CHECK(read("www.example.com:1") == "www.example.com 1");
  CHECK(read("localhost:65535", true) == "localhost 65535");
  CHECK(read("WWW.Example.com:0443", true) == "WWW.Example.com 443");
  CHECK(read("_dmarc.example_host.com") == "_dmarc.example_host.com -");
  CHECK(read("xn--bcher-kva.example:80", true) == "xn--bcher-kva.example 80");
}

TEST_CASE("DNS-12: a trailing dot makes a target absolute, and is not part of the host") {
  CHECK(read("www.example.com.:443", true) == "www.example.com 443 absolute");
  CHECK(read("localhost.") == "localhost - absolute");
}

TEST_CASE("HE-15: an IP literal is recognised, with and without a port") {
  CHECK(read("192.0.2.1:443", true) == "192.0.2.1 443 literal=192.0.2.1");
  CHECK(read("192.0.2.1") == "192.0.2.1 - literal=192.0.2.1");
  CHECK(read("[2001:db8::1]:443", true) == "2001:db8::1 443 literal=2001:db8::1");
  CHECK(read("[2001:db8::1]") == "2001:db8::1 - literal=2001:db8::1");
  CHECK(read("2001:DB8::1") == "2001:DB8::1 - literal=2001:db8::1");
  CHECK(read("::") == ":: - literal=::");
  CHECK(read("[fe80::1%3]:22", true) == "fe80::1%3 22 literal=fe80::1%3");
  CHECK(read("::ffff:192.0.2.1") == "::ffff:192.0.2.1 - literal=::ffff:192.0.2.1");
  CHECK(read("https://[::1]", true) == "::1 443 literal=::1 https");
  CHECK(read("https://192.0.2.1:8443", true) == "192.0.2.1 8443 literal=192.0.2.1 https");
}

TEST_CASE("a target may be an https:// origin, whose port is 443 unless given") {
  CHECK(read("https://www.example.com", true) == "www.example.com 443 https");
  CHECK(read("HTTPS://www.example.com:8443", true) == "www.example.com 8443 https");
  CHECK(read("https://www.example.com/", true) == "www.example.com 443 https");
  CHECK(read("https://www.example.com.", false) == "www.example.com 443 absolute https");
}

TEST_CASE("a target without a needed port is an error that says how to write one") {
  check_invalid("www.example.com", "the port is missing; write \"www.example.com:port\"");
  check_invalid("192.0.2.1", "write \"192.0.2.1:port\"");
  check_invalid("[2001:db8::1]", "write \"[2001:db8::1]:port\"");
}

TEST_CASE("a port that cannot be one is an error that says what it is") {
  check_invalid("www.example.com:", "the port after the colon is missing");
  check_invalid("www.example.com:70000", "the port \"70000\" is out of range; it is a number from 1 to 65535");
  check_invalid("www.example.com:0", "the port \"0\" is out of range");
  check_invalid("www.example.com:65536", "out of range");
  check_invalid("www.example.com:99999999999999999999999", "out of range");
  check_invalid("www.example.com:https", "the port \"https\" is not a number");
  check_invalid("www.example.com:-1", "the port \"-1\" is not a number");
  check_invalid("www.example.com:+80", "is not a number");
  check_invalid("www.example.com:0x50", "is not a number");
  check_invalid("[::1]:", "the port after the colon is missing");
  check_invalid("https://www.example.com:", "the port after the colon is missing");
  check_error("www.example.com:x", false, errc::invalid_target, "is not a number");
}

TEST_CASE("an empty host is an error") {
  check_invalid("", "it is empty");
  check_invalid(":443", "the host is empty");
  check_invalid("https://", "the host is empty");
  check_invalid("https://:443", "the host is empty");
  check_error("", false, errc::invalid_target, "it is empty");
}

TEST_CASE("an IPv6 address with a port needs brackets") {
  check_invalid("2001:db8::1", "write \"[address]:port\"");
  check_invalid("2001:db8::1:443", "cannot be told apart here; write \"[address]:port\"");
  check_invalid("2001:db8:1:2:3:4:5:6:443", "write \"[2001:db8:1:2:3:4:5:6]:443\"");
  check_invalid("::1:65535", "write \"[::1]:65535\"");
  check_invalid("::1:http", "write \"[::1]:port\"");
  check_invalid("[::1", "the \"[\" is never closed");
  check_invalid("[::1:443", "the \"[\" is never closed");
  check_invalid("[]:443", "\"\" in brackets is not an IPv6 address");
  check_invalid("[192.0.2.1]:443", "\"192.0.2.1\" in brackets is not an IPv6 address");
  check_invalid("[www.example.com]:443", "in brackets is not an IPv6 address");
  check_invalid("[::1]443", "after \"]\" only \":port\" may follow, not \"443\"");
  check_invalid("[fe80::1%eth0]:443", "a scope is written as a number");
  check_invalid("fe80::1%eth0", "a scope is written as a number");
  check_invalid("a:b:c", "more than one colon");
  check_invalid("::1]:443", "more than one colon");
  check_error("a:b:443", false, errc::invalid_target, "more than one colon");
}

TEST_CASE("a URL is no target, except an https:// origin") {
  check_invalid("http://www.example.com", "the scheme \"http\" is not known");
  check_invalid("ftp://www.example.com:21", "the scheme \"ftp\" is not known");
  check_invalid("://www.example.com", "the scheme \"\" is not known");
  check_invalid("https://www.example.com/index.html", "a path or query has no place here");
  check_invalid("https://2001:db8::1:443", "write \"[address]:port\"");
  check_error("https://::1", false, errc::invalid_target, "write \"[address]:port\"");
  check_invalid("https://www.example.com//", "a path or query has no place here");
  check_invalid("https://www.example.com?x=1", "a path or query has no place here");
  check_invalid("https://www.example.com#top", "a path or query has no place here");
  check_invalid("https://user:secret@www.example.com", "a user name (\"user@\") has no place here");
  check_invalid("www.example.com/", "a \"/\" has no place here");
  check_invalid("www.example.com:443/path", "a \"/\" has no place here");
}

TEST_CASE("a host that cannot be a name is an error that names the wrong part") {
  const std::string label(63, 'a');
  CHECK(read(label + ".example") == label + ".example -");
  check_invalid("www." + label + "a.example:443", "of the host is longer than 63 octets");
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'a');  // 255 octets
  CHECK(read(longest) == longest + " -");
  check_invalid(longest + "a:443", "the host cannot be a name: ");
  check_invalid(".example.com:443", "is empty");
  check_invalid("www..example.com:443", "is empty");
  check_invalid("www.example.com..:443", "is empty");
  check_invalid(".:443", "is empty");
  check_invalid("www example.com:443", "a space in it");
  check_invalid(" www.example.com:443", "a space in it");
  check_invalid("www.example.com:443\n", "a control character");
  check_invalid("www!example.com:443", "the character \"!\"");
  check_invalid("www\\046example.com:443", "the character \"\\\\\"");
  check_invalid("*.example.com:443", "the character \"*\"");
  check_invalid("www%2eexample.com:443", "the character \"%\"");
}

TEST_CASE("DNS-14: a name outside ASCII is a clear error that asks for its xn-- form") {
  check_invalid(
      "b\xc3\xbc"
      "cher.example:443",
      "xn--");
  check_invalid("\xe4\xbe\x8b\xe3\x81\x88.example", "xn--");
  check_error(
      "b\xc3\xbc"
      "cher.example",
      false, errc::invalid_target, "outside ASCII");
}

TEST_CASE("what looks like an IPv4 address and is none is an error, not a query (RFC 1123 section 2.1)") {
  for (const char* host : {"127.1", "1.2.3", "0x7f.1", "0x7f000001", "2130706433", "1.2.3.4.5", "1.2.3.256",
                           "example.0", "192.0.2.1.", "01.02.03.04", "1.2.3.04"}) {
    check_error(host, false, errc::invalid_target, "ends in a number and is not an IPv4 address");
    check_invalid(std::string(host) + ":443", "ends in a number and is not an IPv4 address");
  }
  CHECK(read("1.2.3.com:443", true) == "1.2.3.com 443");
  CHECK(read("3com") == "3com -");
}

TEST_CASE("SEL-06: a service is a target without a port, as the SRV record has it") {
  CHECK(read("_http._tcp.example.com") == "_http._tcp.example.com - service");
  CHECK(read("_http._tcp.example.com", true) == "_http._tcp.example.com - service");
  CHECK(read("_sip._UDP.example.com.", true) == "_sip._UDP.example.com - absolute service");
  CHECK(read("_http._tcp", true) == "_http._tcp - service");
  for (const bool connecting : {false, true}) {
    check_error("_sip._UDP.example.com:5060", connecting, errc::invalid_target,
                "the port is in the SRV record; leave it out");
    check_error("_http._tcp.example.com:", connecting, errc::invalid_target,
                "the port is in the SRV record; leave it out");
    check_error("https://_http._tcp.example.com", connecting, errc::invalid_target, "a service");
  }
}

TEST_CASE("a name with underscores that is no service is a host") {
  CHECK(read("_http.tcp.example.com:80", true) == "_http.tcp.example.com 80");
  CHECK(read("_http._sctp.example.com:80", true) == "_http._sctp.example.com 80");
  CHECK(read("http._tcp.example.com:80", true) == "http._tcp.example.com 80");
  check_invalid("_http._sctp.example.com", "the port is missing");
}

TEST_CASE("SEC-12: no octet of a hostile target reaches a terminal unescaped") {
  const struct {
    std::string_view text;
    const char* shown;
  } cases[] = {
      {"\x1b[2J:443", "\\027[2J"},    {"www\x07.example:443", "\\007"}, {std::string_view("a\0b:443", 7), "a\\000b"},
      {"www.example:4\x1b", "\\027"}, {"[\x1b]:443", "\\027"},          {"\x1b://x", "\\027"},
      {"\xc2\x9b:443", "\\194\\155"}};
  for (const auto& c : cases) {
    const auto parsed = parse_target(c.text, true);
    REQUIRE_FALSE(parsed);
    const std::string message = parsed.assume_error().message();
    CHECK_MESSAGE(message.find(c.shown) != std::string::npos, message);
    for (const char ch : message) CHECK((ch >= 0x20 && ch < 0x7f));
  }
  CHECK(parse_target(std::string(1'000'000, 'x'), true).assume_error().message().size() < 1'000);
}

TEST_CASE("random targets are read or refused with one short printable sentence") {
  static constexpr const char* pieces[] = {"https://", "www",       ".",       ":", "443",   "[",       "]",
                                           "::1",      "192.0.2.1", "example", "/", "@",     "%3",      "_",
                                           "_tcp",     "0x",        "-",       " ", "70000", "2001:db8"};
  for (std::uint64_t seed = 1; seed <= 10'000; ++seed) {
    CAPTURE(seed);
    test::test_random random(seed);
    std::string text;
    for (std::uint64_t n = random.below(9); n > 0; --n) {
      if (random.below(10) == 0) {
        text += static_cast<char>(random.below(256));
      } else {
        text += pieces[random.below(std::size(pieces))];
      }
    }
    const bool port_required = random.below(2) == 0;
    const auto parsed = parse_target(text, port_required);
    if (!parsed) {
      const std::string message = parsed.assume_error().message();
      REQUIRE(message.size() < 500);
      for (const char c : message) REQUIRE((c >= 0x20 && c < 0x7f));
      continue;
    }
    const target& t = parsed.assume_value();
    REQUIRE_FALSE(t.host.empty());
    REQUIRE((t.port || t.service || !port_required));
    REQUIRE((!t.port || !t.service));
    REQUIRE((!t.port || *t.port != 0));
    REQUIRE((t.literal || !t.name.is_root()));
  }
}
