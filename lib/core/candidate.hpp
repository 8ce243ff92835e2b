// An endpoint that a connect may try, with what DNS, the host's routes and the health memory say about it.
#pragma once

#include "core/health.hpp"
#include "core/question.hpp"

#include <lbresolve/endpoint.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace lbresolve::core {

struct candidate {
  lbresolve::endpoint endpoint;
  std::optional<lbresolve::address> source;  ///< what this host would send from to reach it; empty: no route
  std::uint16_t priority = 0;                ///< SRV or SVCB priority: lower tiers are exhausted first
  std::uint16_t weight = 0;                  ///< of SRV, where `weighted`
  bool weighted = false;                     ///< the operator gave weights: they decide, not what was measured
  bool hint = false;                         ///< from ipv4hint or ipv6hint (RFC 9460 section 7.3)
  std::string skip;                          ///< not empty: never start it, and this is the reason
  rr_type from = rr_type::a;                 ///< the question that brought it; the race fills it in
  health_view known;                         ///< what is known of the endpoint; by default nothing
};

}  // namespace lbresolve::core
