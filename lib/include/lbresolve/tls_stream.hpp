// The TLS session of a connection, after its handshake.
#pragma once

#include <lbresolve/error.hpp>
#include <lbresolve/export.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct ssl_st;  // OpenSSL's SSL

namespace lbresolve {

/// A certificate in words. They are as the certificate has them: escape them before they reach a terminal.
struct tls_certificate {
  std::string subject;             ///< its common name, or all of the subject where it has none
  std::string issuer;              ///< likewise
  std::vector<std::string> names;  ///< subjectAltName: DNS names and addresses
  std::chrono::system_clock::time_point not_before;
  std::chrono::system_clock::time_point not_after;
  std::array<std::uint8_t, 32> spki_sha256{};  ///< what a pin is compared with (RFC 7858 section 4.2)
};

/// Reads and writes through the socket of the connection, which must stay open as long as this is used. Never blocks
/// where the socket does not. Move-only; a moved-from or default one is empty.
///
/// Thread-safety: one thread at a time.
class tls_stream {
 public:
  LBRESOLVE_EXPORT tls_stream() noexcept;
  LBRESOLVE_EXPORT tls_stream(tls_stream&&) noexcept;
  LBRESOLVE_EXPORT tls_stream& operator=(tls_stream&&) noexcept;
  LBRESOLVE_EXPORT ~tls_stream();

  /// False where the connection has no TLS.
  explicit operator bool() const noexcept { return impl_ != nullptr; }

  /// At least one octet; 0: the server has said that nothing follows. std::errc::operation_would_block: call again when
  /// the socket is readable. Other errors end the session: a tls_errc, or the errno of the socket; tls_errc::closed is
  /// an end that the server has not announced, so that what came may be cut off.
  LBRESOLVE_EXPORT result<std::size_t> read(std::span<std::uint8_t> into);

  /// How many octets were taken, at least one of them where there is any. std::errc::operation_would_block: call again
  /// with the same octets when the socket is writable.
  LBRESOLVE_EXPORT result<std::size_t> write(std::span<const std::uint8_t> octets);

  /// Tells the server that nothing follows (RFC 8446 section 6.1). Does not close the socket.
  LBRESOLVE_EXPORT void close_notify() noexcept;

  /// OpenSSL's session, on the socket: for SSL_read(), SSL_write() and libraries that take one. Still owned by this.
  LBRESOLVE_EXPORT ssl_st* native_handle() const noexcept;

  LBRESOLVE_EXPORT std::string_view protocol() const noexcept;  ///< agreed on with ALPN (RFC 7301); empty for none
  LBRESOLVE_EXPORT std::string_view version() const noexcept;   ///< "TLSv1.3"
  LBRESOLVE_EXPORT std::string_view cipher() const noexcept;    ///< "TLS_AES_256_GCM_SHA384"
  LBRESOLVE_EXPORT bool is_resumed() const noexcept;          ///< an earlier session was resumed (RFC 8446 section 2.2)
  LBRESOLVE_EXPORT tls_certificate peer_certificate() const;  ///< the server's

  class impl;
  explicit tls_stream(std::unique_ptr<impl> made) noexcept;  ///< of the library

 private:
  std::unique_ptr<impl> impl_;
};

}  // namespace lbresolve
