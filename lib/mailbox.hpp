// Where a thread waits for what another one brings it.
#pragma once

#include <lbresolve/error.hpp>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

namespace lbresolve {

/// Holds the first thing put in. Thread-safe.
template <class T>
class mailbox {
 public:
  void put(result<T> value) {
    {
      const std::lock_guard lock(mutex_);
      if (!value_) value_.emplace(std::move(value));
    }
    arrived_.notify_one();
  }
  result<T> take() {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [this] { return value_.has_value(); });
    return std::move(*value_);
  }
  /// True: something has come within so long.
  bool wait(std::chrono::milliseconds at_most) {
    std::unique_lock lock(mutex_);
    return arrived_.wait_for(lock, at_most, [this] { return value_.has_value(); });
  }
  bool has_mail() {
    const std::lock_guard lock(mutex_);
    return value_.has_value();
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::optional<result<T>> value_;
};

}  // namespace lbresolve
