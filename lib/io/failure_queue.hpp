// Failures that must not be told inside the call that caused them.
#pragma once

#include "io/event_loop.hpp"
#include "io/holder.hpp"
#include "io/transport.hpp"

#include <lbresolve/error.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>

namespace lbresolve::io {

/// Keeps them, and tells them from the event loop, in their order.
class failure_queue final : event_loop::timer_handler {
 public:
  /// `loop`, `owner` and `events` must outlive this, the last one until clear() is called for good.
  failure_queue(event_loop& loop, holder& owner, transport_events& events)
      : owner_(owner), events_(events), later_(loop, *this) {}

  void add(std::uint64_t exchange, const error& why);
  void erase(std::uint64_t exchange);
  void clear() noexcept;
  std::size_t size() const noexcept { return failures_.size(); }

 private:
  void on_timer() override;

  holder& owner_;
  transport_events& events_;
  std::deque<std::pair<std::uint64_t, error>> failures_;
  event_loop::timer later_;
};

}  // namespace lbresolve::io
