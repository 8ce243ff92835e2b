// What is to happen, in order of time; of one instant, in the order it was asked for.
#pragma once

#include "core/time.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace lbresolve::fleet {

using core::duration;
using core::time_point;

/// What an event is about is for its kind to say: a client, a connect, a request. Plain numbers, so that millions of
/// them fit a heap.
struct event {
  enum class kind : std::uint8_t {
    arrival,
    attempt_ends,
    delay_over,
    deadline,
    request_arrives,
    response,
    probe,
    probe_ends
  };
  time_point at{};
  std::uint64_t number = 0;  ///< set by the queue
  kind what = kind::arrival;
  std::uint8_t slot = 0;
  std::uint32_t who = 0;
  std::uint32_t generation = 0;
};

/// A binary heap. Events come out by time, then in the order they were put in: a run depends on its seed alone.
class event_queue {
 public:
  void push(event e) {
    e.number = ++last_;
    heap_.push_back(e);
    std::push_heap(heap_.begin(), heap_.end(), later);
  }
  bool empty() const noexcept { return heap_.empty(); }
  const event& top() const noexcept { return heap_.front(); }
  event pop() {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    const event e = heap_.back();
    heap_.pop_back();
    return e;
  }

 private:
  static bool later(const event& a, const event& b) noexcept {
    return a.at != b.at ? a.at > b.at : a.number > b.number;
  }
  std::vector<event> heap_;
  std::uint64_t last_ = 0;
};

}  // namespace lbresolve::fleet
