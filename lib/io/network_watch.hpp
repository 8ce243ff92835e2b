// Which network this is, and when it becomes another one.
#pragma once

#include "core/time.hpp"
#include "io/event_loop.hpp"
#include "io/socket.hpp"

#include <chrono>
#include <cstdint>
#include <functional>

namespace lbresolve::io {

/// core::fingerprint() of the present network; 0 where the kernel does not tell. Takes some hundred microseconds. Any
/// thread.
std::uint64_t network_fingerprint();

/// Tells when the fingerprint changes: once a burst of changes has settled, and only when it ends in another network
/// than before. Where the kernel does not tell of changes it never calls, and is no error.
///
/// For the loop's thread. A forked child must not go on with its parent's: both would read from one socket.
class network_watch final : event_loop::watcher, event_loop::timer_handler {
 public:
  /// Quiet for so long: settled.
  static constexpr core::duration settle = std::chrono::milliseconds{200};
  /// A network that never settles is looked at so long after the first change.
  static constexpr core::duration settle_at_most = std::chrono::seconds{2};

  /// @param loop must outlive this
  /// @param changed called inside run_once() with the new fingerprint; may destroy this
  network_watch(event_loop& loop, std::function<void(std::uint64_t)> changed);
  ~network_watch();
  network_watch(const network_watch&) = delete;
  network_watch& operator=(const network_watch&) = delete;

  /// Of the network last seen; 0 where it is unknown.
  std::uint64_t fingerprint() const noexcept { return last_; }

  /// Whether the kernel tells of changes.
  bool is_watching() const noexcept { return static_cast<bool>(fd_); }

 private:
  void on_ready(bool readable, bool writable) override;
  void on_timer() override;
  void stop() noexcept;
  void notice();

  event_loop& loop_;
  event_loop::timer timer_;
  std::function<void(std::uint64_t)> changed_;
  unique_fd fd_;
  std::uint64_t last_ = 0;
  core::time_point burst_began_ = core::never;  // never: settled
};

}  // namespace lbresolve::io
