// How long the other side of a connection has left us without a word.
#pragma once

#include "core/time.hpp"

#include <optional>

namespace lbresolve::io {

/// Counts from the first thing that was said to it since it was last heard. A connection that is dead, because a host
/// or a middlebox on the way forgot it, or whose server stopped in the middle of a message, is told from a slow server,
/// who says something in the end.
class silence {
 public:
  void on_said(core::time_point now) {
    if (!since_) since_ = now;
  }
  /// @param is_asked whether something is still waited for
  void on_heard(core::time_point now, bool is_asked) {
    since_.reset();
    if (is_asked) since_ = now;
  }
  void forget() noexcept { since_.reset(); }
  bool has_lasted(core::duration limit, core::time_point now) const { return since_ && now - *since_ >= limit; }

 private:
  std::optional<core::time_point> since_;
};

}  // namespace lbresolve::io
