// What the main thread waits on: completions and Ctrl-C.
#pragma once

#include <chrono>
#include <optional>

namespace lbresolve::cli {

/// One for the process. ring() is safe in a signal handler and from any thread.
class wakeup {
 public:
  /// Makes the pipe and takes SIGINT over: the first Ctrl-C rings, a second one ends the process at once.
  /// False where the system has no descriptor left.
  static bool prepare();

  static void ring() noexcept;

  /// Blocks until somebody rang, or for `most`; rings in between count once.
  static void wait(std::optional<std::chrono::milliseconds> most = std::nullopt);

  static bool interrupted();
};

}  // namespace lbresolve::cli
