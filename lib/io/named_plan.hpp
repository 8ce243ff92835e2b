// A plan and the name of its target in one piece of memory.
#pragma once

#include "io/pick_board.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace lbresolve::io {

/// Among a million names nearly every cache line that a pick reads comes from memory: so what it reads lies side by
/// side, in the order in which it is read. The choices stand behind the object, and the name behind them.
class alignas(64) named_plan {
 public:
  struct destroy {
    void operator()(named_plan* p) const noexcept;
  };
  using pointer = std::unique_ptr<named_plan, destroy>;

  static pointer make(std::string_view name, board_plan&& from);

  std::string_view name() const noexcept {
    return {reinterpret_cast<const char*>(this + 1) + count_ * sizeof(board_choice), name_size_};
  }
  std::span<const board_choice> choices() const noexcept {
    return {reinterpret_cast<const board_choice*>(this + 1), count_};
  }

  /// Asks for all of it at once, before its name has been compared: else one miss would wait for the other.
  void prefetch() const noexcept {
    constexpr std::size_t line = 64;
    constexpr std::size_t most_lines = 6;  // of a plan with four choices
    for (std::size_t i = 0; i < most_lines; ++i)
      __builtin_prefetch(reinterpret_cast<const std::byte*>(this) + i * line);
  }

  endpoint pick(core::random_source& random) noexcept {
    if (!used_.load(std::memory_order_relaxed)) used_.store(true, std::memory_order_relaxed);
    const bool in_turn = policy_ == policy::round_robin;
    return pick_from(policy_, head_, choices(), random, in_turn ? turn_.fetch_add(1, std::memory_order_relaxed) : 0);
  }

  /// Whether a pick was made since the last call.
  bool take_use() noexcept { return used_.exchange(false, std::memory_order_relaxed); }

  /// Goes on where an earlier plan of the same name has come to.
  void follow(const named_plan& earlier) noexcept {
    used_.store(earlier.used_.load(std::memory_order_relaxed), std::memory_order_relaxed);
    turn_.store(earlier.turn_.load(std::memory_order_relaxed), std::memory_order_relaxed);
  }

 private:
  named_plan(const board_plan& from, std::size_t name_size) noexcept
      : head_(from.head), count_(from.choices.size()), name_size_(name_size), policy_(from.policy) {}
  ~named_plan() = default;

  core::pick_head head_;
  std::size_t count_;
  std::size_t name_size_;
  std::atomic<std::uint64_t> turn_{0};
  lbresolve::policy policy_;
  std::atomic<bool> used_{true};
};

}  // namespace lbresolve::io
