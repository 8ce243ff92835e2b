// The pin of a public key, as people write it.
#pragma once

#include "core/tls_identity.hpp"

#include <optional>
#include <string_view>

namespace lbresolve::core {

/// Reads "sha256-BASE64", 32 octets in base64 or base64url (RFC 4648), its padding optional. "sha256/" and "sha256//",
/// as curl writes it, mean the same.
std::optional<spki_pin> parse_spki_pin(std::string_view text) noexcept;

}  // namespace lbresolve::core
