// Plans by the name of their target: for picks without a picker.
#pragma once

#include "core/hash_index.hpp"
#include "core/random.hpp"
#include "io/named_plan.hpp"

#include <array>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string_view>
#include <utility>

namespace lbresolve::io {

/// Picks share a lock, so none waits for another; only a new plan takes it for itself. Thread-safe.
class named_plans {
 public:
  std::optional<endpoint> pick(std::string_view name, core::random_source& random) {
    const std::size_t hash = hash_of(name);
    shard& s = shard_of(hash);
    const std::shared_lock lock(s.mutex);
    named_plan* const plan = s.plans.find(hash, is{name});
    if (plan == nullptr) return std::nullopt;
    return plan->pick(random);
  }

  /// @param plan none: forgotten
  void publish(std::string_view name, std::optional<board_plan> plan) {
    const std::size_t hash = hash_of(name);
    shard& s = shard_of(hash);
    named_plan::pointer fresh = plan ? named_plan::make(name, std::move(*plan)) : nullptr;
    named_plan::pointer old;  // destroyed after the lock
    const std::unique_lock lock(s.mutex);
    if (!fresh) {
      old = s.plans.take(hash, is{name});
      return;
    }
    if (const named_plan* const earlier = s.plans.find(hash, is{name})) fresh->follow(*earlier);
    old = s.plans.put(hash, std::move(fresh), is{name});
  }

  /// Whether a pick was made since the last call.
  bool take_use(std::string_view name) {
    const std::size_t hash = hash_of(name);
    shard& s = shard_of(hash);
    const std::shared_lock lock(s.mutex);
    named_plan* const plan = s.plans.find(hash, is{name});
    return plan != nullptr && plan->take_use();
  }

 private:
  struct is {
    std::string_view name;
    bool operator()(const named_plan& p) const noexcept {
      p.prefetch();
      return p.name() == name;
    }
  };
  struct alignas(64) shard {
    std::shared_mutex mutex;
    core::hash_index<named_plan::pointer> plans;
  };

  static std::size_t hash_of(std::string_view name) noexcept { return std::hash<std::string_view>()(name); }
  /// By the top bits: the tables go by the low ones.
  shard& shard_of(std::size_t hash) { return shards_[hash >> (8 * sizeof hash - 6)]; }

  std::array<shard, 64> shards_;
};

}  // namespace lbresolve::io
