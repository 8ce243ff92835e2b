// Who stays alive while its user is being told something.
#pragma once

#include <memory>

namespace lbresolve::io {

struct holder {
  /// Whoever tells the user something holds this meanwhile, so that it outlives a user who destroys the channel in
  /// there.
  virtual std::shared_ptr<void> hold() = 0;

 protected:
  ~holder() = default;
};

}  // namespace lbresolve::io
