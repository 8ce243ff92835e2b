// One record for each endpoint of each network, bounded.
#include "core/endpoint_table.hpp"

#include "support/simulated_race.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>

namespace lbresolve::test {
namespace {

using namespace std::chrono_literals;

constexpr time_point t0{std::chrono::hours{10}};

struct subject {
  core::endpoint_table table;
  core::health_rules rules{};
  test_random random{};
  time_point now = t0;

  explicit subject(std::size_t most = 4) : table(most) {}

  core::endpoint_record& used(unsigned n) {
    core::endpoint_record& r = table.at(v4(n).endpoint, now);
    r.last_used = now;
    return r;
  }
  bool has(unsigned n) const { return table.find(v4(n).endpoint) != nullptr; }
};

TEST_CASE("MEM-03: an endpoint is one record, whoever asks for it") {
  subject s;
  s.used(1).health.on_connected(20ms, {}, s.now, s.rules);
  CHECK(s.used(1).health.view(s.now, s.rules).srtt == 20ms);
  CHECK(s.table.size() == 1);
  CHECK_FALSE(s.table.at(v4(1, 8443).endpoint, s.now).health.view(s.now, s.rules).measured);  // another port
  CHECK(s.table.size() == 2);
}

TEST_CASE("MEM-10: each network has its own records, and the old ones are there again after a return") {
  subject s;
  s.used(1).health.on_connected(20ms, {}, s.now, s.rules);
  s.table.use_network(7);
  CHECK_FALSE(s.has(1));
  CHECK_FALSE(s.used(1).health.view(s.now, s.rules).measured);
  s.table.use_network(0);
  CHECK(s.used(1).health.view(s.now, s.rules).measured);
}

TEST_CASE("MEM-03: the table never grows beyond its bound") {
  subject s(100);
  for (unsigned n = 0; n < 10'000; ++n) {
    s.now += 1ms;
    s.used(n);
    CHECK(s.table.size() <= 100);
  }
  CHECK(s.has(9'999));
}

TEST_CASE("MEM-03: what is asked for again stays, what was asked for once goes") {
  subject s(4);
  for (unsigned n = 1; n <= 4; ++n) s.used(n);
  s.used(1);
  s.used(3);
  s.used(10);
  s.used(11);
  CHECK(s.has(1));
  CHECK(s.has(3));
  CHECK_FALSE(s.has(2));
  CHECK_FALSE(s.has(4));
}

TEST_CASE("MEM-03: when all were asked for again, one of them goes all the same") {
  subject s(4);
  for (int twice = 0; twice < 2; ++twice)
    for (unsigned n = 1; n <= 4; ++n) s.used(n);
  s.used(5);
  CHECK(s.has(5));
  CHECK(s.table.size() == 4);
}

TEST_CASE("MEM-03: where something goes on, nothing is taken away while there is another") {
  subject s(4);
  for (unsigned n = 1; n <= 4; ++n) s.used(n);
  s.used(1).health.on_started(s.now);
  s.used(2).health.on_started(s.now);
  for (unsigned n = 10; n < 50; ++n) s.used(n);
  CHECK(s.has(1));
  CHECK(s.has(2));
  for (unsigned n = 48; n < 50; ++n) s.used(n).health.on_started(s.now);
  s.used(60);  // something goes on everywhere: still bounded
  CHECK(s.has(60));
  CHECK(s.table.size() == 4);
}

TEST_CASE("MEM-03: what nobody has used for an hour is forgotten") {
  subject s;
  s.used(1).health.on_connected(20ms, {}, s.now, s.rules);
  s.now += 1h - 1ns;
  CHECK(s.table.at(v4(1).endpoint, s.now).health.view(s.now, s.rules).measured);
  s.now += 1ns;
  CHECK_FALSE(s.table.at(v4(1).endpoint, s.now).health.view(s.now, s.rules).measured);
  CHECK(s.table.size() == 1);
}

TEST_CASE("MEM-03: where something goes on, or has just happened, nothing is forgotten") {
  subject s;
  s.used(1).health.on_connected(20ms, {}, s.now, s.rules);
  s.used(1).health.on_started(s.now);
  s.used(2);
  s.now += 2h;
  s.table.find(v4(2).endpoint)->health.on_connected(20ms, {}, s.now, s.rules);
  CHECK(s.table.at(v4(1).endpoint, s.now).health.view(s.now, s.rules).measured);
  CHECK(s.table.at(v4(2).endpoint, s.now).health.view(s.now, s.rules).measured);
}

TEST_CASE("clear() forgets everything") {
  subject s;
  for (unsigned n = 1; n <= 6; ++n) s.used(n);
  s.table.clear();
  CHECK(s.table.size() == 0);
  CHECK_FALSE(s.has(6));
  for (unsigned n = 1; n <= 6; ++n) s.used(n);
  CHECK(s.table.size() == 4);
}

}  // namespace
}  // namespace lbresolve::test
