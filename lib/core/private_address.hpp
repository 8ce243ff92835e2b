// Which addresses mean this host or the network around it, in whatever form they are written.
#pragma once

#include "core/nat64.hpp"

#include <lbresolve/endpoint.hpp>

#include <optional>

namespace lbresolve::core {

/// What keeps `a` from being an address of the internet: "loopback, RFC 1122"; null: nothing does. An IPv4 address
/// inside an IPv6 one counts as what it is there: mapped and compatible (RFC 4291 section 2.5.5), translated (RFC
/// 2765), NAT64 (RFC 6052), 6to4 (RFC 3056), Teredo (RFC 4380) and ISATAP (RFC 5214). Static storage.
/// @param nat64 this network's prefix, where it is not the well-known one
const char* private_kind(const address& a, const std::optional<nat64_prefix>& nat64 = {}) noexcept;

}  // namespace lbresolve::core
