// The TCP half of Do53: all queries to one server over one connection, pipelined (RFC 7766).
#pragma once

#include "core/random.hpp"
#include "io/ares_channel.hpp"
#include "io/event_loop.hpp"
#include "io/exchange_sink.hpp"
#include "io/socket.hpp"

#include <bitset>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <system_error>
#include <unordered_map>
#include <vector>

namespace lbresolve::io {

/// Opened by the first query, kept while the server keeps it, closed after `idle_time` without a query (RFC 7766
/// section 6.2.3). Replies are taken in any order, by their ID, which is made unique on the connection (section 6.2.1)
/// and put back before a reply is handed up. When the connection is lost, every exchange on it fails.
class tcp_connection final : ares_channel::sockets, event_loop::watcher, event_loop::timer_handler {
 public:
  tcp_connection(event_loop& loop, core::random_source& random, const endpoint& server, exchange_sink& sink,
                 core::duration idle_time);
  ~tcp_connection();
  tcp_connection(const tcp_connection&) = delete;
  tcp_connection& operator=(const tcp_connection&) = delete;

  void send(std::uint64_t exchange, std::span<const std::uint8_t> query);
  bool abandon(std::uint64_t exchange);  ///< false where it is not open here
  void close_all();                      ///< everything, without a word; also inside on_reply

  std::size_t open_exchanges() const noexcept { return by_exchange_.size(); }
  std::uint64_t discarded() const noexcept { return discarded_; }

 private:
  /// One query. An abandoned one stays until its octets have gone out: only then is it known what ID c-ares gave it.
  struct entry {
    std::uint64_t exchange = 0;
    std::vector<std::uint8_t> query;  // as given to send()
    std::uint16_t wire_id = 0;
    bool written = false;
    bool abandoned = false;
    bool told_other_case = false;
  };
  using serial = std::uint64_t;

  int open() override;
  int connect(int fd) override;
  void close(int fd) override;
  std::ptrdiff_t send(int fd, std::span<const iovec> pieces) override;
  std::ptrdiff_t receive(int fd, std::span<std::uint8_t> into) override;
  void interest(int fd, bool read, bool write) override;
  void on_ready(bool readable, bool writable) override;
  void on_timer() override;

  std::uint16_t unused_id(std::uint16_t wanted);
  void observe(std::span<const std::uint8_t> written);
  void on_written(std::uint16_t id);
  void read_some();
  void on_message(std::span<std::uint8_t> bytes);
  void forget(serial s);
  void release(serial s);
  void settle();
  void rest();
  std::error_code meaning_of(int error) const noexcept;
  void lose(std::error_code why);
  void fail_all(std::error_code why);

  event_loop& loop_;
  core::random_source& random_;
  exchange_sink& sink_;
  socket_address server_;
  lbresolve::family family_;
  core::duration idle_time_;
  event_loop::timer idle_;

  std::map<serial, entry> entries_;
  std::unordered_map<std::uint64_t, serial> by_exchange_;  // those not abandoned
  std::deque<serial> waiting_;                             // in c-ares' send queue, in its order
  std::unordered_map<std::uint16_t, serial> flying_;       // gone out, by ID on the wire
  std::bitset<65'536> ids_;                                // of all entries
  serial next_serial_ = 0;

  unique_fd fd_;
  std::unique_ptr<ares_channel> channel_;
  std::uint64_t connections_ = 0;       // tells this connection from the next one
  std::error_code failure_;             // why it was lost
  bool lost_ = false;                   // c-ares is to read the end of the stream
  bool answered_ = false;               // at least one reply came over it
  bool heard_ = false;                  // something came since the last time nothing was in flight
  std::vector<std::uint8_t> in_;        // the start of a message
  std::vector<std::uint8_t> receipts_;  // framed, for c-ares to read
  struct {
    std::size_t at = 0;
    std::size_t length = 0;
    std::uint16_t id = 0;
  } frame_out_;  // the message of which c-ares is writing octets
  std::uint64_t discarded_ = 0;
};

}  // namespace lbresolve::io
