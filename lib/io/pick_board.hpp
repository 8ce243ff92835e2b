// What pickers of one target pick from: a plan that the loop's thread renews and that they read without a lock.
#pragma once

#include "core/balance.hpp"
#include "core/random.hpp"

#include <lbresolve/endpoint.hpp>
#include <lbresolve/options.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace lbresolve::io {

/// What goes on at an endpoint, for all plans that have it.
using in_flight_count = std::atomic<std::uint32_t>;

/// Immutable once published, but for the counts it points to.
struct board_plan {
  std::vector<endpoint> members;                             ///< the equals among which the policy chooses
  std::vector<std::shared_ptr<const in_flight_count>> busy;  ///< by member
  lbresolve::policy policy = policy::balanced;
  core::pick_plan plan;
};

/// Thread-safe.
class pick_board {
 public:
  /// Changes with every plan; 0: there is none.
  std::uint64_t version() const noexcept { return version_.load(std::memory_order_acquire); }

  std::shared_ptr<const board_plan> plan() const {
    const std::lock_guard lock(mutex_);
    return plan_;
  }

  /// @param plan null: what was known has expired
  void publish(std::shared_ptr<const board_plan> plan) {
    const std::lock_guard lock(mutex_);
    plan_ = std::move(plan);
    version_.store(plan_ ? ++published_ : 0, std::memory_order_release);
  }

  /// A pick was made. Written only once between two looks, so that pickers do not fight for its cache line.
  void note_use() noexcept {
    if (!used_.load(std::memory_order_relaxed)) used_.store(true, std::memory_order_relaxed);
  }
  /// Whether one was made since the last call.
  bool take_use() noexcept { return used_.exchange(false, std::memory_order_relaxed); }

 private:
  mutable std::mutex mutex_;  // guards the next two
  std::shared_ptr<const board_plan> plan_;
  std::uint64_t published_ = 0;
  std::atomic<std::uint64_t> version_{0};
  std::atomic<bool> used_{true};  // written once a look, so that it may lie beside what every pick reads
};

/// A pick from a plan that is not empty. `turn` goes up by one with each pick of policy `round_robin`.
inline const endpoint& pick_from(const board_plan& p, core::random_source& random, std::uint64_t turn) {
  if (p.policy == policy::round_robin) return p.members[turn % p.members.size()];
  if (p.policy == policy::hash || p.policy == policy::in_order) return p.members.front();
  return p.members[p.plan.pick(random, [&](std::uint32_t i) { return p.busy[i]->load(std::memory_order_relaxed); })];
}

}  // namespace lbresolve::io
