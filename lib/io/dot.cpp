#include "io/dot.hpp"

#include "core/stream_pipeline.hpp"
#include "io/clock.hpp"
#include "io/dialed_stream.hpp"
#include "io/failure_queue.hpp"
#include "io/silence.hpp"
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
    silence_.on_said(now());
    if (pipeline_.open_exchanges() == 1) leads_on_ = false;
    stream_.want();
    flush_later();
  }

  void abandon(std::uint64_t exchange) {
    if (!pipeline_.abandon(exchange)) return failures_.erase(exchange);
    if (stream_.is_open() && !telling_ && silence_.has_lasted(settings_.silence_time, now())) return leave();
    if (pipeline_.open_exchanges() > 0) return;
    if (stream_.is_open()) return stream_.rest(idle_time_);
    out_.clear();  // nobody waits for it any more; the connection is of use to the next query
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
    silence_.on_heard(now(), pipeline_.open_exchanges() > 0);
    flush();
    if (pipeline_.open_exchanges() == 0) stream_.rest(idle_time_);
  }

  void on_data(std::span<const std::uint8_t> bytes) override {
    telling_ = true;
    pipeline_.receive(bytes);
    while (const auto reply = pipeline_.next()) {
      if (reply->kind != core::reply_match::other_case) leads_on_ = true;
      // What the server says last counts, and it counts when nothing is open any more.
      if (pipeline_.open_exchanges() == 0) idle_time_ = core::tcp_keepalive(reply->bytes).value_or(idle_time_);
      events_->on_reply(reply->exchange, reply->kind, reply->bytes);
      if (events_ == nullptr) return;
    }
    telling_ = false;
    silence_.on_heard(now(), pipeline_.open_exchanges() > 0);
    flush();
    if (pipeline_.open_exchanges() == 0) {
      stream_.rest(idle_time_);
    } else if (stream_.is_open()) {
      stream_.acknowledge();
    }
  }

  void on_lost(const error& why) override {
    if (leads_on_ && is_closed_by_peer(why)) return go_on_elsewhere();
    const error told = lost_exchange(why, pipeline_.has_answered());
    for (const auto exchange : forget_connection()) failures_.add(exchange, told);
  }

  void on_rested() override { forget_connection(); }

  /// Some servers answer one query and close (RFC 7766 section 6.2.1). As each connection brings an answer, this ends.
  void go_on_elsewhere() {
    forget_what_was_said();
    pipeline_.resume(out_);
    if (pipeline_.open_exchanges() == 0) return;
    silence_.on_said(now());
    stream_.want();
  }

  /// This connection may be dead: what is still open on it deserves another one, and may be asked again at once.
  void leave() {
    stream_.close();
    for (const auto exchange : forget_connection()) failures_.add(exchange, fallen_silent());
  }

  std::vector<std::uint64_t> forget_connection() {
    forget_what_was_said();
    return pipeline_.reset();
  }

  void forget_what_was_said() {
    out_.clear();
    silence_.forget();
    idle_time_ = settings_.idle_time;
    leads_on_ = false;
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
  silence silence_;
  bool leads_on_ = false;  // this connection has brought an answer since something was opened while nothing was
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
