#include "io/failure_queue.hpp"

namespace lbresolve::io {

void failure_queue::add(std::uint64_t exchange, const error& why) {
  failures_.emplace_back(exchange, why);
  later_.set(core::time_point{});  // due: told in the loop's next round, or at the end of this one
}

void failure_queue::erase(std::uint64_t exchange) {
  std::erase_if(failures_, [&](const auto& f) { return f.first == exchange; });
}

void failure_queue::clear() noexcept {
  failures_.clear();
  later_.clear();
}

void failure_queue::on_timer() {
  const auto held = owner_.hold();
  // Those told now; what fails meanwhile waits its turn.
  for (auto left = failures_.size(); left > 0 && !failures_.empty(); --left) {
    const auto [exchange, why] = std::move(failures_.front());
    failures_.pop_front();
    events_.on_error(exchange, why);
  }
}

}  // namespace lbresolve::io
