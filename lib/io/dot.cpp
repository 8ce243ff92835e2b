#include "io/dot.hpp"

#include "core/stream_pipeline.hpp"
#include "io/dialed_stream.hpp"
#include "io/failure_queue.hpp"
#include "io/socket.hpp"

#include <cerrno>
#include <utility>
#include <vector>

namespace lbresolve::io {

class dot::state final : dialed_stream::user, public std::enable_shared_from_this<state> {
 public:
  state(event_loop& loop, core::random_source& random, stream_dialer& dialer, core::upstream to,
        transport_events& events, const settings& s)
      : loop_(loop),
        to_(std::move(to)),
        settings_(s),
        idle_time_(s.idle_time),
        events_(&events),
        failures_(loop, *this, events),
        pipeline_(random),
        stream_(loop, dialer, to_, *this) {}

  void send(std::uint64_t exchange, lbresolve::transport over, std::span<const std::uint8_t> query) {
    if (over != lbresolve::transport::tls) return failures_.add(exchange, error(errno_code(EOPNOTSUPP)));
    if (!pipeline_.send(exchange, query, out_)) {
      const bool full = pipeline_.open_exchanges() >= core::stream_pipeline::max_open;
      return failures_.add(exchange, error(errno_code(full ? ENOBUFS : EINVAL)));
    }
    stream_.want();
    flush_later();
  }

  void abandon(std::uint64_t exchange) {
    if (!pipeline_.abandon(exchange)) return failures_.erase(exchange);
    if (pipeline_.open_exchanges() > 0) return;
    if (!stream_.is_open()) {
      out_.clear();  // nobody waits for it any more; the connection is of use to the next query
    } else if (!telling_ && !pipeline_.was_heard()) {
      // Given up on all of them, and not a word since the first: this connection may be dead, so the next query gets
      // another one.
      stream_.close();
      forget_connection();
    } else {
      stream_.rest(idle_time_);
    }
  }

  void close() {
    events_ = nullptr;
    failures_.clear();
    stream_.close();
  }

  std::size_t open_exchanges() const noexcept { return pipeline_.open_exchanges() + failures_.size(); }
  std::uint64_t discarded() const noexcept { return pipeline_.discarded(); }

 private:
  std::shared_ptr<void> hold() override { return shared_from_this(); }

  void on_open() override {
    flush();
    if (pipeline_.open_exchanges() == 0) stream_.rest(idle_time_);
  }

  void on_data(std::span<const std::uint8_t> bytes) override {
    telling_ = true;
    pipeline_.receive(bytes);
    while (const auto reply = pipeline_.next()) {
      // What the server says last counts, and it counts when nothing is open any more.
      if (pipeline_.open_exchanges() == 0) idle_time_ = core::tcp_keepalive(reply->bytes).value_or(idle_time_);
      events_->on_reply(reply->exchange, reply->kind, reply->bytes);
      if (events_ == nullptr) return;
    }
    telling_ = false;
    flush();
    if (pipeline_.open_exchanges() == 0) {
      stream_.rest(idle_time_);
    } else if (stream_.is_open()) {
      stream_.acknowledge();
    }
  }

  void on_lost(const error& why) override {
    const error told = lost_exchange(why, pipeline_.has_answered());
    for (const auto exchange : forget_connection()) failures_.add(exchange, told);
  }

  void on_rested() override { forget_connection(); }

  std::vector<std::uint64_t> forget_connection() {
    out_.clear();
    idle_time_ = settings_.idle_time;
    return pipeline_.reset();
  }

  /// All that is asked in one round of the loop goes out in one piece: A and AAAA, or what answers have led to.
  void flush_later() {
    if (telling_ || !stream_.is_open() || std::exchange(flushing_, true)) return;
    loop_.defer([me = weak_from_this()] {
      const auto held = me.lock();
      if (held == nullptr) return;
      held->flushing_ = false;
      held->flush();
    });
  }

  /// What is sent while replies are told goes out in one piece after the last of them.
  void flush() {
    if (telling_ || out_.empty() || !stream_.is_open()) return;
    stream_.write(out_);
    out_.clear();
  }

  event_loop& loop_;
  const core::upstream to_;
  const settings settings_;
  core::duration idle_time_;  // of this connection
  transport_events* events_;  // null once closed
  failure_queue failures_;
  core::stream_pipeline pipeline_;
  std::vector<std::uint8_t> out_;  // for the stream, once it is open
  bool telling_ = false;
  bool flushing_ = false;  // at the end of this round
  dialed_stream stream_;
};

dot::dot(event_loop& loop, core::random_source& random, stream_dialer& dialer, core::upstream to,
         transport_events& events, const settings& s)
    : state_(std::make_shared<state>(loop, random, dialer, std::move(to), events, s)) {}

dot::~dot() { state_->close(); }

void dot::send(std::uint64_t exchange, lbresolve::transport over, std::span<const std::uint8_t> query) {
  state_->send(exchange, over, query);
}

void dot::abandon(std::uint64_t exchange) { state_->abandon(exchange); }

std::size_t dot::open_exchanges() const noexcept { return state_->open_exchanges(); }

std::uint64_t dot::discarded() const noexcept { return state_->discarded(); }

}  // namespace lbresolve::io
