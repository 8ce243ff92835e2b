#include <lbresolve/tls_stream.hpp>

#include "io/tls_verify.hpp"
#include "tls_stream_impl.hpp"

#include <ctime>

namespace lbresolve {

namespace {

using state = io::tls_session::state;

error would_block() { return error(std::make_error_code(std::errc::operation_would_block)); }

std::chrono::system_clock::time_point time_of(const ASN1_TIME* when) {
  std::tm t{};
  if (when == nullptr || ASN1_TIME_to_tm(when, &t) != 1) return {};
  return std::chrono::system_clock::from_time_t(::timegm(&t));
}

}  // namespace

tls_stream::tls_stream() noexcept = default;
tls_stream::tls_stream(tls_stream&&) noexcept = default;
tls_stream& tls_stream::operator=(tls_stream&&) noexcept = default;
tls_stream::~tls_stream() = default;
tls_stream::tls_stream(std::unique_ptr<impl> made) noexcept : impl_(std::move(made)) {}

result<std::size_t> tls_stream::read(std::span<std::uint8_t> into) {
  if (into.empty()) return std::size_t{0};
  const std::size_t count = impl_->session->read(into);
  if (count > 0 || impl_->session->now() == state::closed) return count;
  return impl_->session->now() == state::failed ? impl_->session->failure() : would_block();
}

result<std::size_t> tls_stream::write(std::span<const std::uint8_t> octets) {
  if (octets.empty()) return std::size_t{0};
  const std::size_t count = impl_->session->write_some(octets);
  if (count > 0) return count;
  switch (impl_->session->now()) {
    case state::failed:
      return impl_->session->failure();
    case state::closed:
      return error(std::make_error_code(std::errc::broken_pipe), "the server has ended the TLS session");
    case state::handshaking:
    case state::open:
      break;
  }
  return would_block();
}

void tls_stream::close_notify() noexcept {
  const io::fork_shelter::of_this_thread inside;
  impl_->session->close_notify();
}

ssl_st* tls_stream::native_handle() const noexcept { return impl_->session->native(); }

std::string_view tls_stream::protocol() const noexcept { return impl_->session->protocol(); }
std::string_view tls_stream::version() const noexcept { return impl_->session->version(); }
std::string_view tls_stream::cipher() const noexcept { return impl_->session->cipher(); }
bool tls_stream::is_resumed() const noexcept { return impl_->session->is_resumed(); }

tls_certificate tls_stream::peer_certificate() const {
  const io::fork_shelter::of_this_thread inside;
  tls_certificate out;
  const X509* const leaf = SSL_get0_peer_certificate(impl_->session->native());
  if (leaf == nullptr) return out;
  out.subject = io::subject_of(*leaf);
  out.issuer = io::issuer_of(*leaf);
  out.names = io::all_names_of(*leaf);
  out.not_before = time_of(X509_get0_notBefore(leaf));
  out.not_after = time_of(X509_get0_notAfter(leaf));
  out.spki_sha256 = io::spki_of(*leaf).value_or(core::spki_pin{});
  return out;
}

}  // namespace lbresolve
