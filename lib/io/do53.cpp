#include "io/do53.hpp"

#include "io/exchange_sink.hpp"
#include "io/failure_queue.hpp"
#include "io/tcp_connection.hpp"
#include "io/udp_socket_group.hpp"

#include <cerrno>

namespace lbresolve::io {

class do53::state final : exchange_sink, public std::enable_shared_from_this<state> {
 public:
  state(event_loop& loop, core::random_source& random, const endpoint& server, transport_events& events,
        const settings& s)
      : events_(&events),
        failures_(loop, *this, events),
        udp_(loop, server, *this),
        tcp_(loop, random, server, *this, s.tcp_idle_time) {}

  void send(std::uint64_t exchange, lbresolve::transport over, std::span<const std::uint8_t> query) {
    switch (over) {
      case lbresolve::transport::udp:
        return udp_.send(exchange, query);
      case lbresolve::transport::tcp:
        return tcp_.send(exchange, query);
      case lbresolve::transport::tls:
      case lbresolve::transport::https:
        break;
    }
    on_failure(exchange, errno_code(EOPNOTSUPP));
  }

  void abandon(std::uint64_t exchange) {
    if (udp_.abandon(exchange) || tcp_.abandon(exchange)) return;
    failures_.erase(exchange);
  }

  void close() {
    events_ = nullptr;
    failures_.clear();
    udp_.close_all();
    tcp_.close_all();
  }

  std::size_t open_exchanges() const noexcept {
    return udp_.open_exchanges() + tcp_.open_exchanges() + failures_.size();
  }
  std::uint64_t discarded() const noexcept { return udp_.discarded() + tcp_.discarded(); }

 private:
  void on_reply(std::uint64_t exchange, core::reply_match kind, std::span<const std::uint8_t> bytes) override {
    events_->on_reply(exchange, kind, bytes);
  }

  void on_failure(std::uint64_t exchange, std::error_code code) override { failures_.add(exchange, error(code)); }

  std::shared_ptr<void> hold() override { return shared_from_this(); }

  transport_events* events_;  // null once closed
  failure_queue failures_;
  udp_socket_group udp_;
  tcp_connection tcp_;
};

do53::do53(event_loop& loop, core::random_source& random, const endpoint& server, transport_events& events,
           const settings& s)
    : state_(std::make_shared<state>(loop, random, server, events, s)) {}

do53::~do53() { state_->close(); }

void do53::send(std::uint64_t exchange, lbresolve::transport over, std::span<const std::uint8_t> query) {
  state_->send(exchange, over, query);
}

void do53::abandon(std::uint64_t exchange) { state_->abandon(exchange); }

std::size_t do53::open_exchanges() const noexcept { return state_->open_exchanges(); }

std::uint64_t do53::discarded() const noexcept { return state_->discarded(); }

}  // namespace lbresolve::io
