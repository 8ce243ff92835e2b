#include "io/named_plans.hpp"

#include <functional>
#include <new>
#include <utility>

namespace lbresolve::io {

named_plans::~named_plans() {
  const table* const t = current();
  if (t == nullptr) return;
  for (std::size_t i = 0; i <= t->mask; ++i)
    if (named_plan* const plan = t->slots[i].plan.load(std::memory_order_relaxed)) plan->clear();
}

std::size_t named_plans::hash_of(std::string_view name) noexcept { return std::hash<std::string_view>()(name); }

std::optional<endpoint> named_plans::pick_from(const table& t, std::size_t hash, std::string_view name,
                                               core::random_source& random) noexcept {
  // Bounded, because plans move while it looks: a free slot need not come by.
  constexpr int most_steps = 64;
  std::size_t i = hash & t.mask;
  for (int step = 0; step < most_steps; ++step, i = t.next(i)) {
    named_plan* const plan = t.slots[i].plan.load(std::memory_order_acquire);
    if (plan == nullptr) return std::nullopt;
    if (t.slots[i].hash.load(std::memory_order_relaxed) != hash) continue;
    plan->prefetch();
    std::optional<endpoint> picked(std::in_place);
    const named_plan::reading how = plan->pick(name, random, *picked);
    if (how == named_plan::reading::picked) return picked;
    if (how == named_plan::reading::disturbed) return std::nullopt;
  }
  return std::nullopt;
}

std::optional<endpoint> named_plans::pick_behind_lock(std::size_t hash, std::string_view name,
                                                      core::random_source& random) {
  const std::lock_guard lock(mutex_);
  const table* const t = current();
  if (t == nullptr) return std::nullopt;
  named_plan* const plan = t->slots[place_of(*t, hash, name)].plan.load(std::memory_order_relaxed);
  endpoint picked;
  if (plan == nullptr || plan->pick(name, random, picked) != named_plan::reading::picked) return std::nullopt;
  return picked;
}

bool named_plans::take_use(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const table* const t = current();
  if (t == nullptr) return false;
  named_plan* const plan = t->slots[place_of(*t, hash_of(name), name)].plan.load(std::memory_order_relaxed);
  return plan != nullptr && plan->take_use();
}

void named_plans::publish(std::string_view name, std::optional<board_plan> plan) {
  const std::size_t hash = hash_of(name);
  const std::lock_guard lock(mutex_);
  if (plan)
    write(hash, name, std::move(*plan));
  else
    forget(hash, name);
}

// ---- Behind the lock ----------------------------------------------------------------------------------------------

std::size_t named_plans::place_of(const table& t, std::size_t hash, std::string_view name) noexcept {
  for (std::size_t i = hash & t.mask;; i = t.next(i)) {
    const named_plan* const plan = t.slots[i].plan.load(std::memory_order_relaxed);
    if (plan == nullptr) return i;
    if (t.slots[i].hash.load(std::memory_order_relaxed) == hash && plan->is_called(name)) return i;
  }
}

void named_plans::write(std::size_t hash, std::string_view name, board_plan&& plan) {
  if (current() == nullptr || size_ + size_ / 2 >= current()->mask) grow();  // at most two thirds full
  table& t = *table_.load(std::memory_order_relaxed);
  const std::size_t i = place_of(t, hash, name);
  named_plan* const earlier = t.slots[i].plan.load(std::memory_order_relaxed);
  const named_plan::room room = named_plan::room_for(name, plan);
  if (earlier != nullptr && earlier->has() == room) return earlier->write(name, std::move(plan));
  named_plan* const fresh = make(room);
  if (earlier != nullptr) fresh->follow(*earlier);
  fresh->write(name, std::move(plan));
  t.put(i, hash, fresh);
  if (earlier != nullptr)
    retire(earlier);
  else
    ++size_;
}

void named_plans::forget(std::size_t hash, std::string_view name) {
  table* const t = table_.load(std::memory_order_relaxed);
  if (t == nullptr) return;
  std::size_t hole = place_of(*t, hash, name);
  named_plan* const plan = t->slots[hole].plan.load(std::memory_order_relaxed);
  if (plan == nullptr) return;
  // What lies behind moves up where that brings it nearer to its own place (Knuth 6.4, algorithm R): no tombstones.
  for (std::size_t i = t->next(hole);; i = t->next(i)) {
    named_plan* const moved = t->slots[i].plan.load(std::memory_order_relaxed);
    if (moved == nullptr) break;
    const std::size_t its_hash = t->slots[i].hash.load(std::memory_order_relaxed);
    const std::size_t home = its_hash & t->mask;
    if (((i - home) & t->mask) < ((i - hole) & t->mask)) continue;
    t->put(hole, its_hash, moved);
    hole = i;
  }
  t->put(hole, 0, nullptr);
  --size_;
  retire(plan);
}

named_plan* named_plans::make(named_plan::room room) {
  std::vector<named_plan*>& unused = unused_[room];
  if (unused.empty()) return named_plan::make(memory_.take(named_plan::bytes_of(room)), room);
  named_plan* const plan = unused.back();
  unused.pop_back();
  return plan;
}

void named_plans::retire(named_plan* plan) {
  plan->clear();
  unused_[plan->has()].push_back(plan);
}

// Who reads the table of before finds what was in it. It is not used again: half of all tables' memory, at most.
void named_plans::grow() {
  const table* const old = current();
  constexpr std::size_t least = 8;
  const std::size_t count = old == nullptr ? least : 2 * (old->mask + 1);
  auto* const slots = reinterpret_cast<slot*>(memory_.take(count * sizeof(slot)));
  for (std::size_t i = 0; i < count; ++i) new (slots + i) slot{};
  auto* const grown = new (memory_.take(sizeof(table))) table{slots, count - 1};
  for (std::size_t i = 0; old != nullptr && i <= old->mask; ++i) {
    named_plan* const plan = old->slots[i].plan.load(std::memory_order_relaxed);
    if (plan == nullptr) continue;
    const std::size_t hash = old->slots[i].hash.load(std::memory_order_relaxed);
    std::size_t to = hash & grown->mask;
    while (grown->slots[to].plan.load(std::memory_order_relaxed) != nullptr) to = grown->next(to);
    grown->put(to, hash, plan);
  }
  table_.store(grown, std::memory_order_release);
}

}  // namespace lbresolve::io
