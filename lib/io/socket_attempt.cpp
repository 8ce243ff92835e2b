#include "io/socket_attempt.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <span>
#include <utility>

namespace lbresolve::io {

using stage = attempt_record::stage;

attempt_news socket_attempt::begin(const connector_settings& settings) {
  attempt_socket begun = begin_connect(to_, settings);
  if (begun.failed) return {.failed = core::attempt_failure{.code = begun.failed, .stage = begun.stage}};
  fd_ = std::move(begun.fd);
  wish_ = settings.tls;
  return begun.connected ? on_tcp() : attempt_news{};
}

attempt_news socket_attempt::go_on() {
  attempt_news news;
  if (session_ != nullptr) {
    shake_hands(news);
    return news;
  }
  const std::error_code failed = connect_result(fd_.get(), to_);
  if (!failed) return on_tcp();
  fail(news, {.code = failed, .stage = stage::connect});
  return news;
}

attempt_news socket_attempt::on_tcp() {
  if (wish_ == nullptr) return {.connected = true};
  attempt_news news{.tls_started = true};
  auto made = tls_session::create(wish_->shared, wish_->settings);
  if (!made) {
    fail(news, {.code = made.error().code(), .stage = stage::tls, .sentence = made.error().message()});
    return news;
  }
  session_ = std::move(made).value();
  session_->start();
  shake_hands(news);
  return news;
}

// Connected means: verified, and nothing of the handshake is left to be sent.
void socket_attempt::shake_hands(attempt_news& news) {
  std::error_code broken = receive();
  if (session_->now() == tls_session::state::failed) {
    (void)send();  // the alert, where the socket takes it
    return fail(news,
                {.code = session_->failure().code(), .stage = stage::tls, .sentence = session_->failure().message()});
  }
  if (!broken) broken = send();
  if (broken) return fail(news, {.code = broken, .stage = stage::tls});
  news.connected = session_->now() == tls_session::state::open && session_->output().empty();
}

// No more than the handshake needs: what follows stays with the kernel, as far as it came in segments of its own.
std::error_code socket_attempt::receive() {
  std::array<std::uint8_t, 16'384> bytes;
  while (session_->now() == tls_session::state::handshaking) {
    const ssize_t count = ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
    if (count > 0) {
      session_->receive(std::span(bytes).first(static_cast<std::size_t>(count)));
    } else if (count == 0) {
      session_->receive_end();
    } else if (errno != EINTR) {
      return errno == EAGAIN ? std::error_code() : last_error();
    }
  }
  return {};
}

std::error_code socket_attempt::send() noexcept {
  while (!session_->output().empty()) {
    const auto out = session_->output();
    const ssize_t count = ::send(fd_.get(), out.data(), out.size(), MSG_NOSIGNAL);
    if (count >= 0) {
      session_->sent(static_cast<std::size_t>(count));
    } else if (errno != EINTR) {
      return errno == EAGAIN ? std::error_code() : last_error();
    }
  }
  return {};
}

void socket_attempt::fail(attempt_news& news, core::attempt_failure how) noexcept {
  news.failed = std::move(how);
  session_.reset();
  fd_.reset();
}

}  // namespace lbresolve::io
