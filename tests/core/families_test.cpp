// Which family does not work, for one name and for the network.
#include "core/families.hpp"

#include "support/simulated_race.hpp"

#include <doctest/doctest.h>

#include <chrono>

namespace lbresolve::test {
namespace {

using namespace std::chrono_literals;

constexpr time_point t0{std::chrono::hours{1}};
constexpr std::size_t four = 0, six = 1;

/// A race that IPv4 won while IPv6 failed at this server.
core::race_facts v6_broken(unsigned server = 1) {
  core::race_facts f;
  f.won[four] = true;
  f.failed[six] = v6(server).endpoint.address;
  return f;
}

core::race_facts v6_won() {
  core::race_facts f;
  f.won[six] = true;
  return f;
}

struct subject {
  core::families_memory network{};
  core::family_evidence a{}, b{}, c{};
  bool demotes(const core::family_evidence& name, family f = family::ipv6) const { return network.is_demoted(name, f); }
};

TEST_CASE("MEM-09: a family that fails while the other works is demoted for that name") {
  subject s;
  s.network.on_race(s.a, 1, v6_broken(), t0);
  CHECK(s.demotes(s.a));
  CHECK_FALSE(s.demotes(s.a, family::ipv4));
  CHECK_FALSE(s.demotes(s.b));
}

TEST_CASE("MEM-09: a family that fails while the other fails too, or was not tried, is not demoted") {
  subject s;
  core::race_facts all;
  all.failed[four] = v4(1).endpoint.address;
  all.failed[six] = v6(1).endpoint.address;
  s.network.on_race(s.a, 1, all, t0);
  all.failed[four].reset();
  s.network.on_race(s.a, 1, all, t0);
  CHECK_FALSE(s.demotes(s.a));
}

TEST_CASE("MEM-09: two names within a minute demote the family for the network") {
  subject s;
  s.network.on_race(s.a, 1, v6_broken(1), t0);
  s.network.on_race(s.b, 2, v6_broken(2), t0 + 60s);
  CHECK(s.demotes(s.c));
  CHECK_FALSE(s.demotes(s.c, family::ipv4));
}

TEST_CASE("MEM-09: two names more than a minute apart, or one name twice, do not") {
  subject s;
  s.network.on_race(s.a, 1, v6_broken(1), t0);
  s.network.on_race(s.b, 2, v6_broken(2), t0 + 60s + 1ns);
  CHECK_FALSE(s.demotes(s.c));
  s.network.on_race(s.b, 2, v6_broken(3), t0 + 70s);
  CHECK_FALSE(s.demotes(s.c));
}

TEST_CASE("MEM-09: one dead IPv6 server that two names stand for demotes nothing else") {
  subject s;
  s.network.on_race(s.a, 1, v6_broken(1), t0);
  s.network.on_race(s.b, 2, v6_broken(1), t0 + 1s);
  CHECK(s.demotes(s.b));
  CHECK_FALSE(s.demotes(s.c));
  s.network.on_race(s.c, 3, v6_broken(2), t0 + 2s);
  CHECK(s.demotes({}));
}

TEST_CASE("MEM-09: a success of the family in that minute, anywhere, speaks against it") {
  subject s;
  s.network.on_race(s.a, 1, v6_broken(1), t0);
  s.network.on_success(family::ipv6, t0 + 10s);
  s.network.on_race(s.b, 2, v6_broken(2), t0 + 20s);
  CHECK_FALSE(s.demotes(s.c));
  CHECK(s.demotes(s.b));
  s.network.on_race(s.c, 3, v6_broken(3), t0 + 71s);
  CHECK(s.demotes({}));
}

TEST_CASE("MEM-09: a success ends it for the network, and a name's own success for the name") {
  subject s;
  s.network.on_race(s.a, 1, v6_broken(1), t0);
  s.network.on_race(s.b, 2, v6_broken(2), t0 + 1s);
  s.network.on_success(family::ipv6, t0 + 30s);
  CHECK_FALSE(s.demotes(s.c));
  CHECK(s.demotes(s.a));
  s.network.on_race(s.a, 1, v6_won(), t0 + 31s);
  CHECK_FALSE(s.demotes(s.a));
  CHECK(s.demotes(s.b));
}

TEST_CASE("MEM-09: IPv4 can be the broken one") {
  subject s;
  core::race_facts f;
  f.won[six] = true;
  f.failed[four] = v4(1).endpoint.address;
  s.network.on_race(s.a, 1, f, t0);
  f.failed[four] = v4(2).endpoint.address;
  s.network.on_race(s.b, 2, f, t0);
  CHECK(s.demotes(s.c, family::ipv4));
  CHECK_FALSE(s.demotes(s.c));
}

TEST_CASE("MEM-10: another network knows nothing of it") {
  subject s;
  s.network.on_race(s.a, 1, v6_broken(1), t0);
  s.network.on_race(s.b, 2, v6_broken(2), t0);
  s.network.clear();
  CHECK_FALSE(s.demotes(s.c));
  s.network.on_race(s.c, 3, v6_broken(3), t0);
  CHECK_FALSE(s.demotes({}));
}

}  // namespace
}  // namespace lbresolve::test
