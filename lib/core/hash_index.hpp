// Finds things by a hash that the caller computes: for lookups whose nanoseconds count.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace lbresolve::core {

/// Open addressing with linear probing over the pointers to the things. Hashes stand beside the pointers, so that a hit
/// in a large table costs two cache misses (slot, thing) where std::unordered_map costs three or more.
/// @tparam Held a pointer, owning or not
/// Thread-safety: as a standard container.
template <class Held>
class hash_index {
 public:
  std::size_t size() const noexcept { return size_; }

  /// The one that `is(*held)` is true of, or null.
  template <class Is>
  auto find(std::size_t hash, Is&& is) const noexcept -> decltype(&**static_cast<const Held*>(nullptr)) {
    if (size_ == 0) return nullptr;
    const Held& held = slots_[place_of(hash, is)].held;
    return held ? &*held : nullptr;
  }

  /// Takes the place of the one that `is(*held)` is true of, which comes back; null where there was none.
  template <class Is>
  Held put(std::size_t hash, Held held, Is&& is) {
    if (size_ + size_ / 2 >= slots_.size()) grow();  // at most two thirds full
    slot& s = slots_[place_of(hash, is)];
    size_ += s.held ? 0U : 1U;
    s.hash = hash;
    return std::exchange(s.held, std::move(held));
  }

  /// Takes out the one that `is(*held)` is true of; null where there is none.
  template <class Is>
  Held take(std::size_t hash, Is&& is) noexcept {
    if (size_ == 0) return nullptr;
    std::size_t hole = place_of(hash, is);
    Held taken = std::exchange(slots_[hole].held, nullptr);
    if (!taken) return nullptr;
    --size_;
    // What lies behind moves up where that brings it nearer to its own place (Knuth 6.4, algorithm R): no tombstones.
    for (std::size_t i = next(hole); slots_[i].held; i = next(i)) {
      const std::size_t home = slots_[i].hash & mask();
      if (((i - home) & mask()) < ((i - hole) & mask())) continue;
      slots_[hole] = {slots_[i].hash, std::exchange(slots_[i].held, nullptr)};
      hole = i;
    }
    return taken;
  }

  void clear() noexcept {
    slots_.clear();
    size_ = 0;
  }

 private:
  struct slot {
    std::size_t hash = 0;
    Held held{};
  };

  std::size_t mask() const noexcept { return slots_.size() - 1; }
  std::size_t next(std::size_t i) const noexcept { return (i + 1) & mask(); }

  /// Where it is, or where it would go.
  template <class Is>
  std::size_t place_of(std::size_t hash, Is&& is) const noexcept {
    std::size_t i = hash & mask();
    while (slots_[i].held && (slots_[i].hash != hash || !is(*slots_[i].held))) i = next(i);
    return i;
  }

  void grow() {
    std::vector<slot> old(slots_.empty() ? 8 : 2 * slots_.size());
    old.swap(slots_);
    for (slot& s : old) {
      if (!s.held) continue;
      std::size_t i = s.hash & mask();
      while (slots_[i].held) i = next(i);
      slots_[i] = std::move(s);
    }
  }

  std::vector<slot> slots_;  // none, or a power of two
  std::size_t size_ = 0;
};

}  // namespace lbresolve::core
