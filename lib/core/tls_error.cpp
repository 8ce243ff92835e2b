#include <lbresolve/tls_error.hpp>

#include <lbresolve/error.hpp>

#include <string>

namespace lbresolve {
namespace {

class category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "lbresolve.tls"; }

  std::string message(int value) const override {
    switch (static_cast<tls_errc>(value)) {
      case tls_errc::wrong_name:
        return "the certificate is for another name";
      case tls_errc::wrong_address:
        return "the certificate is for another address";
      case tls_errc::expired:
        return "the certificate has expired";
      case tls_errc::not_yet_valid:
        return "the certificate is not valid yet";
      case tls_errc::self_signed:
        return "the certificate is self-signed";
      case tls_errc::unknown_issuer:
        return "the certificate is from an unknown authority";
      case tls_errc::wrong_pin:
        return "the certificate matches no pin";
      case tls_errc::bad_certificate:
        return "the certificate cannot be accepted";
      case tls_errc::no_protocol:
        return "no common protocol (ALPN)";
      case tls_errc::alert:
        return "the server refused the TLS handshake";
      case tls_errc::closed:
        return "the server closed the connection during TLS";
      case tls_errc::not_tls:
        return "the server does not speak TLS as it should";
      case tls_errc::local_failure:
        return "TLS failed on this side";
    }
    return "unknown TLS error " + std::to_string(value);
  }

  std::error_condition default_error_condition(int value) const noexcept override {
    if (value == static_cast<int>(tls_errc::local_failure))
      return {static_cast<int>(errc::local_resources), lbresolve::error_category()};
    const bool certificate = value <= static_cast<int>(tls_errc::bad_certificate);
    return {static_cast<int>(certificate ? errc::certificate_rejected : errc::tls_failed), lbresolve::error_category()};
  }
};

}  // namespace

const std::error_category& tls_category() noexcept {
  static const category instance;
  return instance;
}

std::error_code make_error_code(tls_errc code) noexcept { return {static_cast<int>(code), tls_category()}; }

bool is_certificate_error(const std::error_code& code) noexcept {
  return code.category() == tls_category() && code.value() <= static_cast<int>(tls_errc::bad_certificate);
}

}  // namespace lbresolve
