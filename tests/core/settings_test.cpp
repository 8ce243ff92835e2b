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

TEST_CASE("DNS-13: ddr stands for the system's servers, none of which is asked itself") {
  const resolv_conf system = parse_resolv_conf("nameserver 192.0.2.1\nnameserver 192.0.2.2\noptions timeout:1\n");
  const settings checked = check({.servers = {"ddr", "ddr://192.0.2.9", "tls://192.0.2.7"}}).value();
  CHECK(follows_system(checked));
  const upstream_group group = upstream_groups_for(checked, system).front();
  CHECK(group.servers->size() == 0);
  REQUIRE(group.from);
  std::string texts;
  for (const upstream& u : group.from->listed) texts += u.text + (u.discovers ? "? " : " ");
  CHECK(texts == "192.0.2.1:53? 192.0.2.2:53? ddr://192.0.2.9:53? tls://192.0.2.7:853 ");
  CHECK(group.from->choice.choice == upstream_choice::ordered);
  CHECK(group.from->asking.try_timeout == std::chrono::seconds{1});
  CHECK_FALSE(follows_system(check({.servers = {"ddr://192.0.2.9"}}).value()));
  CHECK(follows_system(check({.servers = {"192.0.2.9"}, .domain_servers = {{"corp.test", {"ddr"}}}}).value()));
  CHECK_FALSE(upstream_groups_for(check({.servers = {"192.0.2.9"}}).value(), system).front().from);
}

TEST_CASE("DNS-13: a bootstrap server is not discovered, as nobody could be verified before") {
  for (const char* server : {"ddr", "ddr://192.0.2.1"})
    CHECK(check({.bootstrap = {server}}).error() == errc::invalid_option);
}

TEST_CASE("DNS-13: the client subnet is not told to who is asked for designations") {
  options o{.servers = {"ddr://192.0.2.9"}};
  o.query.client_subnet = "192.0.2.0/24";
  const upstream_group group = upstream_groups_for(check(o).value(), {}).front();
  CHECK(group.rules.subnet);
  CHECK_FALSE(group.from->asking.subnet);
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

TEST_CASE("a build without HTTP/2 refuses https:// servers, wherever they stand, and says what else can be had") {
  for (const options& o : {options{.servers = {"192.0.2.53", "https://192.0.2.53"}},
                           options{.domain_servers = {{"corp.example", {"https://dns.example"}}}}}) {
    settings checked = check(o).value();
    CHECK(check_transports(checked));
    checked.has_http2 = false;
    const auto usable = check_transports(checked);
    REQUIRE_FALSE(usable);
    CHECK(usable.assume_error() == errc::unsupported);
    CHECK(usable.assume_error().message().find("this build has no HTTP/2") != std::string::npos);
  }
  settings plain = check(options{.servers = {"192.0.2.53", "tls://192.0.2.53"}}).value();
  plain.has_http2 = false;
  CHECK(check_transports(plain));
}

TEST_CASE("DNS-10: servers given by name are looked up through plain ones, chosen or the system's") {
  const resolv_conf system = parse_resolv_conf("nameserver 192.0.2.1\nnameserver 192.0.2.2\n");
  const auto asked = [&](const options& o) {
    const std::vector<upstream_group> groups = bootstrap_for(check(o).value(), system);
    REQUIRE(groups.size() == 1);
    std::string texts;
    for (std::size_t i = 0; i < groups[0].servers->size(); ++i) texts += (*groups[0].servers)[i].text + " ";
    return texts;
  };
  CHECK(asked({.servers = {"tls://dns.example"}}) == "192.0.2.1:53 192.0.2.2:53 ");
  CHECK(asked({.servers = {"tls://dns.example", "192.0.2.9"}, .bootstrap = {"192.0.2.7"}}) == "192.0.2.7:53 ");
  CHECK(asked({.domain_servers = {{"example", {"192.0.2.8"}}}}) == "192.0.2.1:53 192.0.2.2:53 ");
}
