// Service bindings: the RDATA of SVCB and HTTPS records (RFC 9460).
#pragma once

#include "core/name.hpp"
#include "core/wire_result.hpp"

#include <lbresolve/endpoint.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace lbresolve::core {

/// One SVCB or HTTPS record. Priority 0 is AliasMode: only `target` counts (RFC 9460 section 2.4.2).
struct service_binding {
  std::uint16_t priority = 0;
  name target;  ///< "." stands for the owner itself (section 2.5)
  std::optional<std::uint16_t> port;
  std::vector<std::string> alpn;  ///< as sent; without no-default-alpn the scheme's default is added by the user
  bool no_default_alpn = false;
  std::vector<address> hints;  ///< ipv4hint then ipv6hint, in the order sent
  std::string doh_path;        ///< dohpath, a URI template as sent (RFC 9461 section 5); empty: none
  bool usable = true;          ///< false: a mandatory key is not understood (section 8)

  bool is_alias() const noexcept { return priority == 0; }
};

/// Reads uncompressed RDATA. Keys must ascend strictly and each value must fit its key (section 2.2), else bad_rdata.
wire_result<service_binding> parse_service_binding(std::span<const std::uint8_t> rdata);

}  // namespace lbresolve::core
