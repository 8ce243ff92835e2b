// Remembered health as the columns of the state file, and the check of what comes out of one.
#pragma once

#include "core/remembered.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace lbresolve::core {

/// One row. Durations in microseconds, times in microseconds since 1970. In one that was read stands what a damaged or
/// a hostile file says.
struct remembered_row {
  std::int64_t network = 0;  ///< the fingerprint's bits
  std::array<std::uint8_t, 16> address{};
  std::size_t address_size = 0;
  std::int64_t port = 0;
  std::int64_t seen = 0;
  std::int64_t srtt = 0, rttvar = 0, failure_time = 0;
  std::int64_t successes = 0, failures = 0;
  std::int64_t consecutive_failures = 0;
  std::int64_t backoff = 0;
  std::optional<std::int64_t> ejected_until;
};

/// What a row may say. to_row() keeps within, from_row() drops what is outside.
struct row_limits {
  static constexpr std::chrono::microseconds duration = std::chrono::minutes{10};
  static constexpr std::int64_t count = 1'000'000;
  static constexpr std::int64_t backoff = 16;
  static constexpr std::chrono::microseconds age = std::chrono::hours{1};
  /// Clocks are set: a row from so far ahead counts as of now, one from further ahead is dropped.
  static constexpr std::chrono::microseconds ahead = std::chrono::minutes{1};
  /// Nobody stays ejected longer than so on the word of a file.
  static constexpr std::chrono::microseconds ejection = std::chrono::minutes{10};
};

/// Microseconds since 1970.
std::int64_t microseconds_of(std::chrono::system_clock::time_point t) noexcept;

/// What exceeds row_limits is cut to them. Nothing for what is not kept: port 0, and an address with a scope, since
/// interfaces are numbered anew at every boot.
std::optional<remembered_row> to_row(const remembered& r) noexcept;

/// The row's value as of `now`; nothing where any column is outside row_limits, or the row is too old.
std::optional<remembered> from_row(const remembered_row& row, std::chrono::system_clock::time_point now) noexcept;

}  // namespace lbresolve::core
