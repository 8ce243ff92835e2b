// How completions get from a resolver's thread to an event loop of Python's.
#pragma once

#include "outcome.hpp"

#include <nanobind/nanobind.h>

#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

namespace lbresolve::python {

/// A queue whose descriptor is readable while something is in it. put() is for any thread and never takes Python's
/// lock, so that a busy interpreter cannot hold up the resolver.
class channel {
 public:
  /// Raises OSError where there is no descriptor left.
  channel();
  ~channel();
  channel(const channel&) = delete;
  channel& operator=(const channel&) = delete;

  int fd() const noexcept { return fd_; }
  void put(std::uint64_t token, outcome_of_call::any what);
  /// All that is in it: pairs of token and outcome.
  nanobind::list take_all();

 private:
  const int fd_;
  std::mutex mutex_;
  std::vector<std::pair<std::uint64_t, outcome_of_call::any>> waiting_;
};

}  // namespace lbresolve::python
