// A connected socket, owned, with the story of how it came to be.
#pragma once

#include <lbresolve/endpoint.hpp>
#include <lbresolve/export.hpp>
#include <lbresolve/tls_stream.hpp>
#include <lbresolve/trace.hpp>

#include <memory>
#include <utility>

namespace lbresolve {

/// A connected TCP socket: non-blocking, close-on-exec. Move-only; closes on destruction. Where TLS was asked for
/// (`connect_options.ready`), its handshake is done and the server verified: read and write through tls().
///
/// Thread-safety: one thread at a time, as any socket wrapper.
class connection {
 public:
  connection() = default;
  connection(int fd, endpoint peer, std::shared_ptr<const lbresolve::trace> story) noexcept
      : fd_(fd), peer_(peer), story_(std::move(story)) {}
  connection(int fd, endpoint peer, std::shared_ptr<const lbresolve::trace> story, tls_stream tls) noexcept
      : fd_(fd), peer_(peer), story_(std::move(story)), tls_(std::move(tls)) {}
  connection(connection&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)),
        peer_(other.peer_),
        story_(std::move(other.story_)),
        tls_(std::move(other.tls_)) {}
  LBRESOLVE_EXPORT connection& operator=(connection&& other) noexcept;
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;
  ~connection() { close(); }

  /// The descriptor, still owned by this object; -1 after release() or close().
  int fd() const noexcept { return fd_; }

  /// Gives the descriptor away: the caller closes it.
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

  /// Puts the socket into blocking (or back into non-blocking) mode; false where the system refuses.
  LBRESOLVE_EXPORT bool set_blocking(bool blocking) noexcept;

  LBRESOLVE_EXPORT void close() noexcept;

  /// The TLS session on fd(); empty where none was asked for. It may be moved out, to go with a released descriptor.
  tls_stream& tls() noexcept { return tls_; }
  const tls_stream& tls() const noexcept { return tls_; }

  const endpoint& peer() const noexcept { return peer_; }

  /// The lookup and the race that led here; null only on a default-constructed connection.
  const lbresolve::trace* story() const noexcept { return story_.get(); }
  const std::shared_ptr<const lbresolve::trace>& shared_story() const noexcept { return story_; }

 private:
  int fd_ = -1;
  endpoint peer_;
  std::shared_ptr<const lbresolve::trace> story_;
  tls_stream tls_;
};

}  // namespace lbresolve
