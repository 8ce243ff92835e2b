// The cache, for the loop's thread and for callers' threads.
#pragma once

#include "core/answer_store.hpp"
#include "core/cache.hpp"

#include <memory>
#include <mutex>
#include <optional>

namespace lbresolve::io {

/// A core::cache behind a lock. Thread-safe.
class shared_cache final : public core::answer_store {
 public:
  shared_cache(const cache_options& settings, std::uint64_t hash_seed) : cache_(settings, hash_seed) {}

  std::optional<core::cache::hit> find(const core::question& q, core::time_point now, bool stale_too) override {
    const std::lock_guard lock(mutex_);
    return cache_.find(q, now, stale_too);
  }
  void store(const core::question& q, std::shared_ptr<const core::answer> what, core::time_point now) override {
    const std::lock_guard lock(mutex_);
    cache_.store(q, std::move(what), now);
  }
  void ask_again(const core::question& q, core::time_point now) override {
    const std::lock_guard lock(mutex_);
    cache_.ask_again(q, now);
  }
  void on_stale_used(const core::question& q, core::time_point now) override {
    const std::lock_guard lock(mutex_);
    cache_.on_stale_used(q, now);
  }
  void forget_failures() {
    const std::lock_guard lock(mutex_);
    cache_.forget_failures();
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    cache_.clear();
  }

 private:
  std::mutex mutex_;
  core::cache cache_;
};

}  // namespace lbresolve::io
