#include "io/doh_connection.hpp"

#include "core/doh_message.hpp"
#include "io/clock.hpp"
#include "io/message_id.hpp"
#include "io/socket.hpp"

#include <array>
#include <cerrno>
#include <string>
#include <utility>

namespace lbresolve::io {
namespace {

constexpr std::string_view http2 = "h2";  // RFC 9113 section 3.1

}  // namespace

doh_connection::doh_connection(event_loop& loop, stream_dialer& dialer, const core::upstream& to, user& who,
                               std::unique_ptr<http2_session> session, core::duration idle_time,
                               core::duration silence_time)
    : loop_(loop),
      user_(&who),
      idle_time_(idle_time),
      silence_time_(silence_time),
      session_(std::move(session)),
      stream_(loop, dialer, to, *this) {}

void doh_connection::close() noexcept {
  user_ = nullptr;
  is_over_ = true;
  stream_.close();
}

void doh_connection::send(std::uint64_t exchange, std::span<const std::uint8_t> query) {
  // RFC 8484 section 4.1: ID 0, so that the same question is the same request to an HTTP cache.
  std::vector<std::uint8_t> message(query.begin(), query.end());
  set_id(message, 0);
  if (!session_->request(exchange, message)) return user_->on_failure(exchange, error(errno_code(ENOMEM)));
  ids_[exchange] = id_of(query);
  silence_.on_said(now());
  stream_.want();
  settle_later();
}

/// All that is asked in one round of the loop goes out in one piece: A and AAAA, or what answers have led to.
void doh_connection::settle_later() {
  if (telling_ || !stream_.is_open() || std::exchange(settling_, true)) return;
  loop_.defer([me = weak_from_this()] {
    const auto held = me.lock();
    if (held == nullptr) return;
    held->settling_ = false;
    held->settle();
  });
}

bool doh_connection::abandon(std::uint64_t exchange) {
  if (ids_.erase(exchange) == 0) return false;
  session_->cancel(exchange);  // unless it has ended and is about to be told
  if (stream_.is_open() && !telling_ && silence_.has_lasted(silence_time_, now())) {
    end(fallen_silent());
  } else {
    settle();
  }
  return true;
}

void doh_connection::on_open() {
  if (stream_.protocol() != http2) {
    return end(error(errno_code(EPROTONOSUPPORT), "it does not speak HTTP/2: it did not agree on \"h2\" (ALPN)"));
  }
  silence_.on_heard(now(), open_exchanges() > 0);
  settle();
}

void doh_connection::on_data(std::span<const std::uint8_t> bytes) {
  telling_ = true;
  session_->receive(bytes);
  tell_ended();
  telling_ = false;
  silence_.on_heard(now(), open_exchanges() > 0);
  if (user_ != nullptr) settle();
  if (open_exchanges() > 0 && stream_.is_open()) stream_.acknowledge();
}

void doh_connection::tell_ended() {
  while (user_ != nullptr) {
    auto ended = session_->next();
    if (!ended) return;
    tell(*ended);
  }
}

void doh_connection::tell(http2_session::outcome& what) {
  const auto found = ids_.find(what.exchange);
  if (found == ids_.end()) return;  // abandoned while an earlier one was told
  const std::uint16_t id = found->second;
  ids_.erase(found);
  if (what.failed) {
    const bool leads_on = answered_ || session_->open_exchanges() > 0;
    if (!leads_on || what.failed->code() != std::errc::connection_aborted)
      return user_->on_failure(what.exchange, *what.failed);
    set_id(what.message, id);
    return user_->on_unseen(what.exchange, what.message);
  }
  const auto match = core::match_reply(what.message, what.content);
  if (match == core::reply_match::stranger) {
    return user_->on_failure(what.exchange, error(errno_code(EPROTO), "its answer is none to the question"));
  }
  answered_ = true;
  core::subtract_age(what.content, what.age);
  set_id(what.content, id);
  user_->on_reply(what.exchange, match, what.content);
}

/// Writes what there is to write, and looks whether that was it. What is sent while replies are told goes out in one
/// piece after the last of them.
void doh_connection::settle() {
  if (telling_ || !stream_.is_open()) return;
  session_->send(out_);
  if (!out_.empty()) stream_.write(out_);
  out_.clear();
  tell_ended();  // failures only: requests that could not go out
  if (session_->is_over() || (open_exchanges() == 0 && !session_->takes_requests())) {
    const bool is_fault = !session_->complaint().empty();
    return end(error(errno_code(is_fault ? EPROTO : ECONNRESET), session_->complaint()));
  }
  if (open_exchanges() == 0) stream_.rest(idle_time_);
}

void doh_connection::on_lost(const error& why) { end(why); }

void doh_connection::end(const error& why) {
  is_over_ = true;
  stream_.close();
  const error told = lost_exchange(why, answered_);
  for (const auto exchange : session_->reset()) user_->on_failure(exchange, told);
  ids_.clear();
}

}  // namespace lbresolve::io
