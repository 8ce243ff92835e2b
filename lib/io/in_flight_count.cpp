#include "io/in_flight_count.hpp"

namespace lbresolve::io {

namespace detail {

// The zeroes of fresh pages are what all of it begins with: constructing it would write them again, and so take up all
// 2 MiB for a handful of counts.
count_chunk* count_chunk::make(bool huge) {
  static_assert(sizeof(count_chunk) <= huge_page && std::atomic<std::uint32_t>::is_always_lock_free);
  auto* const made = static_cast<count_chunk*>(map_pages(huge_page, huge));
  made->held.store(1, std::memory_order_relaxed);
  return made;
}

void count_chunk::let_go() noexcept {
  if (held.fetch_sub(1, std::memory_order_acq_rel) == 1) unmap_pages(this, huge_page);
}

}  // namespace detail

in_flight_counts::~in_flight_counts() {
  for (detail::count_chunk* c : chunks_) c->let_go();
}

count_hold in_flight_counts::make(std::uint32_t value) {
  for (;; ++chunk_, place_ = 0) {
    if (chunk_ == chunks_.size()) {
      chunks_.reserve(chunks_.size() + 1);
      chunks_.push_back(detail::count_chunk::make(!chunks_.empty()));
    }
    detail::count_chunk& chunk = *chunks_[chunk_];
    while (place_ < chunk.size) {
      const std::size_t i = place_++;
      if (chunk.holders[i].load(std::memory_order_acquire) != 0) continue;
      chunk.counts[i].store(value, std::memory_order_relaxed);
      chunk.holders[i].store(1, std::memory_order_relaxed);
      chunk.held.fetch_add(1, std::memory_order_relaxed);
      return count_hold::adopt(&chunk.counts[i]);
    }
  }
}

}  // namespace lbresolve::io
