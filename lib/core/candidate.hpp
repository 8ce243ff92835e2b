// An endpoint that a connect may try, with what DNS and the host's routes say about it.
#pragma once

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
  bool hint = false;                         ///< from ipv4hint or ipv6hint (RFC 9460 section 7.3)
  bool translated = false;                   ///< an IPv4 address behind a NAT64
  std::string skip;                          ///< not empty: never start it, and this is the reason
  rr_type from = rr_type::a;                 ///< the question that brought it; the race fills it in
};

}  // namespace lbresolve::core
