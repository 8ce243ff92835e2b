// Queries over one stream of octets, as TCP and TLS carry them: framed, pipelined, answered in any order.
#pragma once

#include "core/message.hpp"
#include "core/random.hpp"
#include "core/time.hpp"

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

namespace lbresolve::core {

/// The client's side of one connection (RFC 7766, RFC 7858 section 3.3). Every message stands behind two octets of
/// length. IDs are unique among the open exchanges (RFC 7766 section 6.2.1), and put back before a reply is handed up.
/// Thread-safety: one thread at a time.
class stream_pipeline {
 public:
  /// `random` draws new IDs where two collide, and must outlive this.
  explicit stream_pipeline(random_source& random) : random_(&random), by_exchange_(&nodes_), by_id_(&nodes_) {}
  stream_pipeline(const stream_pipeline&) = delete;
  stream_pipeline& operator=(const stream_pipeline&) = delete;

  /// Opens `exchange` and appends what is to be written to `out`. False where that cannot be: there are
  /// `max_open` open ones, or `query` is no message that fits a frame.
  bool send(std::uint64_t exchange, std::span<const std::uint8_t> query, std::vector<std::uint8_t>& out);

  /// False where it is not open. What comes for it later is discarded.
  bool abandon(std::uint64_t exchange);

  /// Takes octets from the stream, in pieces of any size.
  void receive(std::span<const std::uint8_t> bytes);

  struct reply {
    std::uint64_t exchange = 0;
    reply_match kind = reply_match::reply;  ///< never `stranger`; `other_case` leaves it open, and comes once for each
    std::span<const std::uint8_t> bytes;    ///< with the ID of the query as given to send(); until the next receive()
  };
  /// The next reply among what has come in; none where more octets are needed. Replies to no open exchange are
  /// discarded on the way.
  std::optional<reply> next();

  /// The connection is lost: all exchanges are closed, and are named in the order in which they were sent. The next
  /// send() is the first one of the next connection.
  std::vector<std::uint64_t> reset();

  /// The connection is lost, and another one takes its place: appends to `out` what is open, in the order in which it
  /// was sent first.
  void resume(std::vector<std::uint8_t>& out);

  std::size_t open_exchanges() const noexcept { return by_exchange_.size(); }
  /// At least one reply came over this connection. Where it is lost then, the server may just have grown tired of it,
  /// and asking again at once is fair (RFC 7766 section 6.2.4).
  bool has_answered() const noexcept { return has_answered_; }
  /// Messages thrown away so far because they answered no query.
  std::uint64_t discarded() const noexcept { return discarded_; }

  /// Query IDs have to stay unguessable: at most a quarter of them is in use.
  static constexpr std::size_t max_open = 16'384;

 private:
  /// One exchange. Its place is used again, with the memory that it holds.
  struct slot {
    std::uint64_t exchange = 0;
    std::uint64_t serial = 0;
    std::vector<std::uint8_t> query;  // as it went out
    std::uint16_t given_id = 0;
    bool told_other_case = false;
  };

  std::uint16_t unused_id(std::uint16_t wanted);
  void close(std::uint32_t place);
  std::vector<std::uint32_t> open_in_order() const;
  void forget_connection() noexcept;
  std::optional<reply> match(std::span<std::uint8_t> bytes);

  random_source* random_;
  std::pmr::unsynchronized_pool_resource nodes_;  // so that the tables below do not go to the heap for each exchange
  std::pmr::unordered_map<std::uint64_t, std::uint32_t> by_exchange_;  // to the index in slots_
  std::pmr::unordered_map<std::uint16_t, std::uint32_t> by_id_;        // the same, by ID on the wire
  std::vector<slot> slots_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint8_t> in_;
  std::size_t read_ = 0;  // of in_: what has been handed up
  std::uint64_t next_serial_ = 0;
  std::uint64_t discarded_ = 0;
  bool has_answered_ = false;
};

/// How long the server of `reply` keeps an idle connection, where it says so (edns-tcp-keepalive, RFC 7828).
std::optional<duration> tcp_keepalive(std::span<const std::uint8_t> reply);

}  // namespace lbresolve::core
