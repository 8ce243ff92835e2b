#include "io/tls_session.hpp"

#include "core/quoted.hpp"
#include "io/leftover_bio.hpp"
#include "io/tls_verify.hpp"

#include <lbresolve/tls_error.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <utility>

namespace lbresolve::io {

namespace {

// OpenSSL's errors for alerts of the peer: this and the alert's number.
constexpr int alert_offset = SSL_AD_REASON_OFFSET;

// Everything that decided whether the server was accepted: a session that was good enough for one identity must not be
// resumed for a stricter one.
std::string cache_key(const tls_settings& s) {
  std::string key = s.peer + '\n' + s.identity.name + '\n';
  if (s.identity.address) key += s.identity.address->to_string();
  key += s.identity.verify ? "\nverified" : "\nunverified";
  for (const core::spki_pin& pin : s.identity.pins) key.append("\n").append(pin.begin(), pin.end());
  for (const std::string& protocol : s.alpn) key += '\n' + protocol;
  return key;
}

// RFC 7301 section 3.1: each name after its length, 1 to 255.
std::optional<std::vector<unsigned char>> alpn_list(const std::vector<std::string>& protocols) {
  std::vector<unsigned char> out;
  for (const std::string& p : protocols) {
    if (p.empty() || p.size() > UCHAR_MAX) return std::nullopt;
    out.push_back(static_cast<unsigned char>(p.size()));
    out.insert(out.end(), p.begin(), p.end());
  }
  return out;
}

std::string joined(const std::vector<std::string>& protocols) {
  std::string text;
  for (const std::string& p : protocols) text += (text.empty() ? "" : ", ") + core::quoted(p);
  return text;
}

}  // namespace

result<std::unique_ptr<tls_session>> tls_session::create(std::shared_ptr<tls_context> shared, tls_settings settings) {
  const core::tls_identity& who = settings.identity;
  if (who.verify && who.name.empty() && !who.address && who.pins.empty())
    return error(make_error_code(errc::invalid_option),
                 "there is nothing to verify the certificate of " + settings.peer + " against: give a name or a pin");
  const own_error_queue errors;
  ssl_pointer made(SSL_new(shared->get()));
  std::unique_ptr<tls_session> out;
  if (made) out.reset(new tls_session(std::move(shared), std::move(settings), std::move(made)));
  if (!out || !out->prepare())
    return error(make_error_code(tls_errc::local_failure), "OpenSSL cannot make a TLS session with these settings");
  return out;
}

tls_session::tls_session(std::shared_ptr<tls_context> shared, tls_settings settings, ssl_pointer made)
    : shared_(std::move(shared)),
      settings_(std::move(settings)),
      cache_key_(cache_key(settings_)),
      ssl_(std::move(made)) {}

// OpenSSL takes a session that ends without a close_notify for one that must not be resumed, as TLS 1.0 would have it:
// RFC 5246 section 7.2.1 no longer does.
tls_session::~tls_session() {
  if (state_ == state::open || state_ == state::closed)
    SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

bool tls_session::prepare() {
  in_ = BIO_new(BIO_s_mem());
  out_ = BIO_new(BIO_s_mem());
  if (in_ == nullptr || out_ == nullptr) {
    BIO_free(in_);
    BIO_free(out_);
    return false;
  }
  SSL_set_bio(ssl_.get(), in_, out_);
  SSL_set_connect_state(ssl_.get());
  SSL_set_verify(ssl_.get(), SSL_VERIFY_PEER, nullptr);
  // Else an end that is not announced is a fatal error, and OpenSSL never resumes the session.
  if (settings_.framed) SSL_set_options(ssl_.get(), SSL_OP_IGNORE_UNEXPECTED_EOF);
  const auto alpn = alpn_list(settings_.alpn);
  if (!alpn || SSL_set_ex_data(ssl_.get(), index_in_ssl(), this) != 1) return false;
  // The one function of OpenSSL's in which 0 means success.
  if (!alpn->empty() && SSL_set_alpn_protos(ssl_.get(), alpn->data(), static_cast<unsigned>(alpn->size())) != 0)
    return false;
  return set_identity(*ssl_, settings_.identity);
}

void tls_session::start() {
  const ssl_session_pointer earlier = shared_->sessions().take(cache_key_);
  if (earlier) SSL_set_session(ssl_.get(), earlier.get());
  handshake();
}

// ---- What OpenSSL asks ----------------------------------------------------------------------------------------------

int tls_session::index_in_ssl() noexcept {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

tls_session& tls_session::of(const SSL* ssl) noexcept {
  return *static_cast<tls_session*>(SSL_get_ex_data(ssl, index_in_ssl()));
}

void tls_session::hook_into(SSL_CTX* context) {
  SSL_CTX_set_cert_verify_callback(context, &on_certificate, nullptr);
  SSL_CTX_sess_set_new_cb(context, &on_new_session);
}

int tls_session::on_certificate(X509_STORE_CTX* chain, void*) {
  const auto* const ssl =
      static_cast<const SSL*>(X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx()));
  tls_session& self = of(ssl);
  self.refused_ = refuse(*chain, self.settings_.identity, self.settings_.peer);
  return self.refused_ ? 0 : 1;
}

int tls_session::on_new_session(SSL* ssl, SSL_SESSION* session) {
  tls_session& self = of(ssl);
  if (SSL_SESSION_is_resumable(session) == 0) return 0;
  self.shared_->sessions().put(self.cache_key_, ssl_session_pointer(session));
  return 1;  // the reference is ours now
}

// ---- Octets ---------------------------------------------------------------------------------------------------------

void tls_session::receive(std::span<const std::uint8_t> ciphertext) {
  if (state_ == state::closed || state_ == state::failed) return;
  const own_error_queue errors;
  while (!ciphertext.empty()) {
    const std::size_t part = std::min<std::size_t>(ciphertext.size(), INT_MAX);
    if (BIO_write(in_, ciphertext.data(), static_cast<int>(part)) != static_cast<int>(part))
      return fail(error(make_error_code(tls_errc::local_failure), "no memory for what " + settings_.peer + " sends"));
    ciphertext = ciphertext.subspan(part);
  }
  if (state_ == state::handshaking) handshake();
}

void tls_session::receive_end() {
  if (state_ == state::handshaking)
    return fail(
        error(make_error_code(tls_errc::closed), settings_.peer + " closed the connection during the TLS handshake"));
  BIO_set_mem_eof_return(in_, 0);  // what has arrived can still be read; then comes the end
}

std::span<const std::uint8_t> tls_session::output() const {
  if (out_ == nullptr) return {};
  char* at = nullptr;
  const long size = BIO_get_mem_data(out_, &at);
  return {reinterpret_cast<const std::uint8_t*>(at), size > 0 ? static_cast<std::size_t>(size) : 0};
}

void tls_session::sent(std::size_t count) {
  std::array<char, 4096> dropped;
  while (count > 0) {
    const int taken = BIO_read(out_, dropped.data(), static_cast<int>(std::min(count, dropped.size())));
    if (taken <= 0) return;
    count -= static_cast<std::size_t>(taken);
  }
}

bool tls_session::write(std::span<const std::uint8_t> plaintext) {
  while (state_ == state::open && !plaintext.empty()) plaintext = plaintext.subspan(write_some(plaintext));
  return state_ == state::open;
}

std::size_t tls_session::write_some(std::span<const std::uint8_t> plaintext) {
  if (state_ != state::open || plaintext.empty()) return 0;
  const own_error_queue errors;
  std::size_t taken = 0;
  errno = 0;
  const int done = SSL_write_ex(ssl_.get(), plaintext.data(), plaintext.size(), &taken);
  if (done == 1) return taken;
  const int why = SSL_get_error(ssl_.get(), done);
  if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) fail(reason(why));
  return 0;
}

bool tls_session::attach(int fd) {
  std::vector<std::uint8_t> leftover(BIO_ctrl_pending(in_));
  if (!leftover.empty()) BIO_read(in_, leftover.data(), static_cast<int>(leftover.size()));
  bio_pointer made = make_leftover_bio(fd, std::move(leftover));
  if (!made) return false;
  BIO* const both = made.release();
  SSL_set_bio(ssl_.get(), both, both);  // frees those before
  in_ = out_ = nullptr;
  return true;
}

std::size_t tls_session::read(std::span<std::uint8_t> into) {
  if (state_ != state::open || into.empty()) return 0;  // OpenSSL takes no room for a failure
  const own_error_queue errors;
  std::size_t count = 0;
  errno = 0;
  const int done = SSL_read_ex(ssl_.get(), into.data(), into.size(), &count);
  if (done == 1) return count;
  const int why = SSL_get_error(ssl_.get(), done);
  if (why == SSL_ERROR_ZERO_RETURN) {
    state_ = state::closed;
  } else if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) {
    fail(reason(why));
  }
  return 0;
}

void tls_session::close_notify() {
  const own_error_queue errors;
  if (state_ == state::open || state_ == state::closed) SSL_shutdown(ssl_.get());
}

// ---- The handshake --------------------------------------------------------------------------------------------------

void tls_session::handshake() {
  const own_error_queue errors;
  const int done = SSL_do_handshake(ssl_.get());
  if (done == 1) return opened();
  const int why = SSL_get_error(ssl_.get(), done);
  if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) fail(reason(why));
}

void tls_session::opened() {
  const std::string_view chosen = protocol();
  // OpenSSL itself refuses a protocol that was not offered.
  if (settings_.alpn_required && !settings_.alpn.empty() && chosen.empty())
    return fail(error(make_error_code(tls_errc::no_protocol),
                      settings_.peer + " speaks none of the protocols asked for (ALPN): " + joined(settings_.alpn)));
  state_ = state::open;
}

void tls_session::fail(error why) {
  state_ = state::failed;
  failure_ = std::move(why);
}

error tls_session::reason(int ssl_error) const {
  if (refused_) return *refused_;
  const std::string& who = settings_.peer;
  const unsigned long first = ERR_peek_error();
  if (ssl_error == SSL_ERROR_SYSCALL && first == 0 && errno != 0)
    return error({errno, std::system_category()}, "the connection to " + who + " broke");
  const int number = ERR_GET_REASON(first);
  if (number == SSL_R_UNEXPECTED_EOF_WHILE_READING || (ssl_error == SSL_ERROR_SYSCALL && first == 0))
    return error(make_error_code(tls_errc::closed), who +
                                                        " closed the connection without announcing it (no TLS "
                                                        "close_notify): what it sent may be incomplete");
  if (number == ERR_R_MALLOC_FAILURE)
    return error(make_error_code(tls_errc::local_failure), "no memory for TLS with " + who);
  if (number == alert_offset + SSL_AD_NO_APPLICATION_PROTOCOL)
    return error(make_error_code(tls_errc::no_protocol),
                 who + " speaks none of the protocols asked for (ALPN): " + joined(settings_.alpn));
  if (number > alert_offset && number <= alert_offset + UCHAR_MAX)
    return error(make_error_code(tls_errc::alert),
                 who + " ended TLS with the alert \"" + SSL_alert_desc_string_long(number - alert_offset) + '"');
  const char* const text = ERR_reason_error_string(first);
  return error(make_error_code(tls_errc::not_tls),
               "what " + who + " sent breaks the rules of TLS: " + (text != nullptr ? text : "of unknown kind"));
}

// ---- What was agreed on ---------------------------------------------------------------------------------------------

std::string_view tls_session::protocol() const noexcept {
  const unsigned char* at = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &at, &size);
  return {reinterpret_cast<const char*>(at), size};
}

bool tls_session::is_resumed() const noexcept { return SSL_session_reused(ssl_.get()) == 1; }

}  // namespace lbresolve::io
