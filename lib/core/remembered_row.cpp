#include "core/remembered_row.hpp"

#include <algorithm>
#include <bit>
#include <limits>

namespace lbresolve::core {

namespace {

using std::chrono::microseconds;
using std::chrono::system_clock;

constexpr bool is_within(std::int64_t value, std::int64_t most) noexcept { return value >= 0 && value <= most; }
constexpr bool is_within(std::int64_t value, microseconds most) noexcept { return is_within(value, most.count()); }

std::int64_t cut(duration d) noexcept {
  return std::clamp(std::chrono::duration_cast<microseconds>(d), microseconds::zero(), row_limits::duration).count();
}

std::int64_t cut(std::uint32_t value, std::int64_t most) noexcept { return std::min<std::int64_t>(value, most); }

/// Only for what is_within() has seen: the wall clock may count in nanoseconds.
system_clock::time_point to_time(std::int64_t value) noexcept {
  return system_clock::time_point(std::chrono::duration_cast<system_clock::duration>(microseconds(value)));
}

std::optional<address> to_address(const remembered_row& row) noexcept {
  if (row.address_size == 16) return address::v6(row.address);
  if (row.address_size != 4) return std::nullopt;
  std::array<std::uint8_t, 4> octets{};
  std::copy_n(row.address.begin(), octets.size(), octets.begin());
  return address::v4(octets);
}

bool has_plausible_numbers(const remembered_row& row) noexcept {
  return row.port != 0 && is_within(row.port, std::numeric_limits<std::uint16_t>::max()) &&
         is_within(row.srtt, row_limits::duration) && is_within(row.rttvar, row_limits::duration) &&
         is_within(row.failure_time, row_limits::duration) && is_within(row.successes, row_limits::count) &&
         is_within(row.failures, row_limits::count) && is_within(row.consecutive_failures, row_limits::count) &&
         is_within(row.backoff, row_limits::backoff);
}

}  // namespace

std::int64_t microseconds_of(system_clock::time_point t) noexcept {
  return std::chrono::duration_cast<microseconds>(t.time_since_epoch()).count();
}

std::optional<remembered_row> to_row(const remembered& r) noexcept {
  if (r.at.port == 0 || r.at.address.scope() != 0) return std::nullopt;
  remembered_row row;
  row.network = std::bit_cast<std::int64_t>(r.network);
  const auto octets = r.at.address.bytes();
  std::copy(octets.begin(), octets.end(), row.address.begin());
  row.address_size = octets.size();
  row.port = r.at.port;
  row.seen = microseconds_of(r.seen);
  row.srtt = cut(r.srtt);
  row.rttvar = cut(r.rttvar);
  row.failure_time = cut(r.failure_time);
  row.successes = cut(r.successes, row_limits::count);
  row.failures = cut(r.failures, row_limits::count);
  row.consecutive_failures = cut(r.consecutive_failures, row_limits::count);
  row.backoff = cut(r.backoff, row_limits::backoff);
  if (r.ejected_until) row.ejected_until = microseconds_of(*r.ejected_until);
  return row;
}

std::optional<remembered> from_row(const remembered_row& row, system_clock::time_point now) noexcept {
  const std::int64_t today = microseconds_of(now);
  const auto where = to_address(row);
  if (!where || !has_plausible_numbers(row)) return std::nullopt;
  // `today` is decades from either end of 64 bits: these sums cannot overflow, differences with the row's times can.
  if (row.seen < today - row_limits::age.count() || row.seen > today + row_limits::ahead.count()) return std::nullopt;
  if (row.ejected_until && *row.ejected_until < 0) return std::nullopt;

  remembered r;
  r.network = std::bit_cast<std::uint64_t>(row.network);
  r.at = {*where, static_cast<std::uint16_t>(row.port)};
  r.seen = to_time(std::min(row.seen, today));
  r.srtt = microseconds(row.srtt);
  r.rttvar = microseconds(row.rttvar);
  r.failure_time = microseconds(row.failure_time);
  r.successes = static_cast<std::uint32_t>(row.successes);
  r.failures = static_cast<std::uint32_t>(row.failures);
  r.consecutive_failures = static_cast<std::uint32_t>(row.consecutive_failures);
  r.backoff = static_cast<std::uint32_t>(row.backoff);
  if (row.ejected_until) r.ejected_until = to_time(std::min(*row.ejected_until, today + row_limits::ejection.count()));
  return r;
}

}  // namespace lbresolve::core
