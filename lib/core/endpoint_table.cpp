#include "core/endpoint_table.hpp"

namespace lbresolve::core {

endpoint_record* endpoint_table::find(const endpoint& e) noexcept {
  slot* const found = index_.find(hash_of(network_, e), is(network_, e));
  return found == nullptr ? nullptr : &found->record;
}

const endpoint_record* endpoint_table::find(const endpoint& e) const noexcept {
  const slot* const found = index_.find(hash_of(network_, e), is(network_, e));
  return found == nullptr ? nullptr : &found->record;
}

endpoint_record& endpoint_table::at(const endpoint& e, time_point now) {
  if (endpoint_record* known = find(e)) {
    if (is_over(*known, now)) *known = {.at = e, .changed = known->changed};
    known->visited = true;
    return *known;
  }
  slot& s = free_slot(now);
  s = {.network = network_, .taken = true, .record = {.at = e}};
  index_.put(hash_of(network_, e), &s, is(network_, e));
  return s.record;
}

// A new slot while there is room; then a hand goes round and takes what nobody asked for since it last came by, or
// what is too old to say anything. Nothing is taken while something goes on there.
endpoint_table::slot& endpoint_table::free_slot(time_point now) {
  if (slots_.size() < most_) {
    return slots_.emplace_back();
  }
  for (std::size_t steps = 0;; ++steps) {
    slot& s = slots_[hand_];
    hand_ = (hand_ + 1) % slots_.size();
    endpoint_record& r = s.record;
    const bool old = r.last_used == time_point::min() || now - r.last_used >= forget_after;
    const bool busy = r.health.in_flight() > 0 && steps < slots_.size() * 2;
    if (busy || (r.visited && !old && steps < slots_.size())) {
      r.visited = false;
      continue;
    }
    index_.take(hash_of(s.network, r.at), is(s.network, r.at));
    return s;
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
