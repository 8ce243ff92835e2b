#include "support/tls_peer.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace lbresolve::test {

tls_server_context::tls_server_context(tls_peer_settings settings)
    : settings_(std::move(settings)), context_(SSL_CTX_new(TLS_server_method())) {
  SSL_CTX* const c = context_.get();
  SSL_CTX_use_certificate(c, settings_.with.x509.get());
  SSL_CTX_use_PrivateKey(c, settings_.with.key.get());
  for (const auto& a : settings_.with.above) SSL_CTX_add1_chain_cert(c, a.get());
  SSL_CTX_set_min_proto_version(c, settings_.oldest);
  SSL_CTX_set_max_proto_version(c, settings_.newest);
  if (settings_.newest < TLS1_2_VERSION) SSL_CTX_set_security_level(c, 0);
  SSL_CTX_set_session_id_context(c, reinterpret_cast<const unsigned char*>("test"), 4);
  if (!settings_.alpn.empty()) SSL_CTX_set_alpn_select_cb(c, &choose, this);
}

int tls_server_context::choose(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* offered,
                               unsigned offered_size, void* self) {
  const tls_peer_settings& settings = static_cast<const tls_server_context*>(self)->settings_;
  for (const std::string& known : settings.alpn) {
    for (unsigned at = 0; at < offered_size; at += offered[at] + 1U) {
      if (known.size() != offered[at] || std::memcmp(known.data(), offered + at + 1, known.size()) != 0) continue;
      *out = offered + at + 1;
      *size = offered[at];
      return SSL_TLSEXT_ERR_OK;
    }
  }
  return settings.alpn_strict ? SSL_TLSEXT_ERR_ALERT_FATAL : SSL_TLSEXT_ERR_NOACK;
}

tls_peer::tls_peer(const tls_server_context& shared)
    : ssl_(SSL_new(shared.get())), in_(BIO_new(BIO_s_mem())), out_(BIO_new(BIO_s_mem())) {
  SSL_set_bio(ssl_.get(), in_, out_);
  SSL_set_accept_state(ssl_.get());
}

void tls_peer::receive(std::span<const std::uint8_t> bytes) {
  const io::own_error_queue errors;
  BIO_write(in_, bytes.data(), static_cast<int>(bytes.size()));
  std::array<char, 4096> text;
  for (;;) {
    const int count = SSL_read(ssl_.get(), text.data(), static_cast<int>(text.size()));
    if (count <= 0) return;
    heard_.append(text.data(), static_cast<std::size_t>(count));
  }
}

std::vector<std::uint8_t> tls_peer::take_output() {
  std::vector<std::uint8_t> out(BIO_ctrl_pending(out_));
  if (!out.empty()) BIO_read(out_, out.data(), static_cast<int>(out.size()));
  return out;
}

void tls_peer::say(std::string_view text) {
  if (!text.empty()) SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size()));
}

std::string tls_peer::server_name() const {
  const char* const name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
  return name == nullptr ? std::string() : std::string(name);
}

}  // namespace lbresolve::test
