#include "core/doh_message.hpp"

#include "core/answer.hpp"
#include "support/message_builder.hpp"

#include <doctest/doctest.h>

namespace lbresolve::test {
namespace {

using core::doh_head;
using core::rr_type;
using core::why_refused;

octets bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

TEST_CASE("DNS-06: the path of a GET request is the RFC's own example") {
  // RFC 8484 section 4.1.1: a query for www.example.com, and one with a label of 62 octets.
  const octets query = u16(0) + u16(0x0100) + u16(1) + octets(6, 0) + labels("www.example.com") + u16(1) + u16(1);
  CHECK(core::doh_get_path("/dns-query", query) == "/dns-query?dns=AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB");
  const octets longer = u16(0) + u16(0x0100) + u16(1) + octets(6, 0) +
                        labels("a.62characterlabel-makes-base64url-distinct-from-standard-base64.example.com") +
                        u16(1) + u16(1);
  CHECK(core::doh_get_path("/dns-query", longer) ==
        "/dns-query?dns=AAABAAABAAAAAAAAAWE-NjJjaGFyYWN0ZXJsYWJlbC1tYWtlcy1iYXNlNjR1cmwtZGlzdGluY3QtZnJvbS1z"
        "dGFuZGFyZC1iYXNlNjQHZXhhbXBsZQNjb20AAAEAAQ");
}

TEST_CASE("DNS-06: base64url is without padding, whatever is left over (RFC 4648 section 10)") {
  const auto path = [](std::string_view text) { return core::doh_get_path("/", bytes_of(text)); };
  CHECK(path("") == "/?dns=");
  CHECK(path("f") == "/?dns=Zg");
  CHECK(path("fo") == "/?dns=Zm8");
  CHECK(path("foo") == "/?dns=Zm9v");
  CHECK(path("foobar") == "/?dns=Zm9vYmFy");
  CHECK(core::doh_get_path("/", octets{0xFB, 0xFF}) == "/?dns=-_8");
  CHECK(core::doh_get_path("/q?ct=1", bytes_of("f")) == "/q?ct=1&dns=Zg");
}

TEST_CASE("DNS-06: the authority is the server as its URL names it") {
  core::upstream to;
  to.at = {address::v4({192, 0, 2, 53}), 443};
  CHECK(core::doh_authority(to) == "192.0.2.53");
  to.at.port = 8443;
  CHECK(core::doh_authority(to) == "192.0.2.53:8443");
  to.at = {address::parse("2001:db8::53").value(), 443};
  CHECK(core::doh_authority(to) == "[2001:db8::53]");
  to.identity.name = "cert.example";
  CHECK(core::doh_authority(to) == "cert.example");
  to.host = "dns.example";
  to.at.port = 444;
  CHECK(core::doh_authority(to) == "dns.example:444");
}

doh_head head(int status, std::string_view type = "application/dns-message") {
  doh_head h;
  CHECK(h.take(":status", std::to_string(status)));
  if (!type.empty()) CHECK(h.take("content-type", type));
  return h;
}

TEST_CASE("DNS-07: status 200 with the right content type is an answer") {
  CHECK_FALSE(why_refused(head(200)));
  CHECK_FALSE(why_refused(head(200, "Application/DNS-Message")));
  CHECK_FALSE(why_refused(head(200, "application/dns-message; charset=utf-8")));
  CHECK_FALSE(why_refused(head(200, " application/dns-message ;x")));
}

TEST_CASE("DNS-07: everything else is refused, and named") {
  CHECK(why_refused(head(503)) == "it answered with HTTP status 503");
  CHECK(why_refused(head(404)) == "it answered with HTTP status 404: look at the path in its URL");
  CHECK(why_refused(head(204)) == "it answered with HTTP status 204");
  CHECK(why_refused(head(302)) == "it answered with HTTP status 302, a redirect, and redirects are not followed");
  auto moved = head(301);
  moved.take("location", "https://evil.example/\x1B[2J");
  CHECK(why_refused(moved) ==
        "it answered with HTTP status 301, a redirect to \"https://evil.example/\\027[2J\", and redirects are not "
        "followed");
  CHECK(why_refused(head(200, "text/html")) ==
        "its answer has the content type \"text/html\", not application/dns-message: look at the path in its URL");
  CHECK(why_refused(head(200, "application/dns-messages")));
  CHECK(why_refused(head(200, "application/dns-json")));
  CHECK(why_refused(head(200, "")) ==
        "its answer has no content type, not application/dns-message: look at the path in its URL");
  auto packed = head(200);
  packed.take("content-encoding", "gzip");
  CHECK(why_refused(packed) == "its answer has the content encoding \"gzip\", which it was not asked for");
  CHECK(why_refused(doh_head{}));
}

TEST_CASE("DNS-07: a header section has its limit") {
  doh_head h;
  CHECK(h.take("x", std::string(doh_head::max_size - 33, 'x')));
  CHECK_FALSE(h.take("y", ""));
}

TEST_CASE("DNS-06: Age is a number of seconds, or nothing") {
  const auto age = [](std::string_view text) {
    doh_head h;
    h.take("age", text);
    return h.age;
  };
  CHECK(age("250") == 250U);
  CHECK(age(" 7 ") == 7U);
  CHECK(age("8, 9") == 8U);
  CHECK(age("99999999999999999999") == 1U << 31);
  CHECK(age("4294967295") == 1U << 31);
  for (const char* wrong : {"", "-1", "1.5", "x", "0x10", "1 2"}) CHECK_FALSE(age(wrong));
  doh_head h;
  h.take("age", "1");
  h.take("age", "2");
  CHECK(h.age == 1U);
}

TEST_CASE("DNS-06: Age is taken off every TTL, down to 0, and OPT stays what it is") {
  auto b = message_builder().question("www.example.com", rr_type::a);
  b.cname("www.example.com", 300, "a.example.com").a("a.example.com", 60, "192.0.2.1");
  b.a("a.example.com", 0xFFFFFFFF, "192.0.2.2").opt({}, 0);
  auto bytes = b.bytes();
  const auto before = bytes;
  core::subtract_age(bytes, 0);
  CHECK(bytes == before);
  core::subtract_age(bytes, 100);
  const auto m = core::message::parse(bytes).value();
  CHECK(m.records()[0].ttl == 200);
  CHECK(m.records()[1].ttl == 0);
  CHECK(m.records()[2].ttl == 0);
  CHECK(octets(bytes.end() - 11, bytes.end()) == octets(before.end() - 11, before.end()));
}

TEST_CASE("DNS-06: Age shortens a negative answer, whichever of the SOA's two times is its own") {
  for (const bool by_ttl : {false, true}) {
    const std::size_t ttl = by_ttl ? 300 : 3600;
    const std::size_t minimum = by_ttl ? 3600 : 300;
    auto bytes = message_builder().question("x.example.com", rr_type::a).soa("example.com", ttl, minimum).bytes();
    core::subtract_age(bytes, 100);
    const core::question q{core::name::from_text("x.example.com").value(), rr_type::a};
    CHECK(core::interpret(core::message::parse(bytes).value(), q).ttl == 200);
  }
}

TEST_CASE("a message that cannot be read stays as it is") {
  octets junk(40, 0xC0);
  const auto before = junk;
  core::subtract_age(junk, 5);
  CHECK(junk == before);
}

}  // namespace
}  // namespace lbresolve::test
