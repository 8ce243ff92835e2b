// A connected stream of octets, plain or through TLS, as the protocols above see it; and who opens one.
#pragma once

#include "core/upstream.hpp"

#include <lbresolve/error.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

namespace lbresolve::io {

/// One thread: that of its event loop. Destruction closes it, also inside an event.
class byte_stream {
 public:
  /// Called from the event loop, never inside a call of the stream; nothing after on_closed().
  struct events {
    virtual void on_data(std::span<const std::uint8_t> bytes) = 0;
    /// It is over, and `why` says how. std::errc::connection_reset: the peer closed it.
    virtual void on_closed(const error& why) = 0;

   protected:
    ~events() = default;
  };

  virtual ~byte_stream() = default;

  /// Who is told; what has arrived before is told then.
  virtual void listen(events& to) = 0;
  /// Takes a copy and sends it when it can. A failure comes as on_closed().
  virtual void write(std::span<const std::uint8_t> bytes) = 0;
  /// The peer learns at once, not with what is written next, that what was told has arrived. Where it keeps a small
  /// reply back until then (Nagle's algorithm, RFC 9293 section 3.7.4) that is 40 ms later. For who waits for more.
  virtual void acknowledge() {}
  /// What was written and has not been handed to the kernel yet, in octets.
  virtual std::size_t unsent() const noexcept = 0;
  /// The protocol that was agreed on (ALPN, RFC 7301); empty for none.
  virtual std::string_view protocol() const noexcept = 0;
  /// Whether the TLS session of an earlier stream was resumed (RFC 8446 section 2.2).
  virtual bool is_resumed() const noexcept = 0;
};

/// Opens streams to upstreams: looks names up, races addresses, finishes and verifies TLS.
class stream_dialer {
 public:
  using id = std::uint64_t;
  using finished = std::function<void(result<std::unique_ptr<byte_stream>>)>;

  virtual ~stream_dialer() = default;

  /// `done` is called once from the event loop, never inside this call, and not after cancel().
  virtual id dial(const core::upstream& to, finished done) = 0;
  virtual void cancel(id which) noexcept = 0;
};

}  // namespace lbresolve::io
