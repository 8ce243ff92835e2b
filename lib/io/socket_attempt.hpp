// One attempt of a race: a socket that connects and, where that is asked for, the TLS handshake over it.
#pragma once

#include "core/operation.hpp"
#include "io/connector.hpp"
#include "io/socket.hpp"
#include "io/tls_session.hpp"

#include <memory>
#include <optional>

namespace lbresolve::io {

/// What an attempt leads to.
struct connected_socket {
  unique_fd fd;
  std::unique_ptr<tls_session> tls;  ///< open, all of its output sent; null where none was asked for

  explicit operator bool() const noexcept { return static_cast<bool>(fd); }
};

/// What has happened since the last look. Pass it on in this order.
struct attempt_news {
  bool tls_started = false;
  bool connected = false;
  std::optional<core::attempt_failure> failed{};  ///< the socket is closed
};

/// Never blocks. Who waits, and with what, is not its business.
class socket_attempt {
 public:
  explicit socket_attempt(const endpoint& to) noexcept : to_(to) {}

  attempt_news begin(const connector_settings& settings);
  /// Once it is ready for what it wants.
  attempt_news go_on();

  int fd() const noexcept { return fd_.get(); }
  bool wants_read() const noexcept { return shaking_hands_; }
  bool wants_write() const noexcept { return !shaking_hands_ || !session_->output().empty(); }

  connected_socket take() noexcept { return {std::move(fd_), std::move(session_)}; }

 private:
  attempt_news on_tcp();
  void prepare_hello();
  std::optional<error> make_session();  // why there is none
  void shake_hands(attempt_news& news);
  std::error_code receive();
  std::error_code send() noexcept;
  void fail(attempt_news& news, core::attempt_failure how) noexcept;

  endpoint to_;
  unique_fd fd_;
  std::shared_ptr<const tls_wish> wish_;
  std::unique_ptr<tls_session> session_;
  bool hello_made_ = false;
  bool shaking_hands_ = false;  // TCP is connected
};

}  // namespace lbresolve::io
