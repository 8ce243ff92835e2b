// Why TLS with one server did not come about: the codes of attempts whose stage is `tls`.
#pragma once

#include <lbresolve/export.hpp>

#include <cstdint>
#include <system_error>

namespace lbresolve {

/// Those of the certificate equal errc::certificate_rejected as a condition, the others errc::tls_failed.
enum class tls_errc {
  // The certificate.
  wrong_name = 1,   ///< it is for other names (RFC 9525 section 6)
  wrong_address,    ///< it is for other addresses
  expired,          ///< its time, or that of one it depends on, is over
  not_yet_valid,    ///< its time has not come
  self_signed,      ///< it vouches for itself only
  unknown_issuer,   ///< no trusted authority stands behind it
  wrong_pin,        ///< none of the pins matches (RFC 7858 section 4.2)
  bad_certificate,  ///< anything else that is wrong with it

  // The rest.
  no_protocol,   ///< the server speaks none of the protocols asked for (ALPN, RFC 7301)
  alert,         ///< the server refused (RFC 8446 section 6)
  closed,        ///< the server closed the connection in the middle
  not_tls,       ///< what the server sent is not TLS, or breaks its rules
  local_failure  ///< this side could not go on: memory, or settings that OpenSSL does not take
};

LBRESOLVE_EXPORT const std::error_category& tls_category() noexcept;
LBRESOLVE_EXPORT std::error_code make_error_code(tls_errc code) noexcept;

/// Whether the code tells that a certificate was refused.
LBRESOLVE_EXPORT bool is_certificate_error(const std::error_code& code) noexcept;

}  // namespace lbresolve

template <>
struct std::is_error_code_enum<lbresolve::tls_errc> : std::true_type {};
