#include "core/endpoint_table.hpp"

namespace lbresolve::core {

endpoint_record* endpoint_table::find(const endpoint& e) noexcept {
  const auto at = index_.find({network_, e});
  return at == index_.end() ? nullptr : &slots_[at->second].record;
}

const endpoint_record* endpoint_table::find(const endpoint& e) const noexcept {
  const auto at = index_.find({network_, e});
  return at == index_.end() ? nullptr : &slots_[at->second].record;
}

endpoint_record& endpoint_table::at(const endpoint& e, time_point now) {
  if (endpoint_record* known = find(e)) {
    if (is_over(*known, now)) *known = {.at = e, .changed = known->changed};
    known->visited = true;
    return *known;
  }
  const std::size_t i = free_slot(now);
  slots_[i] = {.network = network_, .taken = true, .record = {.at = e}};
  index_.emplace(key{network_, e}, i);
  return slots_[i].record;
}

// A new slot while there is room; then a hand goes round and takes what nobody asked for since it last came by, or
// what is too old to say anything. Nothing is taken while something goes on there.
std::size_t endpoint_table::free_slot(time_point now) {
  if (slots_.size() < most_) {
    slots_.emplace_back();
    return slots_.size() - 1;
  }
  for (std::size_t steps = 0;; ++steps) {
    const std::size_t i = hand_;
    hand_ = (hand_ + 1) % slots_.size();
    endpoint_record& r = slots_[i].record;
    const bool old = r.last_used == time_point::min() || now - r.last_used >= forget_after;
    const bool busy = r.health.in_flight() > 0 && steps < slots_.size() * 2;
    if (busy || (r.visited && !old && steps < slots_.size())) {
      r.visited = false;
      continue;
    }
    index_.erase({slots_[i].network, r.at});
    return i;
  }
}

void endpoint_table::use_network(std::uint64_t network) noexcept {
  for_each([](endpoint_record& r) {
    r.health.on_all_ended();
    r.probing = false;
    r.probe_due = never;
  });
  network_ = network;
}

void endpoint_table::clear() noexcept {
  index_.clear();
  slots_.clear();
  hand_ = 0;
}

}  // namespace lbresolve::core
