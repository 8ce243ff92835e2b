// Who wants to be woken when. One entry a key.
#pragma once

#include "core/time.hpp"

#include <map>
#include <optional>

namespace lbresolve::core {

/// The wake-up times of many things. Each thing keeps the handle of its own entry; setting a later time than all
/// others, the usual case, costs no search.
/// Thread-safety: one thread at a time.
template <class Key>
class deadlines {
  using map = std::multimap<time_point, Key>;

 public:
  /// One thing's entry, or none. Must be cleared before the thing goes.
  using handle = std::optional<typename map::iterator>;

  void set(handle& h, time_point at, const Key& key) {
    if (h && (*h)->first == at) return;
    clear(h);
    if (at != never) h = entries_.emplace_hint(entries_.end(), at, key);
  }

  void clear(handle& h) {
    if (h) entries_.erase(*h);
    h.reset();
  }

  time_point earliest() const { return entries_.empty() ? never : entries_.begin()->first; }

  /// The key of the earliest entry that is due; the entry stays until its thing sets or clears it.
  std::optional<Key> due(time_point now) const {
    if (entries_.empty() || entries_.begin()->first > now) return std::nullopt;
    return entries_.begin()->second;
  }

 private:
  map entries_;
};

}  // namespace lbresolve::core
