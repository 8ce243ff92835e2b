#include "cli/verdict.hpp"

#include "cli/output.hpp"
#include "cli/wakeup.hpp"

#include <fmt/format.h>

namespace lbresolve::cli {

void verdict::failed(const error& e) {
  complain(e.message());
  if (!first_) first_ = exit_code_of(e);
}

void verdict::failed(const error& first, std::size_t failures, std::size_t total) {
  complain(fmt::format("{} of {} failed, the first: {}", failures, total, first.message()));
  if (!first_) first_ = exit_code_of(first);
}

exit_code verdict::code() const {
  if (wakeup::interrupted()) return exit_code::interrupted;
  return first_.value_or(exit_code::ok);
}

}  // namespace lbresolve::cli
