// DNS over TLS (RFC 7858): queries to one server over one connection.
#pragma once

#include "core/random.hpp"
#include "core/time.hpp"
#include "core/upstream.hpp"
#include "io/byte_stream.hpp"
#include "io/dialed_stream.hpp"
#include "io/event_loop.hpp"
#include "io/transport.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace lbresolve::io {

/// Pipelined over a connection that is opened by the first query, kept while the server keeps it, and closed after
/// `idle_time` without a query, or after what the server says (RFC 7828); also where an exchange is given up after
/// `silence_time` without a word from the server. A server that closes it after an answer is asked the rest on another
/// one; else, when it is lost, every exchange on it fails, and the next query opens another one. Whether the stream is
/// TLS, and to whom, is the dialer's affair.
class dot final : public query_channel {
 public:
  struct settings {
    core::duration idle_time = std::chrono::seconds(20);
    core::duration silence_time = longest_silence;
  };

  /// `random` draws new IDs where two collide. `loop`, `random`, `dialer` and `events` must outlive this.
  dot(event_loop& loop, core::random_source& random, stream_dialer& dialer, core::upstream to, transport_events& events,
      const settings& s);
  dot(event_loop& loop, core::random_source& random, stream_dialer& dialer, core::upstream to, transport_events& events)
      : dot(loop, random, dialer, std::move(to), events, settings{}) {}
  ~dot() override;  ///< closes everything; also inside an event

  /// `over` is transport::tls; everything else fails.
  void send(std::uint64_t exchange, lbresolve::transport over, std::span<const std::uint8_t> query) override;
  void abandon(std::uint64_t exchange) override;

  std::size_t open_exchanges() const noexcept;
  /// Messages thrown away so far because they answered no query.
  std::uint64_t discarded() const noexcept;

 private:
  class state;
  std::shared_ptr<state> state_;
};

}  // namespace lbresolve::io
