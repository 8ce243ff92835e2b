#include "core/settings.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace lbresolve;
using namespace lbresolve::core;

namespace {

/// What is wrong with `o`, or nothing.
std::string complaint(const options& o) {
  const auto checked = check(o);
  return checked ? std::string() : checked.assume_error().message();
}

bool says(const options& o, const char* what) { return complaint(o).find(what) != std::string::npos; }

}  // namespace

TEST_CASE("domains with servers of their own are read, and a wrong one is named") {
  options o;
  o.domain_servers = {{"corp.example", {"10.0.0.53", "tcp://10.0.0.54"}}, {"Lab.Example.", {"[fd00::53]:5353"}}};
  const auto checked = check(o);
  REQUIRE(checked);
  REQUIRE(checked.value().domains.size() == 2);
  CHECK(checked.value().domains[0].suffix.to_text() == "corp.example");
  CHECK(checked.value().domains[0].servers[1].text == "tcp://10.0.0.54:53");
  CHECK(says({.domain_servers = {{"", {"10.0.0.53"}}}}, "domain_servers \"\" is not a domain name"));
  CHECK(says({.domain_servers = {{"a..b", {"10.0.0.53"}}}}, "is not a domain name"));
  CHECK(says({.domain_servers = {{".", {"10.0.0.53"}}}}, "is every name"));
  CHECK(says({.domain_servers = {{"corp.local", {"10.0.0.53"}}}}, "is never asked for"));
  CHECK(says({.domain_servers = {{"corp.example", {}}}}, "has no server"));
  CHECK(says({.domain_servers = {{"corp.example", {"dns"}}}}, "server \"dns\": "));
  CHECK(
      says({.domain_servers = {{"corp.example", {"10.0.0.53"}}, {"CORP.example.", {"10.0.0.54"}}}}, "is there twice"));
}

TEST_CASE("DNS-10: bootstrap servers are servers without TLS") {
  options o;
  o.bootstrap = {"192.0.2.53", "tcp://192.0.2.54"};
  const auto checked = check(o);
  REQUIRE(checked);
  CHECK(checked.value().bootstrap.size() == 2);
  CHECK(says({.bootstrap = {"tls://192.0.2.53"}}, "bootstrap server \"tls://192.0.2.53:853\" has TLS"));
  CHECK(says({.bootstrap = {"dns.example"}}, "is not an IP address"));
}

TEST_CASE("SEC-09: domains that the rebinding filter lets through are names") {
  options o;
  o.rebinding_filter = true;
  o.rebinding_allowed = {"home.example"};
  const auto checked = check(o);
  REQUIRE(checked);
  REQUIRE(checked.value().rebinding);
  CHECK(checked.value().rebinding->allows(name::from_text("a.HOME.example").value()));
  CHECK_FALSE(checked.value().rebinding->allows(name::from_text("example").value()));
  CHECK_FALSE(check(options{}).value().rebinding);
  CHECK(says({.rebinding_allowed = {"a..b"}}, "rebinding_allowed \"a..b\" is not a domain name"));
}

TEST_CASE("servers with TLS are read, and refused where this build would have to ask them") {
  for (const options& o : {options{.servers = {"192.0.2.53", "tls://192.0.2.53"}},
                           options{.domain_servers = {{"corp.example", {"https://dns.example"}}}}}) {
    const auto checked = check(o);
    REQUIRE(checked);
    const auto usable = check_transports(checked.value());
    REQUIRE_FALSE(usable);
    CHECK(usable.assume_error() == errc::unsupported);
    CHECK(usable.assume_error().message().find("not part of this build") != std::string::npos);
  }
  CHECK(check_transports(check(options{.servers = {"192.0.2.53"}}).value()));
}
