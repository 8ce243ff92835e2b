// An endpoint that a connect may try, with what DNS, the host's routes and the health memory say about it.
#pragma once

#include "core/health.hpp"
#include "core/question.hpp"

#include <lbresolve/endpoint.hpp>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace lbresolve::core {

/// Other hosts than the one asked for, that service records (SRV, SVCB, HTTPS) may bring into one lookup: each costs
/// two questions.
inline constexpr std::size_t most_other_hosts = 16;

/// The question that brought a candidate. Host 0 is the one asked for, the others are those that service records name,
/// in the order of their records. The type is a, aaaa, or that of a service record: https, srv.
struct origin {
  std::uint8_t host = 0;  ///< at most most_other_hosts
  rr_type type = rr_type::a;

  constexpr origin() = default;
  constexpr origin(rr_type t) noexcept : type(t) {}  // NOLINT(google-explicit-constructor): of the host asked for
  constexpr origin(std::uint8_t h, rr_type t) noexcept : host(h), type(t) {}
  friend bool operator==(const origin&, const origin&) = default;
};

/// Addresses of the target's own name. Only their answers are compared with earlier ones: what service records name is
/// as the newest records have it, and their hosts change numbers when the records change places.
constexpr bool is_of_the_name(origin o) noexcept {
  return o.host == 0 && (o.type == rr_type::a || o.type == rr_type::aaaa);
}

struct candidate {
  /// Priorities behind all that DNS can name (RFC 9460 section 3): the end of a chain of aliases, and the host itself
  /// without its service records.
  static constexpr std::uint32_t end_of_aliases = 65'536;
  static constexpr std::uint32_t without_records = 65'537;

  lbresolve::endpoint endpoint;
  std::optional<lbresolve::address> source;  ///< what this host would send from to reach it; empty: no route
  std::uint32_t priority = 0;                ///< SRV or SVCB priority: lower tiers are exhausted first
  std::uint16_t weight = 0;                  ///< SRV weight, of all addresses of its record together
  bool weighted = false;                     ///< DNS gave `weight`
  double frequency = 0;                      ///< learned: in how many of the answers it is, up to 1; 0: not learned
  bool hint = false;                         ///< from ipv4hint or ipv6hint (RFC 9460 section 7.3)
  bool translated = false;                   ///< an IPv4 address behind a NAT64
  std::string skip;                          ///< not empty: never start it, and this is the reason
  origin from;                               ///< the question that brought it
  health_view known;                         ///< what is known of the endpoint; by default nothing
};

/// Which SRV record a weighted candidate belongs to: equal for the addresses of one record.
inline std::uint32_t record_of(const candidate& c) noexcept {
  return std::uint32_t{c.from.host} << 16 | c.endpoint.port;
}

}  // namespace lbresolve::core
