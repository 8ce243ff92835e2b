#include "core/network_facts.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

namespace lbresolve::core {
namespace {

address ip(const char* text) { return address::parse(text).value(); }

network_facts home() {
  return {{{"wlan0", ip("192.168.1.0"), 24}, {"wlan0", ip("2001:db8:1::"), 64}, {"eth0", ip("10.0.0.0"), 8}},
          {{"wlan0", family::ipv4, ip("192.168.1.1")}, {"wlan0", family::ipv6, ip("fe80::1")}}};
}

TEST_CASE("part of MEM-10: the fingerprint is the same in every process and every order of the facts") {
  const auto number = fingerprint(home());
  CHECK(number == 0xC9E676A1EDF4C013);  // kept in files: another value forgets what everybody has learned
  auto facts = home();
  std::reverse(facts.prefixes.begin(), facts.prefixes.end());
  std::reverse(facts.routes.begin(), facts.routes.end());
  facts.prefixes.push_back(facts.prefixes.front());
  CHECK(fingerprint(facts) == number);
  CHECK(fingerprint({}) != 0);
}

TEST_CASE("part of MEM-10: every part of a fact counts") {
  std::set<std::uint64_t> seen{fingerprint(home()), fingerprint({})};
  const auto is_new = [&](const auto& change) {
    auto facts = home();
    change(facts);
    return seen.insert(fingerprint(facts)).second;
  };
  CHECK(is_new([](auto& f) { f.prefixes.pop_back(); }));
  CHECK(is_new([](auto& f) { f.prefixes[0].interface = "wlan1"; }));
  CHECK(is_new([](auto& f) { f.prefixes[0].network = ip("192.168.2.0"); }));
  CHECK(is_new([](auto& f) { f.prefixes[0].length = 25; }));
  CHECK(is_new([](auto& f) { f.routes.pop_back(); }));
  CHECK(is_new([](auto& f) { f.routes[0].interface = "eth0"; }));
  CHECK(is_new([](auto& f) { f.routes[0].gateway = ip("192.168.1.254"); }));
  CHECK(is_new([](auto& f) { f.routes[0].gateway.reset(); }));
  CHECK(is_new([](auto& f) { f.routes[0].family = family::ipv6; }));
}

TEST_CASE("a mask keeps the first bits of an address") {
  CHECK(masked(ip("192.168.255.255"), 17) == ip("192.168.128.0"));
  CHECK(masked(ip("192.168.1.9"), 32) == ip("192.168.1.9"));
  CHECK(masked(ip("192.168.1.9"), 255) == ip("192.168.1.9"));
  CHECK(masked(ip("192.168.1.9"), 0) == ip("0.0.0.0"));
  CHECK(masked(ip("2001:db8:1:2:3:4:5:6"), 64) == ip("2001:db8:1:2::"));
  CHECK(masked(ip("2001:db8:1:2:ffff:4:5:6"), 65) == ip("2001:db8:1:2:8000::"));
  CHECK(masked(ip("fe80::1%3"), 128) == ip("fe80::1"));
}

}  // namespace
}  // namespace lbresolve::core
