// What all TLS sessions of a resolver share: the settings, the authorities that are trusted, and what can be resumed.
#pragma once

#include "io/openssl.hpp"
#include "io/tls_session_cache.hpp"

#include <lbresolve/error.hpp>

#include <memory>
#include <string>

namespace lbresolve::io {

/// TLS 1.2 or newer (RFC 8310 section 8.1, RFC 9325), no compression, no renegotiation, no early data: a query must not
/// be replayable. Thread-safe.
class tls_context {
 public:
  /// Reading the authorities takes milliseconds: make one and keep it.
  /// @param ca_file PEM, instead of the system's authorities; empty: the system's
  /// @return errc::invalid_option where `ca_file` cannot be used
  static result<std::shared_ptr<tls_context>> create(const std::string& ca_file = {});

  explicit tls_context(ssl_ctx_pointer made) noexcept : context_(std::move(made)) {}

  SSL_CTX* get() const noexcept { return context_.get(); }
  tls_session_cache& sessions() noexcept { return sessions_; }

 private:
  ssl_ctx_pointer context_;
  tls_session_cache sessions_;
};

}  // namespace lbresolve::io
