// DNS over port 53: UDP and TCP to one server, over c-ares.
#pragma once

#include "core/random.hpp"
#include "core/time.hpp"
#include "io/event_loop.hpp"
#include "io/transport.hpp"

#include <lbresolve/endpoint.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace lbresolve::io {

/// Queries to one server over UDP, a socket and a port of their own each, and over one TCP connection. Replies that do
/// not belong to their query are thrown away and waiting goes on (SEC-06); TC is for the user to see and act on. Opens
/// nothing before the first query.
class do53 final : public query_channel {
 public:
  struct settings {
    core::duration tcp_idle_time = std::chrono::seconds(20);  ///< then an unused connection is closed
  };

  /// `random` draws new IDs for TCP where two collide. `loop`, `random` and `events` must outlive this.
  do53(event_loop& loop, core::random_source& random, const endpoint& server, transport_events& events,
       const settings& s);
  do53(event_loop& loop, core::random_source& random, const endpoint& server, transport_events& events)
      : do53(loop, random, server, events, settings{}) {}
  ~do53() override;  ///< closes everything; also inside an event

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
