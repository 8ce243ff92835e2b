// What is known of an endpoint, and what a program can say about one.
#pragma once

#include <lbresolve/endpoint.hpp>
#include <lbresolve/export.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lbresolve {

/// What the health memory thinks of an endpoint.
enum class endpoint_state : std::uint8_t {
  unknown,    ///< never tried on this network
  healthy,    ///< the last thing that happened there was a success
  ramping,    ///< back after an ejection: its share grows with time
  suspect,    ///< something failed since the last success: tried after all others
  half_open,  ///< its ejection is over: one try decides
  ejected,    ///< failed again and again: tried only when nothing else is left
};

LBRESOLVE_EXPORT const char* to_string(endpoint_state s) noexcept;

/// How something that a program did with an endpoint went.
enum class outcome : std::uint8_t { success, failure };

/// One record of the health memory, as it stands now. A plain value.
struct endpoint_health_record {
  lbresolve::endpoint endpoint;
  endpoint_state state = endpoint_state::unknown;
  std::optional<std::chrono::nanoseconds> srtt;     ///< smoothed time to a connection; empty: never measured
  std::chrono::nanoseconds rttvar{};                ///< its mean deviation
  std::optional<std::chrono::nanoseconds> latency;  ///< of requests, as reported by the program
  double successes = 0;                             ///< of the last 30 s
  double failures = 0;                              ///< likewise; a connect that needed a retransmission counts 1/2
  std::uint32_t in_flight = 0;                      ///< attempts, and requests begun and not reported
  std::uint32_t consecutive_failures = 0;
  std::chrono::nanoseconds age{};                      ///< since the newest fact
  std::optional<std::chrono::nanoseconds> comes_back;  ///< ejected: when it is tried again, from now
};

}  // namespace lbresolve
