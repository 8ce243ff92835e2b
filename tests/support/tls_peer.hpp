// The server's half of a TLS session, in memory: what comes in decrypted is kept, and what is said is encrypted.
#pragma once

#include "support/test_ca.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lbresolve::test {

struct tls_peer_settings {
  certificate with;
  std::vector<std::string> alpn{};  ///< what it speaks; none: it does not know of ALPN
  bool alpn_strict = true;          ///< an alert where nothing is in common; else it goes on without
  int newest = TLS1_3_VERSION;
  int oldest = TLS1_VERSION;
};

/// What sessions of one server share. Must outlive them.
class tls_server_context {
 public:
  explicit tls_server_context(tls_peer_settings settings);
  SSL_CTX* get() const noexcept { return context_.get(); }

 private:
  static int choose(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* offered,
                    unsigned offered_size, void* self);

  tls_peer_settings settings_;
  io::ssl_ctx_pointer context_;
};

class tls_peer {
 public:
  explicit tls_peer(const tls_server_context& shared);

  /// Takes octets of the client, and does what there is to do.
  void receive(std::span<const std::uint8_t> bytes);
  /// What it wants to send since the last call.
  std::vector<std::uint8_t> take_output();
  void say(std::string_view text);
  void close_notify() { SSL_shutdown(ssl_.get()); }

  bool is_open() const { return SSL_is_init_finished(ssl_.get()) == 1; }
  const std::string& heard() const noexcept { return heard_; }
  std::string server_name() const;

 private:
  io::ssl_pointer ssl_;
  BIO* in_;
  BIO* out_;
  std::string heard_;
};

}  // namespace lbresolve::test
