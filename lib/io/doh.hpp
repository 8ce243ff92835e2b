// DNS over HTTPS (RFC 8484): queries to one server over HTTP/2.
#pragma once

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
#include <span>
#include <utility>

namespace lbresolve::io {

/// All over one connection, which is opened by the first query and closed after `idle_time` without one, or where an
/// exchange is given up after `silence_time` without a word from the server. Where the server wants no more requests on
/// it (GOAWAY), what is open there is waited for, and what it has not looked at goes to another one, as the next query.
/// Only a response with status 200 and the right content type is looked at; redirects are not followed. TTLs are told
/// as they are now: the time that an HTTP cache has kept the answer is taken off (RFC 8484 section 5.1).
class doh final : public query_channel {
 public:
  struct settings {
    core::duration idle_time = std::chrono::seconds(20);
    core::duration silence_time = longest_silence;
  };

  /// Whether this build can: without nghttp2 every send() fails with errc::unsupported.
  static bool is_built() noexcept;

  /// Of `to`: path, use_get and the server's name are put into requests; the rest is for the dialer, which must agree
  /// on the protocol "h2". `loop`, `dialer` and `events` must outlive this.
  doh(event_loop& loop, stream_dialer& dialer, core::upstream to, transport_events& events, const settings& s);
  doh(event_loop& loop, stream_dialer& dialer, core::upstream to, transport_events& events)
      : doh(loop, dialer, std::move(to), events, settings{}) {}
  ~doh() override;  ///< closes everything; also inside an event

  /// `over` is transport::https; everything else fails.
  void send(std::uint64_t exchange, lbresolve::transport over, std::span<const std::uint8_t> query) override;
  void abandon(std::uint64_t exchange) override;

  std::size_t open_exchanges() const noexcept;

 private:
  class state;
  std::shared_ptr<state> state_;
};

}  // namespace lbresolve::io
