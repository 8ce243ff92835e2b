// A byte_stream through TLS: a session, its socket, and the event loop that moves octets between them.
#pragma once

#include "io/byte_stream.hpp"
#include "io/event_loop.hpp"
#include "io/socket_attempt.hpp"

#include <memory>

namespace lbresolve::io {

class tls_stream_socket final : public byte_stream, event_loop::watcher {
 public:
  /// @param connected with TLS, and not attached. @param loop must outlive this
  tls_stream_socket(event_loop& loop, connected_socket connected);
  ~tls_stream_socket() override;
  tls_stream_socket(const tls_stream_socket&) = delete;
  tls_stream_socket& operator=(const tls_stream_socket&) = delete;

  void listen(events& to) override;
  void write(std::span<const std::uint8_t> bytes) override;
  void acknowledge() override;
  std::size_t unsent() const noexcept override { return tls_->output().size(); }
  std::string_view protocol() const noexcept override { return tls_->protocol(); }
  bool is_resumed() const noexcept override { return tls_->is_resumed(); }

 private:
  /// Tells a function that runs callbacks whether it still stands on firm ground. Set by the destructor.
  using tombstone = std::shared_ptr<bool>;

  void on_ready(bool readable, bool writable) override;
  void later();
  void go_on();
  void receive();
  bool deliver(const tombstone& gone);
  void send();
  void look();
  void end();

  event_loop& loop_;
  unique_fd fd_;
  std::unique_ptr<tls_session> tls_;
  events* to_ = nullptr;
  std::error_code broken_;  // the socket's
  bool ended_ = false;      // the socket's end of the stream has come
  bool closed_ = false;     // on_closed() has been called
  bool posted_ = false;     // go_on() is to come
  bool owes_ack_ = false;   // acknowledge() was called, and nothing has been sent since
  tombstone gone_ = std::make_shared<bool>(false);
};

}  // namespace lbresolve::io
