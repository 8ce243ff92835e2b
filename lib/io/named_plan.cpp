#include "io/named_plan.hpp"

#include <cstring>
#include <memory>
#include <new>
#include <utility>

namespace lbresolve::io {

namespace {

constexpr std::align_val_t alignment{alignof(named_plan)};

}  // namespace

named_plan::pointer named_plan::make(std::string_view name, board_plan&& from) {
  static_assert(sizeof(named_plan) % alignof(board_choice) == 0 && alignof(named_plan) >= alignof(board_choice));
  const std::size_t bytes = sizeof(named_plan) + from.choices.size() * sizeof(board_choice) + name.size();
  void* const memory = ::operator new(bytes, alignment);
  pointer made(new (memory) named_plan(from, name.size()));
  auto* const choices = reinterpret_cast<board_choice*>(made.get() + 1);
  std::uninitialized_move(from.choices.begin(), from.choices.end(), choices);  // does not throw
  std::memcpy(reinterpret_cast<char*>(choices + from.choices.size()), name.data(), name.size());
  return made;
}

void named_plan::destroy::operator()(named_plan* p) const noexcept {
  std::destroy_n(reinterpret_cast<board_choice*>(p + 1), p->count_);
  p->~named_plan();
  ::operator delete(p, alignment);
}

}  // namespace lbresolve::io
