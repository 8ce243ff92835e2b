// What the UDP and the TCP half of Do53 tell their owner.
#pragma once

#include "core/message.hpp"
#include "io/holder.hpp"

#include <cstdint>
#include <span>
#include <system_error>

namespace lbresolve::io {

/// As transport_events, for the inside of a query_channel.
struct exchange_sink : holder {
  /// Comes from the event loop only. The user may destroy the channel in there: then everything is closed after it.
  virtual void on_reply(std::uint64_t exchange, core::reply_match kind, std::span<const std::uint8_t> bytes) = 0;

  /// Can come at any time, inside send() too: it is kept, and told from the event loop.
  virtual void on_failure(std::uint64_t exchange, std::error_code code) = 0;

 protected:
  ~exchange_sink() = default;
};

/// More open exchanges than this are refused, for each transport: query IDs have to stay unguessable, and c-ares 1.34
/// looks for a free one for ever once all are taken.
inline constexpr std::size_t max_open_exchanges = 16'384;

}  // namespace lbresolve::io
