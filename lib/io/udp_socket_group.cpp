#include "io/udp_socket_group.hpp"

#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace lbresolve::io {
namespace {

constexpr std::size_t largest_message = 65'535;

// c-ares never makes a system call with them; no real descriptor gets so large.
constexpr int first_descriptor = 1 << 30;

}  // namespace

struct udp_socket_group::slot final : event_loop::watcher {
  explicit slot(udp_socket_group& owner) : group(owner) {}
  void on_ready(bool, bool) override { group.on_readable(*this); }

  udp_socket_group& group;
  unique_fd fd;
  std::uint64_t exchange = 0;
  std::uint64_t uses = 0;  // tells a slot used again from the one that was looked at
  std::vector<std::uint8_t> query;
  std::vector<std::uint8_t> receipt;  // the stub of the query, until c-ares has sent that
  bool sent = false;
  int descriptor = -1;  // the one on which c-ares waits for the receipt
  std::error_code failure;
  bool told_other_case = false;
};

udp_socket_group::udp_socket_group(event_loop& loop, const endpoint& server, exchange_sink& sink)
    : loop_(loop), sink_(sink), server_(server), family_(server.address.family()), next_descriptor_(first_descriptor) {}

udp_socket_group::~udp_socket_group() { close_all(); }

void udp_socket_group::close_all() {
  channel_.reset();
  for (const auto& [exchange, s] : open_) {
    loop_.forget(s->fd.get());
    s->fd.reset();
    free_.push_back(s);
    ++s->uses;
  }
  open_.clear();
}

udp_socket_group::slot& udp_socket_group::take_slot() {
  if (free_.empty()) {
    slots_.push_back(std::make_unique<slot>(*this));
    free_.push_back(slots_.back().get());
  }
  slot& s = *free_.back();
  free_.pop_back();
  ++s.uses;
  s.receipt.clear();
  s.sent = false;
  s.failure = {};
  s.told_other_case = false;
  return s;
}

void udp_socket_group::send(std::uint64_t exchange, std::span<const std::uint8_t> query) {
  if (question_of(query).empty()) {
    return sink_.on_failure(exchange, errno_code(EINVAL));
  }
  if (open_.size() >= max_open_exchanges) {
    return sink_.on_failure(exchange, errno_code(ENOBUFS));
  }
  if (!channel_) channel_ = ares_channel::create(ares_channel::kind::datagram, *this);
  if (!channel_) return sink_.on_failure(exchange, errno_code(ENOMEM));

  slot& s = take_slot();
  s.exchange = exchange;
  s.query.assign(query.begin(), query.end());
  open_.emplace(exchange, &s);
  make_stub(query, s.receipt);
  sending_ = &s;
  channel_->send(s.receipt);
  sending_ = nullptr;
  if (!s.sent) s.failure = errno_code(ENOMEM);  // c-ares could not take it
  if (s.failure) {
    const auto failure = s.failure;
    finish(s);
    sink_.on_failure(exchange, failure);
  }
}

bool udp_socket_group::abandon(std::uint64_t exchange) {
  const auto found = open_.find(exchange);
  if (found == open_.end()) return false;
  finish(*found->second);
  return true;
}

std::ptrdiff_t udp_socket_group::send(int descriptor, std::span<const iovec> pieces) {
  std::ptrdiff_t size = 0;
  for (const auto& piece : pieces) size += static_cast<std::ptrdiff_t>(piece.iov_len);
  // Failure is for the exchange alone to bear: c-ares would take it out on every query in flight.
  if (sending_ != nullptr && size >= 2 && pieces.front().iov_len >= 2) {
    const auto* id = static_cast<const std::uint8_t*>(pieces.front().iov_base);
    slot& s = *sending_;
    s.receipt.clear();
    make_receipt(s.query, static_cast<std::uint16_t>(id[0] << 8 | id[1]), s.receipt);
    s.sent = true;
    s.descriptor = descriptor;
    s.failure = transmit(s);
  }
  return size;
}

std::error_code udp_socket_group::transmit(slot& s) {
  s.fd.reset(::socket(address_family(family_), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!s.fd) return last_error();
  if (::connect(s.fd.get(), server_.get(), server_.size()) != 0) return last_error();
  if (::send(s.fd.get(), s.query.data(), s.query.size(), MSG_NOSIGNAL) < 0) return last_error();
  // Edge-triggered, for the sake of a child that was forked and lives on with a copy of this descriptor: closing it
  // here then leaves it in the epoll set, where a level-triggered one would be ready for ever.
  return loop_.watch(s.fd.get(), true, false, s, event_loop::trigger::edge);
}

std::ptrdiff_t udp_socket_group::receive(int descriptor, std::span<std::uint8_t> into) {
  if (receipt_for_ == nullptr || receipt_for_->descriptor != descriptor || receipt_for_->receipt.size() > into.size()) {
    errno = EAGAIN;
    return -1;
  }
  const auto& receipt = std::exchange(receipt_for_, nullptr)->receipt;
  std::memcpy(into.data(), receipt.data(), receipt.size());
  return static_cast<std::ptrdiff_t>(receipt.size());
}

void udp_socket_group::on_readable(slot& s) {
  const auto held = sink_.hold();
  if (!buffer_) buffer_.reset(new std::uint8_t[largest_message]);
  for (const auto use = s.uses; s.uses == use;) {
    const auto got = ::recv(s.fd.get(), buffer_.get(), largest_message, 0);
    const auto exchange = s.exchange;
    if (got < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return;
      const auto failure = last_error();  // an ICMP error, most often: nobody listens on that port
      finish(s);
      return sink_.on_failure(exchange, failure);
    }
    const std::span<const std::uint8_t> bytes(buffer_.get(), static_cast<std::size_t>(got));
    const auto match = core::match_reply(s.query, bytes);
    if (match == core::reply_match::stranger || (match == core::reply_match::other_case && s.told_other_case)) {
      ++discarded_;  // and waiting goes on (SEC-06)
      continue;
    }
    if (match == core::reply_match::other_case) {
      s.told_other_case = true;
    } else {
      finish(s);
    }
    sink_.on_reply(exchange, match, bytes);
  }
}

void udp_socket_group::finish(slot& s) {
  loop_.forget(s.fd.get());
  s.fd.reset();
  open_.erase(s.exchange);
  ++s.uses;
  if (s.sent) {
    receipt_for_ = &s;
    channel_->process(s.descriptor, -1);
    receipt_for_ = nullptr;
  }
  free_.push_back(&s);
}

}  // namespace lbresolve::io
