#include "io/tls_context.hpp"

#include "core/quoted.hpp"
#include "io/system_authorities.hpp"
#include "io/tls_session.hpp"

#include <lbresolve/tls_error.hpp>

#include <utility>

namespace lbresolve::io {

namespace {

// How long a session may be resumed, at most, whatever the server says: until then its certificate is not looked at
// again (RFC 8446 section 4.6.1 allows seven days).
constexpr long longest_session_seconds = 2L * 60 * 60;

}  // namespace

result<std::shared_ptr<tls_context>> tls_context::create(const std::string& ca_file) {
  const own_error_queue errors;
  ssl_ctx_pointer made(SSL_CTX_new(TLS_client_method()));
  if (!made || SSL_CTX_set_min_proto_version(made.get(), TLS1_2_VERSION) != 1)
    return error(make_error_code(tls_errc::local_failure), "OpenSSL cannot be set up for TLS 1.2 and newer");
  SSL_CTX* const c = made.get();
  SSL_CTX_set_options(c, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_set_timeout(c, longest_session_seconds);
  tls_session::hook_into(c);
  if (ca_file.empty()) {
    if (!trust_system_authorities(*c)) return error(make_error_code(tls_errc::local_failure), "no memory for TLS");
  } else if (SSL_CTX_load_verify_file(c, ca_file.c_str()) != 1) {
    return error(make_error_code(errc::invalid_option),
                 "no certificate can be read from the CA file " + core::quoted(ca_file) + ": it must be in PEM format");
  }
  return std::make_shared<tls_context>(std::move(made));
}

}  // namespace lbresolve::io
