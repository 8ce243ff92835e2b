#include <lbresolve/picker.hpp>

#include "io/pick_board.hpp"
#include "io/quick_random.hpp"

#include <utility>

namespace lbresolve {

picker::picker(std::shared_ptr<io::pick_board> board, std::uint64_t seed) : board_(std::move(board)), state_(seed) {}
picker::~picker() = default;

// A copy draws other numbers: two threads with one sequence would pick in step.
picker::picker(const picker& other)
    : board_(other.board_), plan_(other.plan_), version_(other.version_), state_(~other.state_ * 0xD1342543DE82EF95U) {}

picker& picker::operator=(const picker& other) {
  if (this != &other) *this = picker(other);
  return *this;
}

std::optional<endpoint> picker::pick() noexcept {
  if (board_->is_inherited()) return std::nullopt;
  board_->note_use();
  const std::uint64_t version = board_->version();
  if (version != version_) {
    plan_ = board_->plan();
    version_ = version;
  }
  if (!plan_) return std::nullopt;
  io::quick_random random(state_);
  const std::uint64_t turn = plan_->policy == policy::round_robin ? state_++ : 0;
  return io::pick_from(plan_->policy, plan_->head, plan_->choices, random, turn);
}

}  // namespace lbresolve
