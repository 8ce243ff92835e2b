// How many requests and attempts are under way at an endpoint, where pickers can read it.
#pragma once

#include "io/pages.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace lbresolve::io {

using in_flight_count = std::atomic<std::uint32_t>;

namespace detail {

/// Counts lie close together: those of the members of one name were made one after the other, and a pick compares two
/// of them. A chunk goes when the pool has gone and nobody holds a count of it.
struct count_chunk {
  static constexpr std::size_t size = huge_page / (2 * sizeof(in_flight_count)) - 1;
  std::atomic<std::uint32_t> held;  ///< counts that somebody holds, and the pool
  std::array<in_flight_count, size> counts;
  std::array<std::atomic<std::uint32_t>, size> holders;

  /// At the border of a huge page.
  static count_chunk* make(bool huge);
  static count_chunk* of(in_flight_count* c) noexcept {
    return reinterpret_cast<count_chunk*>(reinterpret_cast<std::byte*>(c) -
                                          reinterpret_cast<std::uintptr_t>(c) % huge_page);
  }
  void let_go() noexcept;
};

}  // namespace detail

/// A hold on one count, of pointer size. Copies share it. Thread-safety: as std::shared_ptr.
class count_hold {
 public:
  count_hold() = default;
  count_hold(const count_hold& other) noexcept : count_(other.count_) {
    if (count_ != nullptr) holders(count_).fetch_add(1, std::memory_order_relaxed);
  }
  count_hold(count_hold&& other) noexcept : count_(std::exchange(other.count_, nullptr)) {}
  count_hold& operator=(count_hold other) noexcept {
    std::swap(count_, other.count_);
    return *this;
  }
  ~count_hold() {
    if (count_ != nullptr && holders(count_).fetch_sub(1, std::memory_order_acq_rel) == 1)
      detail::count_chunk::of(count_)->let_go();
  }

  in_flight_count& operator*() const noexcept { return *count_; }
  in_flight_count* operator->() const noexcept { return count_; }
  explicit operator bool() const noexcept { return count_ != nullptr; }

  /// Whether nobody else holds it.
  bool is_last() const noexcept { return holders(count_).load(std::memory_order_acquire) == 1; }

  /// The hold goes to whoever keeps the pointer, and comes back by adopt().
  [[nodiscard]] in_flight_count* release() noexcept { return std::exchange(count_, nullptr); }
  static count_hold adopt(in_flight_count* count) noexcept {
    count_hold h;
    h.count_ = count;
    return h;
  }

 private:
  static std::atomic<std::uint32_t>& holders(in_flight_count* c) noexcept {
    detail::count_chunk& chunk = *detail::count_chunk::of(c);
    return chunk.holders[static_cast<std::size_t>(c - chunk.counts.data())];
  }

  in_flight_count* count_ = nullptr;
};

/// Where counts come from. Their memory stays readable as long as the pool does, held or not: for readers without a
/// lock. Thread-safety: one thread at a time; holds may go on any thread, and may outlive the pool.
class in_flight_counts {
 public:
  in_flight_counts() = default;
  ~in_flight_counts();
  in_flight_counts(const in_flight_counts&) = delete;
  in_flight_counts& operator=(const in_flight_counts&) = delete;

  /// One that nobody holds. @throws std::bad_alloc
  count_hold make(std::uint32_t value);

  /// Many may have been let go: looks for them again before it takes more memory.
  void look_again() noexcept { chunk_ = place_ = 0; }

 private:
  std::vector<detail::count_chunk*> chunks_;
  std::size_t chunk_ = 0;  // where the next free one is looked for
  std::size_t place_ = 0;
};

}  // namespace lbresolve::io
