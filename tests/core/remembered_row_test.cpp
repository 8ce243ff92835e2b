#include "core/remembered_row.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

namespace lbresolve::core {
namespace {

using namespace std::chrono_literals;
using std::chrono::microseconds;
using std::chrono::system_clock;

const system_clock::time_point now{std::chrono::hours{24 * 365 * 55}};

remembered something() {
  remembered r;
  r.network = 0xFEDCBA9876543210;
  r.at = {address::parse("2001:db8::1").value(), 443};
  r.seen = now - 90s;
  r.srtt = 12'345us;
  r.rttvar = 678us;
  r.failure_time = 2s;
  r.successes = 7;
  r.failures = 2;
  r.consecutive_failures = 1;
  r.backoff = 3;
  r.ejected_until = now + 20s;
  return r;
}

bool is_same(const remembered& a, const remembered& b) {
  return a.network == b.network && a.at == b.at && a.seen == b.seen && a.srtt == b.srtt && a.rttvar == b.rttvar &&
         a.failure_time == b.failure_time && a.successes == b.successes && a.failures == b.failures &&
         a.consecutive_failures == b.consecutive_failures && a.backoff == b.backoff &&
         a.ejected_until == b.ejected_until;
}

TEST_CASE("a row says what was remembered, for both families") {
  auto r = something();
  CHECK(is_same(from_row(to_row(r).value(), now).value(), r));
  r.at = {address::parse("192.0.2.1").value(), 65535};
  r.ejected_until.reset();
  CHECK(is_same(from_row(to_row(r).value(), now).value(), r));
}

TEST_CASE("what another boot could not use is not kept: an address with a scope, and no port") {
  auto r = something();
  r.at.address = address::parse("fe80::1%3").value();
  CHECK_FALSE(to_row(r));
  r = something();
  r.at.port = 0;
  CHECK_FALSE(to_row(r));
}

TEST_CASE("what is put is cut to what a row may say, so that it can be read again") {
  auto r = something();
  r.srtt = 1000h;
  r.rttvar = -1s;
  r.successes = r.failures = r.consecutive_failures = r.backoff = std::numeric_limits<std::uint32_t>::max();
  const auto again = from_row(to_row(r).value(), now);
  REQUIRE(again);
  CHECK(again->srtt == 10min);
  CHECK(again->rttvar == 0s);
  CHECK(again->successes == 1'000'000);
  CHECK(again->backoff == 16);
}

TEST_CASE("SEC-11: a row with a number out of its range is dropped, whichever number it is") {
  using change = std::function<void(remembered_row&, std::int64_t)>;
  const std::vector<std::pair<std::string, change>> columns{
      {"port", [](auto& r, auto v) { r.port = v; }},
      {"srtt", [](auto& r, auto v) { r.srtt = v; }},
      {"rttvar", [](auto& r, auto v) { r.rttvar = v; }},
      {"failure_time", [](auto& r, auto v) { r.failure_time = v; }},
      {"successes", [](auto& r, auto v) { r.successes = v; }},
      {"failures", [](auto& r, auto v) { r.failures = v; }},
      {"consecutive_failures", [](auto& r, auto v) { r.consecutive_failures = v; }},
      {"backoff", [](auto& r, auto v) { r.backoff = v; }},
      {"seen", [](auto& r, auto v) { r.seen = v; }},
  };
  for (const auto& [name, set] : columns) {
    for (const std::int64_t value :
         {std::int64_t{-1}, std::int64_t{1'000'000'000}, std::numeric_limits<std::int64_t>::max(),
          std::numeric_limits<std::int64_t>::min(), std::int64_t{std::numeric_limits<std::uint32_t>::max()} + 1}) {
      const std::string column(name);  // clang 14 cannot capture a structured binding
      CAPTURE(column);
      CAPTURE(value);
      auto row = to_row(something()).value();
      set(row, value);
      CHECK_FALSE(from_row(row, now));
    }
  }
  for (const std::int64_t port : {0, 65536}) {
    auto row = to_row(something()).value();
    row.port = port;
    CHECK_FALSE(from_row(row, now));
  }
  for (const std::size_t size : {0U, 1U, 3U, 5U, 15U, 17U}) {
    auto row = to_row(something()).value();
    row.address_size = size;
    CHECK_FALSE(from_row(row, now));
  }
  auto row = to_row(something()).value();
  row.ejected_until = -1;
  CHECK_FALSE(from_row(row, now));
}

TEST_CASE("SEC-11: no row is from the future, older than an hour, or ejects for longer than ten minutes") {
  const auto seen_at = [](system_clock::time_point t) {
    auto r = something();
    r.seen = t;
    return from_row(to_row(r).value(), now);
  };
  CHECK(seen_at(now - 1h));
  CHECK_FALSE(seen_at(now - 1h - 1us));
  CHECK(seen_at(now + 1min).value().seen == now);
  CHECK_FALSE(seen_at(now + 1min + 1us));

  auto row = to_row(something()).value();
  row.ejected_until = std::numeric_limits<std::int64_t>::max();
  CHECK(from_row(row, now).value().ejected_until == now + 10min);
  row.ejected_until = 0;
  CHECK(from_row(row, now).value().ejected_until == system_clock::time_point());
}

}  // namespace
}  // namespace lbresolve::core
