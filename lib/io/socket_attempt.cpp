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
  if (begun.connected) return on_tcp();
  prepare_hello();
  return {};
}

// While the SYN is under way. What can be resumed is used up by the hello, and is not for a server that may be dead.
void socket_attempt::prepare_hello() {
  if (wish_ == nullptr || make_session() || session_->can_resume()) return;  // on_tcp() tells of a failure
  session_->start();
  hello_made_ = true;
}

std::optional<error> socket_attempt::make_session() {
  const auto context = wish_->context();
  if (!context) return context.error();
  auto made = tls_session::create(context.value(), wish_->settings);
  if (!made) return made.error();
  session_ = std::move(made).value();
  return std::nullopt;
}

attempt_news socket_attempt::go_on() {
  attempt_news news;
  if (shaking_hands_) {
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
  if (const auto failed = session_ == nullptr ? make_session() : std::nullopt) {
    fail(news, {.code = failed->code(), .stage = stage::tls, .sentence = failed->message()});
    return news;
  }
  shaking_hands_ = true;
  if (!hello_made_) session_->start();
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
