// What pickers of one target pick from: a plan that the loop's thread renews and that they read without a lock.
#pragma once

#include "core/balance.hpp"
#include "core/random.hpp"
#include "io/fork.hpp"
#include "io/in_flight_count.hpp"

#include <lbresolve/endpoint.hpp>
#include <lbresolve/options.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

namespace lbresolve::io {

/// One of the equals among which the policy chooses: a cache line, all that a pick looks at.
struct alignas(64) board_choice {
  core::pick_choice how;
  endpoint at;
  count_hold busy;  ///< what goes on there, for all plans that have it
};

/// Immutable once published, but for the counts it points to. With policies that weigh nothing the choices stand in
/// their turn; else as `head` says. There is at least one.
struct board_plan {
  lbresolve::policy policy = policy::balanced;
  core::pick_head head;
  std::vector<board_choice> choices;
};

/// `turn` goes up by one with each pick of policy `round_robin`.
inline const endpoint& pick_from(lbresolve::policy by, const core::pick_head& head,
                                 std::span<const board_choice> choices, core::random_source& random,
                                 std::uint64_t turn) {
  if (by == policy::round_robin) return choices[turn % choices.size()].at;
  if (by == policy::hash || by == policy::in_order) return choices.front().at;
  const auto at = [&](std::uint32_t i) -> const core::pick_choice& { return choices[i].how; };
  const auto in_flight = [&](std::uint32_t i) { return choices[i].busy->load(std::memory_order_relaxed); };
  return choices[core::pick(head, random, at, in_flight)].at;
}

/// Thread-safe.
class pick_board {
 public:
  /// In a forked child nobody renews its plan, and its lock may be locked for good.
  bool is_inherited() const noexcept { return born_.is_inherited(); }

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
  birthplace born_;
  std::atomic<std::uint64_t> version_{0};
  std::atomic<bool> used_{true};  // written once a look, so that it may lie beside what every pick reads
};

}  // namespace lbresolve::io
