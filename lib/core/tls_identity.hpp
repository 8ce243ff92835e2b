// What the certificate of a server must show before a word is sent to it.
#pragma once

#include <lbresolve/endpoint.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lbresolve::core {

/// SHA-256 over the DER SubjectPublicKeyInfo of a certificate (RFC 7858 section 4.2, RFC 7469 section 2.4).
using spki_pin = std::array<std::uint8_t, 32>;

/// With neither a name, nor an address, nor a pin nobody can be authenticated: such an identity is only good for
/// `verify == false`.
struct tls_identity {
  std::string name;                           ///< a DNS name, also sent as SNI (RFC 8310 section 8.1)
  std::optional<lbresolve::address> address;  ///< an IP address; where `name` is empty
  std::vector<spki_pin> pins;                 ///< where there are any, one must match, and no authority is asked
  bool verify = true;                         ///< false: opportunistic, anybody will do (RFC 7858 section 4.1)

  friend bool operator==(const tls_identity&, const tls_identity&) = default;
};

}  // namespace lbresolve::core
