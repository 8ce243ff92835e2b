// Plans by the name of their target: for picks without a picker.
#pragma once

#include "core/random.hpp"
#include "io/lasting_memory.hpp"
#include "io/named_plan.hpp"

#include <atomic>
#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

namespace lbresolve::io {

/// A pick finds its plan without a lock. Only what it does not find, or finds being written, is looked for again behind
/// the writers' lock; so what it may miss there (a table that grows, a plan that moves up) costs time and no more.
///
/// Open addressing with linear probing over pointers to the plans, hashes beside them: a hit in a large table waits for
/// memory three times in a row, for the slot, the plan, and the counts of two members.
/// Memory for plans and tables is used again, and given back when all of this goes: see named_plan.
/// Thread-safe, but for the end.
class named_plans {
 public:
  named_plans() = default;
  ~named_plans();
  named_plans(const named_plans&) = delete;
  named_plans& operator=(const named_plans&) = delete;

  std::optional<endpoint> pick(std::string_view name, core::random_source& random) {
    const std::size_t hash = hash_of(name);
    if (const table* const t = table_.load(std::memory_order_acquire))
      if (const auto picked = pick_from(*t, hash, name, random)) return picked;
    return pick_behind_lock(hash, name, random);
  }

  /// @param plan none: forgotten
  void publish(std::string_view name, std::optional<board_plan> plan);

  /// Whether a pick was made since the last call.
  bool take_use(std::string_view name);

 private:
  struct slot {
    std::atomic<std::size_t> hash;
    std::atomic<named_plan*> plan;  // null: free
  };
  struct table {
    slot* slots;
    std::size_t mask;  // their number is a power of two

    std::size_t next(std::size_t i) const noexcept { return (i + 1) & mask; }
    void put(std::size_t i, std::size_t hash, named_plan* plan) noexcept {
      slots[i].hash.store(hash, std::memory_order_relaxed);
      slots[i].plan.store(plan, std::memory_order_release);
    }
  };

  static std::size_t hash_of(std::string_view name) noexcept;
  static std::optional<endpoint> pick_from(const table& t, std::size_t hash, std::string_view name,
                                           core::random_source& random) noexcept;
  std::optional<endpoint> pick_behind_lock(std::size_t hash, std::string_view name, core::random_source& random);

  // Behind the lock:
  const table* current() const noexcept { return table_.load(std::memory_order_relaxed); }
  /// Where the plan of `name` stands, or would.
  static std::size_t place_of(const table& t, std::size_t hash, std::string_view name) noexcept;
  void write(std::size_t hash, std::string_view name, board_plan&& plan);
  void forget(std::size_t hash, std::string_view name);
  named_plan* make(named_plan::room room);
  void retire(named_plan* plan);
  void grow();

  std::atomic<table*> table_{nullptr};
  std::mutex mutex_;  // guards the rest, and all writing
  std::size_t size_ = 0;
  lasting_memory memory_;
  std::map<named_plan::room, std::vector<named_plan*>> unused_;
};

}  // namespace lbresolve::io
