// The one seam between asking and the network: send a query to one upstream, get an answer or an error.
#pragma once

#include "core/message.hpp"

#include <lbresolve/error.hpp>
#include <lbresolve/trace.hpp>

#include <cstdint>
#include <span>

namespace lbresolve::io {

/// What comes of the exchanges of a query_channel. Called from the event loop, never inside send() or abandon(), and
/// never after abandon() of that exchange or after the channel's destruction. May call send() and abandon(), and may
/// destroy the channel.
struct transport_events {
  /// `bytes` came for `exchange`, and `kind` says how they relate to its query; never `stranger`. Their ID is that of
  /// the query as it was given to send(). `other_case` leaves the exchange open and comes at most once for each; every
  /// other kind ends it. The bytes live until this call returns.
  virtual void on_reply(std::uint64_t exchange, core::reply_match kind, std::span<const std::uint8_t> bytes) = 0;

  /// `exchange` has ended without a reply. The code of `why` is an errno in the system category or an lbresolve one;
  /// its sentence, where it has one, is a clause that says more ("it answered with HTTP status 503"). Two codes have a
  /// meaning of their own: connection_reset, the server closed a connection before it answered; connection_aborted, the
  /// same on a connection that had answered before, so that asking again at once is fair (RFC 7766 section 6.2.4).
  virtual void on_error(std::uint64_t exchange, const error& why) = 0;

 protected:
  ~transport_events() = default;
};

/// A way to one upstream. It sends each query once and reports: deadlines, retries and hedging are its user's. One
/// thread: that of its event loop.
class query_channel {
 public:
  virtual ~query_channel() = default;

  /// Sends `query`, a whole message with its ID, which is copied. Failures come as on_error.
  /// @param exchange the caller's name for it, unique among the open exchanges of this channel.
  virtual void send(std::uint64_t exchange, lbresolve::transport over, std::span<const std::uint8_t> query) = 0;

  /// Forgets `exchange` and frees what it holds; nothing where it is not open. No event for it follows.
  virtual void abandon(std::uint64_t exchange) = 0;
};

}  // namespace lbresolve::io
