// One TLS client session: octets in, octets out. It knows no socket, until it is given one for good.
#pragma once

#include "core/tls_identity.hpp"
#include "io/openssl.hpp"
#include "io/tls_context.hpp"

#include <lbresolve/error.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lbresolve::io {

struct tls_settings {
  core::tls_identity identity;
  std::vector<std::string> alpn;  ///< protocols to offer, the best first (RFC 7301); none: no ALPN
  bool alpn_required = false;     ///< whether a server that chooses none of them is refused
  bool framed = false;            ///< what is said is framed: an end without a close_notify cuts nothing off
  std::string peer;               ///< "dns.example:853": for sentences, and what sessions are resumed with
};

/// Nothing that is written leaves in clear, nor before the server has proved who it is. After each call that takes
/// something, look at output() and state(). Thread-safety: one thread at a time.
class tls_session {
 public:
  enum class state : std::uint8_t {
    handshaking,
    open,    ///< the server is authenticated
    closed,  ///< the server has said that nothing follows, and all before it has been read
    failed,  ///< failure() says why; an alert for the server may be in output()
  };

  /// @return errc::invalid_option where the identity says nothing to verify and does not waive that
  static result<std::unique_ptr<tls_session>> create(std::shared_ptr<tls_context> shared, tls_settings settings);
  ~tls_session();
  tls_session(const tls_session&) = delete;
  tls_session& operator=(const tls_session&) = delete;

  /// Whether an earlier session may be resumed: start() then uses it up.
  bool can_resume() const { return shared_->sessions().has(cache_key_); }
  /// The ClientHello. Once, first.
  void start();

  /// What came from the server.
  void receive(std::span<const std::uint8_t> ciphertext);
  /// The server's end of the stream. Without a close_notify before it this is a failure, except where the settings say
  /// `framed`: it may have been cut off by anybody (RFC 8446 section 6.1).
  void receive_end();

  /// What is to be sent to the server now; valid until the next call of anything but const functions.
  std::span<const std::uint8_t> output() const;
  /// So many octets of output() are on their way.
  void sent(std::size_t count);

  /// False where the session is not open: nothing was taken. Before attach() only.
  bool write(std::span<const std::uint8_t> plaintext);
  /// How much was taken; 0 where the socket takes nothing now, or state() has changed.
  std::size_t write_some(std::span<const std::uint8_t> plaintext);
  /// How much was read; 0: nothing is there now, or state() has changed.
  std::size_t read(std::span<std::uint8_t> into);
  /// Says that nothing will follow. What the server still sends can be read.
  void close_notify();

  state now() const noexcept { return state_; }
  /// Of state::failed: a tls_errc, with a sentence that names the server and the reason.
  const error& failure() const noexcept { return failure_; }

  /// The protocol the server has chosen (ALPN); empty for none.
  std::string_view protocol() const noexcept;
  bool is_resumed() const noexcept;
  const char* version() const noexcept { return SSL_get_version(ssl_.get()); }
  const char* cipher() const noexcept { return SSL_get_cipher_name(ssl_.get()); }

  /// Of an open session without output: from now on it reads and writes the socket by itself, after what it has
  /// already received. The descriptor stays the caller's. False where memory runs out.
  bool attach(int fd);
  SSL* native() const noexcept { return ssl_.get(); }

  /// Makes the sessions of a context find their tls_session.
  static void hook_into(SSL_CTX* context);

 private:
  tls_session(std::shared_ptr<tls_context> shared, tls_settings settings, ssl_pointer made);

  static int index_in_ssl() noexcept;
  static tls_session& of(const SSL* ssl) noexcept;
  static int on_certificate(X509_STORE_CTX* chain, void*);
  static int on_new_session(SSL* ssl, SSL_SESSION* session);

  bool prepare();
  void handshake();
  void opened();
  void fail(error why);
  error reason(int ssl_error) const;

  std::shared_ptr<tls_context> shared_;
  tls_settings settings_;
  std::string cache_key_;
  ssl_pointer ssl_;
  BIO* in_ = nullptr;   // of ssl_; null once attached
  BIO* out_ = nullptr;  // of ssl_; null once attached
  std::optional<error> refused_;
  state state_ = state::handshaking;
  error failure_;
};

}  // namespace lbresolve::io
