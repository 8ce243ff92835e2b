#include "io/tls_stream_socket.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

namespace lbresolve::io {

using state = tls_session::state;

tls_stream_socket::tls_stream_socket(event_loop& loop, connected_socket connected)
    : loop_(loop), fd_(std::move(connected.fd)), tls_(std::move(connected.tls)) {}

tls_stream_socket::~tls_stream_socket() {
  *gone_ = true;
  loop_.unwatch(fd_.get());
  if (broken_ || tls_->now() != state::open) return;
  tls_->close_notify();  // RFC 8446 section 6.1, as far as the socket takes it
  send();
}

// What arrived with the end of the handshake is in the session already, and the socket tells nothing of it.
void tls_stream_socket::listen(events& to) {
  to_ = &to;
  later();
}

void tls_stream_socket::write(std::span<const std::uint8_t> bytes) {
  if (closed_ || broken_) return;
  if (tls_->write(bytes)) send();
  if (broken_ || tls_->now() != state::open) return later();
  look();
}

// Not before what has been posted already has run, and what that has deferred: it may send something, which carries the
// acknowledgement.
void tls_stream_socket::acknowledge() {
  if (std::exchange(owes_ack_, true)) return;
  loop_.post([this, gone = gone_] {
    if (*gone || !owes_ack_) return;
    loop_.defer([this, gone] {
      if (*gone || !std::exchange(owes_ack_, false) || closed_ || broken_) return;
      const int on = 1;
      // Without it the reply comes later, that is all.
      (void)::setsockopt(fd_.get(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
    });
  });
}

void tls_stream_socket::later() {
  if (std::exchange(posted_, true)) return;
  loop_.post([this, gone = gone_] {
    if (*gone) return;
    posted_ = false;
    go_on();
  });
}

void tls_stream_socket::on_ready(bool readable, bool writable) {
  if (writable) send();
  if (readable) receive();
  go_on();
}

void tls_stream_socket::go_on() {
  if (closed_ || to_ == nullptr) return;
  const tombstone gone = gone_;
  const bool told = deliver(gone);
  if (*gone || closed_) return;
  send();  // what reading has made OpenSSL say: an answer to a key update
  if (broken_ || tls_->now() != state::open) return end();
  // Session tickets, say: what a server sends right behind them may wait until they are acknowledged.
  if (!told) acknowledge();
  look();
}

// One read a round: others on the loop have their turn, and the socket says again that there is more.
void tls_stream_socket::receive() {
  std::array<std::uint8_t, 16'384> bytes;
  const ssize_t count = ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
  if (count > 0) return tls_->receive(std::span(bytes).first(static_cast<std::size_t>(count)));
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count < 0) broken_ = last_error();
  ended_ = true;
  tls_->receive_end();
}

// Servers put every reply into a record of its own. All that has arrived is told in one piece, so that what is sent
// because of it leaves in one as well. False where there was nothing to tell.
bool tls_stream_socket::deliver(const tombstone& gone) {
  std::array<std::uint8_t, 16'384> bytes;
  bool told = false;
  for (std::size_t count = bytes.size(); count == bytes.size() && !*gone; told = told || count > 0) {
    count = 0;
    while (const std::size_t more = tls_->read(std::span(bytes).subspan(count))) count += more;  // until full
    if (count > 0) to_->on_data(std::span(bytes).first(count));
  }
  return told;
}

void tls_stream_socket::send() {
  while (!broken_ && !tls_->output().empty()) {
    const auto out = tls_->output();
    const ssize_t count = ::send(fd_.get(), out.data(), out.size(), MSG_NOSIGNAL);
    if (count >= 0) {
      owes_ack_ = false;
      tls_->sent(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      return;
    } else if (errno != EINTR) {
      broken_ = last_error();
    }
  }
}

void tls_stream_socket::look() {
  const std::error_code failed = loop_.watch(fd_.get(), to_ != nullptr && !ended_, !tls_->output().empty(), *this);
  if (!failed || broken_) return;
  broken_ = failed;
  later();
}

// DNS frames its messages (RFC 7766 section 8, RFC 9113 section 4.1): an end is an end, announced or not.
void tls_stream_socket::end() {
  closed_ = true;
  loop_.unwatch(fd_.get());
  const bool closed_by_peer = tls_->now() == state::closed || (ended_ && !broken_);
  if (closed_by_peer)
    return to_->on_closed(error(std::make_error_code(std::errc::connection_reset), "the server closed the connection"));
  if (broken_) return to_->on_closed(error(broken_, "the connection broke"));
  to_->on_closed(tls_->failure());
}

}  // namespace lbresolve::io
