// The library's notion of time. Cores are handed `now`; only io/clock reads it.
#pragma once

#include <chrono>
#include <cstdint>

namespace lbresolve::core {

/// Nanoseconds on a clock that never jumps and that counts suspend (TTL-09). It has no now() on purpose.
struct boot_clock {
  using rep = std::int64_t;
  using period = std::nano;
  using duration = std::chrono::nanoseconds;
  using time_point = std::chrono::time_point<boot_clock, duration>;
  static constexpr bool is_steady = true;
};

using duration = boot_clock::duration;
using time_point = boot_clock::time_point;

/// Later than everything: "no deadline".
inline constexpr time_point never = time_point::max();

}  // namespace lbresolve::core
