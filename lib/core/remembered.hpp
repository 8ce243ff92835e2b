// What is kept of an endpoint's health from one process to the next.
#pragma once

#include "core/time.hpp"

#include <lbresolve/endpoint.hpp>

#include <chrono>
#include <cstdint>
#include <optional>

namespace lbresolve::core {

/// One endpoint's health as it is kept across processes. Times are wall-clock: boot clocks differ between boots.
struct remembered {
  std::uint64_t network = 0;  ///< fingerprint of the network it was learned on
  lbresolve::endpoint at;
  std::chrono::system_clock::time_point seen;  ///< the newest fact in it
  duration srtt{}, rttvar{};                   ///< zero srtt: never measured
  duration failure_time{};                     ///< mean time a failure took
  std::uint32_t successes = 0, failures = 0;   ///< of the last 30 s before `seen`
  std::uint32_t consecutive_failures = 0;
  std::uint32_t backoff = 0;  ///< k of 5 s * 2^k
  std::optional<std::chrono::system_clock::time_point> ejected_until;
};

}  // namespace lbresolve::core
