#include "core/designation.hpp"

#include "core/doh_message.hpp"
#include "support/message_builder.hpp"
#include "support/test_random.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace lbresolve;
using namespace lbresolve::core;
using namespace lbresolve::test;

namespace {

const endpoint asked{*address::parse("192.0.2.53"), 53};
const octets dot{3, 'd', 'o', 't'};
const octets h2{2, 'h', '2'};
const octets h3{2, 'h', '3'};

octets text(std::string_view of) { return {of.begin(), of.end()}; }
octets alpn(const octets& protocols) { return svc_param(1, protocols); }

/// What 192.0.2.53 designates with these records, by way of a message.
designation read(const std::vector<octets>& records, bool has_http2 = true, std::uint64_t seed = 1) {
  message_builder b;
  b.question("_dns.resolver.arpa", rr_type::svcb);
  for (const octets& data : records) b.answer("_dns.resolver.arpa", rr_type::svcb, 300, data);
  test_random random(seed);
  const auto m = b.parse();
  return read_designation(asked, interpret(m.value(), designation_question()), has_http2, random);
}

std::vector<std::string> texts(const designation& d) {
  std::vector<std::string> out;
  for (const upstream& u : d.servers) out.push_back(u.text);
  return out;
}

using strings = std::vector<std::string>;

}  // namespace

TEST_CASE("DNS-13: a designated resolver is asked over TLS where the record says") {
  const octets hints = svc_param(4, address_data("192.0.2.61")) + svc_param(6, address_data("2001:db8::61"));
  const designation d = read({binding_data(1, "dns.example", alpn(dot) + svc_param(3, u16(8853)) + hints)});
  REQUIRE(d.servers.size() == 1);
  const upstream& u = d.servers[0];
  CHECK(u.only == transport::tls);
  CHECK(u.host == "dns.example");
  CHECK(u.at.port == 8853);
  CHECK(u.known == std::vector{*address::parse("192.0.2.61"), *address::parse("2001:db8::61")});
  CHECK(u.text == "tls://dns.example:8853#192.0.2.53");
  CHECK(u.designated_by == asked);
  CHECK(d.why.empty());
}

TEST_CASE("DNS-13: the certificate must have the address of the resolver that was asked (RFC 9462 section 4.2)") {
  for (const octets& params : {alpn(dot), alpn(h2) + svc_param(7, text("/q{?dns}"))}) {
    const designation d = read({binding_data(1, "dns.example", params + octets{})});
    REQUIRE(d.servers.size() == 1);
    const tls_identity& identity = d.servers[0].identity;
    CHECK(identity.verify);
    CHECK(identity.address == asked.address);
    CHECK(identity.name.empty());  // section 6.3: no SNI, and what the answer says is no identity
    CHECK(identity.pins.empty());
    CHECK(is_authenticated(d.servers[0]));
  }
}

TEST_CASE(
    "DNS-13: DNS over HTTPS goes to the path of dohpath, and calls the host by its address (RFC 9462 section 6.3)") {
  const designation d = read({binding_data(1, "dns.example", alpn(h2) + svc_param(7, text("/dns-query{?dns}")))});
  REQUIRE(d.servers.size() == 1);
  const upstream& u = d.servers[0];
  CHECK(u.only == transport::https);
  CHECK(u.path == "/dns-query");
  CHECK_FALSE(u.use_get);
  CHECK(u.at.port == 443);
  CHECK(u.host == "dns.example");
  CHECK(doh_authority(u) == "192.0.2.53");
  CHECK(u.text == "https://dns.example:443/dns-query#192.0.2.53");
}

TEST_CASE("DNS-13: priorities are an order, one record may be two ways, and equals take turns") {
  const octets both = alpn(h3 + h2 + dot) + svc_param(7, text("/q{?dns}"));
  const auto record = [](std::size_t priority, std::string_view host) {
    return binding_data(priority, host, alpn(dot));
  };
  CHECK(texts(read({record(2, "b.example"), binding_data(1, "a.example", both)})) ==
        strings{"tls://a.example:853#192.0.2.53", "https://a.example:443/q#192.0.2.53",
                "tls://b.example:853#192.0.2.53"});
  std::size_t first = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const designation d = read({record(1, "a.example"), record(1, "b.example"), record(9, "z.example")}, true, seed);
    CHECK(d.servers.back().host == "z.example");
    if (d.servers.front().host == "a.example") ++first;
  }
  CHECK(first > 60);
  CHECK(first < 140);
}

TEST_CASE("DNS-13: a record that cannot be used is skipped, and where none can the reason for each is told") {
  const octets good = binding_data(7, "good.example", alpn(dot));
  const struct {
    octets record;
    const char* why;
  } cases[] = {
      {binding_data(0, "alias.example"), R"("alias.example": it is an alias, and those are not followed)"},
      {binding_data(1, ".", alpn(dot)), "itself: it names no host"},
      {binding_data(1, "a\"b.example", alpn(dot)), "it names no host"},
      {binding_data(1, "192.0.2.1", alpn(dot)), "it names no host"},
      {binding_data(1, "x.invalid", alpn(dot)), ".invalid names never exist"},
      {binding_data(1, "_dns.resolver.arpa", alpn(dot)), "resolver.arpa names are about the resolver"},
      {binding_data(1, "new.example", svc_param(0, u16(667)) + alpn(dot) + svc_param(667, {})),
       "it needs something that is not understood here"},
      {binding_data(1, "zero.example", alpn(dot) + svc_param(3, octets{0, 0})), "its port is 0"},
      {binding_data(1, "bare.example"), "it names no protocol"},
      {binding_data(1, "quic.example", alpn(h3 + octets{3, 'd', 'o', 'q'})),
       R"(it offers only "h3", "doq", and none of it is spoken here)"},
      {binding_data(1, "pathless.example", alpn(h2)), "it offers DNS over HTTPS without a usable path"},
      {binding_data(1, "path.example", alpn(h2) + svc_param(7, text("/q"))), "without a usable path"},
  };
  for (const auto& c : cases) {
    const designation alone = read({c.record});
    CHECK(alone.servers.empty());
    CHECK_MESSAGE(alone.why.find(c.why) != std::string::npos, alone.why);
    CHECK(alone.why.starts_with("192.0.2.53:53: none of the resolvers it designates can be used: "));
    CHECK(texts(read({c.record, good})) == strings{"tls://good.example:853#192.0.2.53"});
  }
}

TEST_CASE("DNS-13: mandatory dohpath is understood (RFC 9461 section 5)") {
  const octets params = svc_param(0, u16(1) + u16(7)) + alpn(h2) + svc_param(7, text("/q{?dns}"));
  CHECK(texts(read({binding_data(1, "dns.example", params)})) == strings{"https://dns.example:443/q#192.0.2.53"});
}

TEST_CASE("DNS-13: a build without HTTP/2 takes what has TLS, and says so where nothing has") {
  const octets https = alpn(h2) + svc_param(7, text("/q{?dns}"));
  const octets both = alpn(h2 + dot) + svc_param(7, text("/q{?dns}"));
  CHECK(texts(read({binding_data(1, "dns.example", both)}, false)) == strings{"tls://dns.example:853#192.0.2.53"});
  CHECK(read({binding_data(1, "dns.example", https)}, false).why.find("this build has no HTTP/2") != std::string::npos);
}

TEST_CASE("DNS-13: who designates nobody, or cannot say, is named with the reason") {
  CHECK(read({}).why.starts_with("192.0.2.53:53: it designates no encrypted resolver (RFC 9462); name a server"));
  CHECK(read({u16(1)}).why.find("a service binding record is malformed") != std::string::npos);
  test_random random;
  const answer failed = failed_answer(designation_question(), "192.0.2.53:53: answered SERVFAIL");
  CHECK(read_designation(asked, failed, true, random).why ==
        "192.0.2.53:53: answered SERVFAIL, when it was asked which encrypted resolvers it designates (RFC 9462)");
}

TEST_CASE("DNS-13: however many are designated, a few are taken, and the reasons stay short") {
  std::vector<octets> many, bad;
  for (int i = 0; i < 40; ++i) {
    many.push_back(binding_data(1, "n" + std::to_string(i) + ".example", alpn(dot)));
    bad.push_back(binding_data(1, "n" + std::to_string(i) + ".example"));
  }
  CHECK(read(many).servers.size() == most_designated);
  const std::string why = read(bad).why;
  CHECK(std::count(why.begin(), why.end(), ';') == static_cast<std::ptrdiff_t>(most_designated) - 1);
}

TEST_CASE("DNS-06: for POST the variables of a URI template are undefined (RFC 8484 section 4.1)") {
  const std::pair<const char*, const char*> good[] = {{"/dns-query{?dns}", "/dns-query"},
                                                      {"/q{?x,dns}", "/q"},
                                                      {"/q?a=b{&dns}", "/q?a=b"},
                                                      {"/{dns}/q", "//q"},
                                                      {"/q{?dns:100}", "/q"},
                                                      {"/a{/x}{?dns*}", "/a"}};
  for (const auto& [uri_template, path] : good) CHECK(doh_post_path(uri_template) == std::string(path));
  for (const char* bad : {"", "/q", "q{?dns}", "/q{?x}", "/q{?dns", "/q}{?dns}", "/q{?dnssec}", "/a b{?dns}",
                          "/q\r\nx: y{?dns}", "/q#f{?dns}", "{?dns}", "/q%2{?dns}", "https://other/q{?dns}"}) {
    CAPTURE(std::string(bad));
    CHECK_FALSE(doh_post_path(bad));
  }
}
