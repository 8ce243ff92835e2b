#include "cli/tally.hpp"

#include "cli/exit_code.hpp"

#include <algorithm>
#include <cmath>

namespace lbresolve::cli {

void tally::success(const endpoint& with, elapsed took) {
  ++endpoints_[with];
  times_.push_back(took);
}

void tally::failure(const error& e) {
  ++failed_;
  ++errors_[to_string(kind_of(e))];
  if (!first_error_) first_error_ = e;
}

std::vector<std::pair<endpoint, std::size_t>> tally::endpoints() const {
  std::vector<std::pair<endpoint, std::size_t>> sorted(endpoints_.begin(), endpoints_.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  return sorted;
}

std::optional<elapsed> tally::percentile(double percent) const {
  if (times_.empty()) return std::nullopt;
  std::vector<elapsed> sorted = times_;
  std::sort(sorted.begin(), sorted.end());
  const double rank = std::ceil(percent / 100 * static_cast<double>(sorted.size()));
  return sorted[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

}  // namespace lbresolve::cli
