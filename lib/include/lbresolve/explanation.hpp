// Why the addresses of a target would be tried in the order in which they would be, and what a look at each one tells.
#pragma once

#include <lbresolve/endpoint.hpp>
#include <lbresolve/export.hpp>
#include <lbresolve/health.hpp>
#include <lbresolve/options.hpp>
#include <lbresolve/selection.hpp>
#include <lbresolve/trace.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

namespace lbresolve {

/// One candidate, with all that its place comes from. A plain value.
struct explained_candidate {
  lbresolve::endpoint endpoint;
  std::uint32_t priority = 0;           ///< of SRV or HTTPS records (RFC 2782, RFC 9460): lower ones first
  std::optional<std::uint16_t> weight;  ///< of SRV records; empty: DNS gave none
  std::optional<double> frequency;  ///< in how many of the answers it is, up to 1; empty: `learn_weights` is off, or
                                    ///< nothing is learned yet
  endpoint_state state = endpoint_state::unknown;
  std::optional<std::chrono::nanoseconds> srtt;  ///< smoothed time to a connection; empty: never measured
  double successes = 0;                          ///< of the last 30 s
  double failures = 0;
  std::uint32_t in_flight = 0;
  std::chrono::nanoseconds cost{};  ///< the expected time to a connection; typical of the set where nothing is known
  double share = 0;                 ///< how often it would be the first choice now, from 0 to 1: of many drawn orders
  std::string why;                  ///< one clause: the reason for its place
};

/// What a connect would do now. A plain value.
struct explanation {
  std::string target;
  selection_mode mode = selection_mode::hybrid;
  lbresolve::policy policy = policy::balanced;
  name_behaviour behaviour = name_behaviour::unknown;
  bool panic = false;                           ///< most members fail and none succeeds: nobody counts as ejected
  std::vector<explained_candidate> candidates;  ///< in the order in which a connect would try them now
  std::shared_ptr<const trace> story;           ///< of the lookup
};

/// What a look at every address of a target has found.
struct probe_report {
  std::string target;
  std::vector<attempt_record> attempts;  ///< one for each address, in the order of the answer; `won` is "connected"
  std::shared_ptr<const trace> story;    ///< of the lookup
};

LBRESOLVE_EXPORT const char* to_string(policy p) noexcept;

}  // namespace lbresolve
