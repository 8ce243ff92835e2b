// Addresses as libcurl, libpq and gRPC want them.
#include <lbresolve/interop.hpp>

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

namespace lbresolve {

namespace {

resolution of(const std::vector<std::pair<const char*, std::uint16_t>>& endpoints) {
  resolution found;
  for (const auto& [text, port] : endpoints) found.endpoints.push_back({*address::parse(text), port});
  return found;
}

const resolution mixed = of({{"2001:db8::1", 443}, {"192.0.2.1", 443}, {"2001:db8::2", 443}, {"192.0.2.2", 443}});

}  // namespace

TEST_CASE("an entry for libcurl has all addresses in their order, IPv6 in brackets") {
  CHECK(curl_resolve_entry("api.example.com", 443, mixed).value() ==
        "api.example.com:443:[2001:db8::1],192.0.2.1,[2001:db8::2],192.0.2.2");
  CHECK(curl_resolve_entry("api.example.com", 443, mixed, curl_entry::expires).value() ==
        "+api.example.com:443:[2001:db8::1],192.0.2.1,[2001:db8::2],192.0.2.2");
}

TEST_CASE("an entry for libcurl leaves out what it cannot have: another port, a scope") {
  const resolution found = of({{"192.0.2.1", 8443}, {"fe80::1%3", 443}, {"192.0.2.2", 443}, {"192.0.2.3", 0}});
  CHECK(curl_resolve_entry("h", 443, found).value() == "h:443:192.0.2.2,192.0.2.3");
  CHECK(curl_resolve_entry("h", 80, found).value() == "h:80:192.0.2.3");
  CHECK(curl_resolve_entry("h", 80, of({{"192.0.2.1", 443}})).error() == errc::no_addresses);
  CHECK(curl_resolve_entry("h", 80, {}).error() == errc::no_addresses);
}

TEST_CASE("a host that would change the meaning of an entry is refused") {
  for (const std::string bad :
       {"", "a,b", "a:443", "-a", "+a", "a b", "a'b", "a\\b", "*", "/tmp", "a\nb", "[::1]", "m\xc3\xbcller"}) {
    CAPTURE(bad);
    CHECK(curl_resolve_entry(bad, 443, mixed).error() == errc::invalid_target);
    CHECK(libpq_conninfo(bad, mixed).error() == errc::invalid_target);
  }
  CHECK(curl_resolve_entry("a\x1b[2Jb", 443, mixed).error().message().find('\x1b') == std::string::npos);
  CHECK(curl_resolve_entry("2001:db8::9", 443, of({{"192.0.2.1", 443}})).value() == "[2001:db8::9]:443:192.0.2.1");
  CHECK(curl_resolve_entry("_a.example.", 443, of({{"192.0.2.1", 443}})).value() == "_a.example.:443:192.0.2.1");
}

TEST_CASE("libpq gets three lists of one length, each endpoint with its own port") {
  const resolution found = of({{"2001:db8::1", 0}, {"192.0.2.1", 6432}, {"fe80::1%3", 5433}});
  CHECK(libpq_conninfo("db.example", found).value() ==
        "host=db.example,db.example,db.example hostaddr=2001:db8::1,192.0.2.1,fe80::1%3 port=5432,6432,5433");
  const libpq_hosts lists = libpq_hosts_for("db.example", found, 7).value();
  CHECK(lists.host == "db.example,db.example,db.example");
  CHECK(lists.hostaddr == "2001:db8::1,192.0.2.1,fe80::1%3");
  CHECK(lists.port == "7,6432,5433");
  CHECK(libpq_conninfo("db.example", {}).error() == errc::no_addresses);
}

TEST_CASE("a target for gRPC has the family that connect would try first, and that one only") {
  CHECK(grpc_target(mixed).value() == "ipv6:[2001:db8::1]:443,[2001:db8::2]:443");
  CHECK(grpc_target(of({{"192.0.2.1", 0}, {"2001:db8::1", 1}, {"192.0.2.2", 50051}})).value() ==
        "ipv4:192.0.2.1:443,192.0.2.2:50051");
  CHECK(grpc_target(of({{"192.0.2.1", 0}}), 50051).value() == "ipv4:192.0.2.1:50051");
  CHECK(grpc_target({}).error() == errc::no_addresses);
}

TEST_CASE("a scope in a target for gRPC is written as a URI wants it (RFC 6874 section 2)") {
  CHECK(grpc_target(of({{"fe80::1%3", 443}})).value() == "ipv6:[fe80::1%253]:443");
}

}  // namespace lbresolve
