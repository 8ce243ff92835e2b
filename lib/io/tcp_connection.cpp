#include "io/tcp_connection.hpp"

#include "io/clock.hpp"
#include "io/message_id.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

namespace lbresolve::io {
namespace {

constexpr unsigned unacknowledged_ms = 10'000;  // a peer that vanished without a word is noticed after so long
constexpr std::size_t read_size = 16'384;

}  // namespace

tcp_connection::tcp_connection(event_loop& loop, core::random_source& random, const endpoint& server,
                               exchange_sink& sink, core::duration idle_time)
    : loop_(loop),
      random_(random),
      sink_(sink),
      server_(server),
      family_(server.address.family()),
      idle_time_(idle_time),
      idle_(loop, *this) {}

tcp_connection::~tcp_connection() { close_all(); }

void tcp_connection::close_all() {
  by_exchange_.clear();
  entries_.clear();  // so that close() finds nobody to tell
  channel_.reset();
  idle_.clear();
}

void tcp_connection::send(std::uint64_t exchange, std::span<const std::uint8_t> query) {
  if (question_of(query).empty()) {
    return sink_.on_failure(exchange, errno_code(EINVAL));
  }
  if (entries_.size() >= max_open_exchanges) {
    return sink_.on_failure(exchange, errno_code(ENOBUFS));
  }
  if (!channel_) channel_ = ares_channel::create(ares_channel::kind::stream, *this);
  if (!channel_) return sink_.on_failure(exchange, errno_code(ENOMEM));

  if (by_exchange_.empty()) heard_ = false;
  idle_.clear();
  const serial s = next_serial_++;
  entry& e = entries_[s];
  e.exchange = exchange;
  e.query.assign(query.begin(), query.end());
  e.wire_id = unused_id(id_of(query));
  ids_.set(e.wire_id);
  by_exchange_[exchange] = s;
  waiting_.push_back(s);

  std::vector<std::uint8_t> sent = e.query;
  set_id(sent, e.wire_id);
  failure_ = {};
  // Where there was a socket, close() has told what became of the query; without one, it is told here.
  if (!channel_->send(sent) && entries_.contains(s)) {
    std::erase(waiting_, s);
    forget(s);
    sink_.on_failure(exchange, failure_ ? failure_ : errno_code(EINVAL));
  }
  settle();
}

std::uint16_t tcp_connection::unused_id(std::uint16_t wanted) {
  // At most a quarter of all IDs is taken, so that this takes 1.3 draws at most on average.
  while (ids_.test(wanted)) wanted = static_cast<std::uint16_t>(random_.next() & 0xFFFF);
  return wanted;
}

bool tcp_connection::abandon(std::uint64_t exchange) {
  const auto found = by_exchange_.find(exchange);
  if (found == by_exchange_.end()) return false;
  const serial s = found->second;
  entry& e = entries_.at(s);
  if (e.written) {
    release(s);
    settle();
  } else {
    e.abandoned = true;
    by_exchange_.erase(found);
  }
  // Given up on all of them, and not a word since the first: this connection may be dead, so the next query gets
  // another one.
  if (by_exchange_.empty() && !heard_) channel_.reset();
  rest();
  return true;
}

// ------------------------------------------------------------------ c-ares works the socket

int tcp_connection::open() {
  answered_ = false;
  lost_ = false;
  failure_ = {};
  fd_.reset(::socket(address_family(family_), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd_) {
    failure_ = last_error();
    return -1;
  }
  const int on = 1;
  ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms, sizeof(unacknowledged_ms));
  return fd_.get();
}

int tcp_connection::connect(int fd) {
  const int done = ::connect(fd, server_.get(), server_.size());
  if (done != 0 && errno != EINPROGRESS) failure_ = last_error();
  return done;
}

void tcp_connection::close(int fd) {
  loop_.unwatch(fd);
  fd_.reset();
  ++connections_;
  in_.clear();
  receipts_.clear();
  frame_out_ = {};
  fail_all(failure_ ? failure_ : meaning_of(0));
}

std::ptrdiff_t tcp_connection::send(int fd, std::span<const iovec> pieces) {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(pieces.data());  // sendmsg(2) does not write to it
  message.msg_iovlen = std::min<std::size_t>(pieces.size(), IOV_MAX);
  const auto sent = ::sendmsg(fd, &message, MSG_NOSIGNAL);
  if (sent < 0) {
    if (errno == EINTR) errno = EAGAIN;
    if (errno != EAGAIN) failure_ = meaning_of(errno);
    return sent;
  }
  auto left = static_cast<std::size_t>(sent);
  for (const auto& piece : pieces) {
    const auto here = std::min(left, piece.iov_len);
    observe({static_cast<const std::uint8_t*>(piece.iov_base), here});
    left -= here;
  }
  return sent;
}

std::ptrdiff_t tcp_connection::receive(int, std::span<std::uint8_t> into) {
  if (lost_) return 0;
  const auto size = std::min(into.size(), receipts_.size());
  if (size == 0) {
    errno = EAGAIN;
    return -1;
  }
  std::memcpy(into.data(), receipts_.data(), size);
  receipts_.erase(receipts_.begin(), receipts_.begin() + static_cast<std::ptrdiff_t>(size));
  return static_cast<std::ptrdiff_t>(size);
}

void tcp_connection::interest(int fd, bool read, bool write) {
  if (fd != fd_.get()) return;
  if (!read && !write) return loop_.unwatch(fd);
  if (const auto failure = loop_.watch(fd, read, write, *this)) {
    failure_ = failure;
    lost_ = true;
    idle_.set(core::time_point{});  // c-ares must not be called in here
  }
}

void tcp_connection::observe(std::span<const std::uint8_t> written) {
  for (const auto octet : written) {
    switch (frame_out_.at) {
      case 0:
      case 1:
        frame_out_.length = (frame_out_.length << 8 | octet) & 0xFFFF;
        break;
      case 2:
      case 3:
        frame_out_.id = static_cast<std::uint16_t>(frame_out_.id << 8 | octet);
        break;
      default:
        break;
    }
    if (++frame_out_.at == 4) on_written(frame_out_.id);
    if (frame_out_.at >= 4 && frame_out_.at == frame_out_.length + 2) frame_out_.at = 0;
  }
}

void tcp_connection::on_written(std::uint16_t id) {
  if (waiting_.empty()) return;
  const serial s = waiting_.front();
  waiting_.pop_front();
  entry& e = entries_.at(s);
  ids_.reset(e.wire_id);
  e.wire_id = id;  // another one than ours with c-ares 1.34, which draws its own
  e.written = true;
  ids_.set(id);
  flying_[id] = s;
  if (e.abandoned) release(s);
}

// ------------------------------------------------------------------ the server answers

void tcp_connection::on_ready(bool readable, bool writable) {
  const auto held = sink_.hold();
  const auto connection = connections_;
  if (readable) read_some();  // first: a server may answer, then close
  if (writable && connection == connections_) {
    channel_->process(-1, fd_.get());
    settle();
  }
  rest();
}

void tcp_connection::read_some() {
  const auto start = in_.size();
  in_.resize(start + read_size);
  const auto got = ::recv(fd_.get(), in_.data() + start, read_size, 0);
  const int error = got < 0 ? errno : 0;
  in_.resize(start + static_cast<std::size_t>(std::max<std::ptrdiff_t>(got, 0)));
  if (error == EAGAIN || error == EINTR) return;
  if (got <= 0) return lose(meaning_of(error));

  heard_ = true;
  auto bytes = std::exchange(in_, {});
  std::span<std::uint8_t> left(bytes);
  for (const auto connection = connections_; left.size() >= 2;) {
    const std::size_t length = id_of(left);  // the same two octets, another meaning
    if (left.size() - 2 < length) break;
    const auto message = left.subspan(2, length);
    left = left.subspan(2 + length);
    on_message(message);
    if (connection != connections_) return;  // lost, or closed by the user in there
  }
  bytes.erase(bytes.begin(), bytes.end() - static_cast<std::ptrdiff_t>(left.size()));
  in_ = std::move(bytes);
}

void tcp_connection::on_message(std::span<std::uint8_t> bytes) {
  const auto found = bytes.size() < 2 ? flying_.end() : flying_.find(id_of(bytes));
  if (found == flying_.end()) {
    ++discarded_;
    return;
  }
  const serial s = found->second;
  entry& e = entries_.at(s);
  const auto exchange = e.exchange;
  set_id(bytes, id_of(e.query));
  const auto match = core::match_reply(e.query, bytes);
  if (match == core::reply_match::stranger || (match == core::reply_match::other_case && e.told_other_case)) {
    ++discarded_;
    return;
  }
  answered_ = true;
  if (match == core::reply_match::other_case) {
    e.told_other_case = true;
  } else {
    release(s);
    settle();
  }
  sink_.on_reply(exchange, match, bytes);
}

/// Our side of it is over.
void tcp_connection::forget(serial s) {
  const auto found = entries_.find(s);
  if (!found->second.abandoned) by_exchange_.erase(found->second.exchange);
  ids_.reset(found->second.wire_id);
  entries_.erase(found);
}

/// As forget(), for one that has gone out: c-ares gets its receipt with the next settle().
void tcp_connection::release(serial s) {
  const entry& e = entries_.at(s);
  const auto size = receipts_.size();
  receipts_.resize(size + 2);
  make_receipt(e.query, e.wire_id, receipts_);
  set_id(std::span(receipts_).subspan(size), static_cast<std::uint16_t>(receipts_.size() - size - 2));
  flying_.erase(e.wire_id);
  forget(s);
}

/// Not inside `sockets`: calls c-ares. 1.18.1 reads the length, then the message; 1.34 what there is.
void tcp_connection::settle() {
  while (fd_ && !receipts_.empty()) {
    const auto before = receipts_.size();
    channel_->process(fd_.get(), -1);
    if (receipts_.size() >= before) return;
  }
}

void tcp_connection::rest() {
  if (fd_ && entries_.empty() && !lost_) idle_.set(now() + idle_time_);
}

void tcp_connection::on_timer() {
  if (lost_) return lose(failure_);
  if (entries_.empty()) channel_.reset();
}

// ------------------------------------------------------------------ the connection ends

std::error_code tcp_connection::meaning_of(int error) const noexcept {
  if (error != 0 && error != ECONNRESET && error != EPIPE) return errno_code(error);
  return errno_code(answered_ ? ECONNABORTED : ECONNRESET);
}

void tcp_connection::lose(std::error_code why) {
  failure_ = why;
  lost_ = true;
  if (fd_) channel_->process(fd_.get(), -1);
  if (fd_) channel_.reset();
}

void tcp_connection::fail_all(std::error_code why) {
  const auto entries = std::exchange(entries_, {});
  by_exchange_.clear();
  waiting_.clear();
  flying_.clear();
  ids_.reset();
  for (const auto& [s, e] : entries) {
    if (!e.abandoned) sink_.on_failure(e.exchange, why);
  }
}

}  // namespace lbresolve::io
