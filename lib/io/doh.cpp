#include "io/doh.hpp"

#include "core/doh_message.hpp"
#include "core/wire_name.hpp"
#include "io/doh_connection.hpp"
#include "io/failure_queue.hpp"
#include "io/socket.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

namespace lbresolve::io {

class doh::state final : holder, doh_connection::user, public std::enable_shared_from_this<state> {
 public:
  state(event_loop& loop, stream_dialer& dialer, core::upstream to, transport_events& events, const settings& s)
      : loop_(loop),
        dialer_(dialer),
        to_(std::move(to)),
        settings_(s),
        events_(&events),
        failures_(loop, *this, events) {}

  void send(std::uint64_t exchange, lbresolve::transport over, std::span<const std::uint8_t> query) {
    if (over != lbresolve::transport::https) return failures_.add(exchange, error(errno_code(EOPNOTSUPP)));
    if (query.size() < core::header_size || query.size() > core::max_doh_message) {
      return failures_.add(exchange, error(errno_code(EINVAL)));
    }
    if (open_exchanges() >= max_open_exchanges) return failures_.add(exchange, error(errno_code(ENOBUFS)));
    ask(exchange, query);
  }

  void abandon(std::uint64_t exchange) {
    const auto has_it = [&](const auto& c) { return c->abandon(exchange); };
    if (std::none_of(connections_.begin(), connections_.end(), has_it)) failures_.erase(exchange);
  }

  void close() {
    events_ = nullptr;
    failures_.clear();
    for (const auto& c : connections_) c->close();
  }

  std::size_t open_exchanges() const noexcept {
    std::size_t open = failures_.size();
    for (const auto& c : connections_) open += c->open_exchanges();
    return open;
  }

 private:
  std::shared_ptr<void> hold() override { return shared_from_this(); }

  void on_reply(std::uint64_t exchange, core::reply_match kind, std::span<const std::uint8_t> bytes) override {
    events_->on_reply(exchange, kind, bytes);
  }
  void on_unseen(std::uint64_t exchange, std::span<const std::uint8_t> query) override { ask(exchange, query); }
  void on_failure(std::uint64_t exchange, const error& why) override { failures_.add(exchange, why); }

  void ask(std::uint64_t exchange, std::span<const std::uint8_t> query) {
    if (doh_connection* c = connection()) return c->send(exchange, query);
    failures_.add(exchange, error(errno_code(ENOMEM)));
  }

  /// The one for new requests. Others may be there, with requests that their servers still mean to answer.
  doh_connection* connection() {
    std::erase_if(connections_, [](const auto& c) { return c->is_over(); });
    const auto fit =
        std::find_if(connections_.begin(), connections_.end(), [](const auto& c) { return c->takes_requests(); });
    if (fit != connections_.end()) return fit->get();
    auto session =
        http2_session::create({.authority = core::doh_authority(to_), .path = to_.path, .use_get = to_.use_get});
    if (!session) return nullptr;
    doh_connection::user& who = *this;
    connections_.push_back(std::make_shared<doh_connection>(loop_, dialer_, to_, who, std::move(session),
                                                            settings_.idle_time, settings_.silence_time));
    connections_.back()->start();
    return connections_.back().get();
  }

  event_loop& loop_;
  stream_dialer& dialer_;
  const core::upstream to_;
  const settings settings_;
  transport_events* events_;  // null once closed
  failure_queue failures_;
  std::vector<std::shared_ptr<doh_connection>> connections_;
};

bool doh::is_built() noexcept { return true; }

doh::doh(event_loop& loop, stream_dialer& dialer, core::upstream to, transport_events& events, const settings& s)
    : state_(std::make_shared<state>(loop, dialer, std::move(to), events, s)) {}

doh::~doh() { state_->close(); }

void doh::send(std::uint64_t exchange, lbresolve::transport over, std::span<const std::uint8_t> query) {
  state_->send(exchange, over, query);
}

void doh::abandon(std::uint64_t exchange) { state_->abandon(exchange); }

std::size_t doh::open_exchanges() const noexcept { return state_->open_exchanges(); }

}  // namespace lbresolve::io
