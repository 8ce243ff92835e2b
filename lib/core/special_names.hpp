// Names that never go out to an upstream, and why.
#pragma once

#include "core/answer.hpp"
#include "core/question.hpp"

#include <cstdint>
#include <string_view>

namespace lbresolve::core {

enum class special : std::uint8_t {
  none,       ///< an ordinary name: ask an upstream
  localhost,  ///< localhost and everything below it: 127.0.0.1 and ::1 (RFC 6761 section 6.3)
  nowhere,    ///< .invalid, .onion, .alt: no such name in the DNS
  resolver,   ///< resolver.arpa and everything below it: there, and empty (RFC 9462 section 6.4)
  local,      ///< .local belongs to multicast DNS (RFC 6762 section 3), which this library does not speak; but see
              ///< is_local_in_dns()
};

/// What is known of a name without asking anybody.
struct special_answer {
  special is = special::none;
  const char* reason = "";  ///< one clause for a trace, with its RFC; static storage; empty for special::none

  explicit operator bool() const noexcept { return is != special::none; }
};

/// Looks at the last label, and under .arpa at the one before it. Reverse zones, home.arpa (RFC 8375), ipv4only.arpa
/// (RFC 8880), .test, .example and .internal are ordinary names here: for each of them the local recursive resolver is
/// the one that knows.
special_answer find_special(const name& n) noexcept;

/// The answer to `q` that `found`, which must not be special::none, stands for: loopback addresses, NODATA for the
/// other types of localhost and for resolver.arpa, or NXDOMAIN. Its TTL is 0: there is nothing to gain from a cache.
answer make_answer(const special_answer& found, const question& q);

/// Whether a URL parser would take `host` for an IPv4 address: its last label, a trailing dot aside, is all digits or
/// "0x" and hexadecimal digits (WHATWG URL, "ends in a number"). RFC 1123 section 2.1: no top-level domain is numeric.
bool ends_in_number(std::string_view host) noexcept;

}  // namespace lbresolve::core
