// Plans by the name of their target: for picks without a picker.
#pragma once

#include "core/random.hpp"
#include "io/pick_board.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace lbresolve::io {

/// Picks share a lock, so none waits for another; only a new plan takes it for itself. Thread-safe.
class named_plans {
 public:
  std::optional<endpoint> pick(std::string_view name, core::random_source& random) {
    shard& s = shard_of(name);
    const std::shared_lock lock(s.mutex);
    const auto at = s.plans.find(name);
    if (at == s.plans.end()) return std::nullopt;
    entry& e = *at->second;
    if (!e.used.load(std::memory_order_relaxed)) e.used.store(true, std::memory_order_relaxed);
    const bool in_turn = e.plan->policy == policy::round_robin;
    return pick_from(*e.plan, random, in_turn ? e.turn.fetch_add(1, std::memory_order_relaxed) : 0);
  }

  /// @param plan null: forgotten
  void publish(const std::string& name, std::shared_ptr<const board_plan> plan) {
    shard& s = shard_of(name);
    std::unique_ptr<entry> old;  // destroyed after the lock
    const std::unique_lock lock(s.mutex);
    const auto at = s.plans.find(name);
    if (!plan) {
      if (at == s.plans.end()) return;
      old = std::move(at->second);
      s.plans.erase(at);
    } else if (at != s.plans.end()) {
      at->second->plan.swap(plan);
    } else {
      s.plans.emplace(name, std::make_unique<entry>(std::move(plan)));
    }
  }

  /// Whether a pick was made since the last call.
  bool take_use(const std::string& name) {
    shard& s = shard_of(name);
    const std::shared_lock lock(s.mutex);
    const auto at = s.plans.find(name);
    return at != s.plans.end() && at->second->used.exchange(false, std::memory_order_relaxed);
  }

 private:
  struct entry {
    explicit entry(std::shared_ptr<const board_plan> p) : plan(std::move(p)) {}
    std::shared_ptr<const board_plan> plan;  // never null
    std::atomic<bool> used{true};
    std::atomic<std::uint64_t> turn{0};
  };
  struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>()(text); }
  };
  struct alignas(64) shard {
    std::shared_mutex mutex;
    std::unordered_map<std::string, std::unique_ptr<entry>, text_hash, std::equal_to<>> plans;
  };

  shard& shard_of(std::string_view name) { return shards_[text_hash()(name) >> 58]; }

  std::array<shard, 64> shards_;
};

}  // namespace lbresolve::io
