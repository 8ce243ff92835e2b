// The UDP half of Do53: one connected socket for each query, behind one descriptor that only c-ares believes in.
#pragma once

#include "io/ares_channel.hpp"
#include "io/event_loop.hpp"
#include "io/exchange_sink.hpp"
#include "io/socket.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <system_error>
#include <unordered_map>
#include <vector>

namespace lbresolve::io {

/// A socket of its own gives each query an unpredictable source port (RFC 5452 section 9.2): the kernel draws it
/// uniformly from its ephemeral range. Being connected, it takes datagrams from that server alone and hears of ICMP
/// errors. It closes as soon as its exchange is over.
///
/// What goes out are the octets that were given to send(), whatever c-ares makes of them: 1.34 puts in an ID and a
/// COOKIE of its own.
class udp_socket_group final : ares_channel::sockets {
 public:
  udp_socket_group(event_loop& loop, const endpoint& server, exchange_sink& sink);
  ~udp_socket_group();
  udp_socket_group(const udp_socket_group&) = delete;
  udp_socket_group& operator=(const udp_socket_group&) = delete;

  void send(std::uint64_t exchange, std::span<const std::uint8_t> query);
  bool abandon(std::uint64_t exchange);  ///< false where it is not open here
  void close_all();                      ///< everything, without a word; also inside on_reply

  std::size_t open_exchanges() const noexcept { return open_.size(); }
  std::uint64_t discarded() const noexcept { return discarded_; }

 private:
  struct slot;

  int open() override { return next_descriptor_++; }
  int connect(int) override { return 0; }
  void close(int) override {}
  std::ptrdiff_t send(int descriptor, std::span<const iovec> pieces) override;
  std::ptrdiff_t receive(int descriptor, std::span<std::uint8_t> into) override;
  void interest(int, bool, bool) override {}

  slot& take_slot();
  std::error_code transmit(slot& s);
  void on_readable(slot& s);
  void finish(slot& s);

  event_loop& loop_;
  exchange_sink& sink_;
  socket_address server_;
  lbresolve::family family_;
  std::vector<std::unique_ptr<slot>> slots_;  // every one ever made: as many as were open at once
  std::vector<slot*> free_;
  std::unordered_map<std::uint64_t, slot*> open_;  // by exchange
  std::unique_ptr<ares_channel> channel_;
  std::unique_ptr<std::uint8_t[]> buffer_;
  slot* sending_ = nullptr;      // while c-ares takes its query
  slot* receipt_for_ = nullptr;  // while c-ares reads its receipt
  int next_descriptor_;
  std::uint64_t discarded_ = 0;
};

}  // namespace lbresolve::io
