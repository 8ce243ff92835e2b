#include "cli/time_axis.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace lbresolve::cli {
namespace {

/// The smallest of 1, 2, 5, 10, 20 ... times 0.01 ms that is at least `least`.
double round_step(double least) {
  double power = 0.01;
  while (10 * power < least) power *= 10;
  for (const double digit : {1.0, 2.0, 5.0}) {
    if (digit * power >= least) return digit * power;
  }
  return 10 * power;
}

}  // namespace

time_axis::time_axis(elapsed end, std::size_t columns, bool utf8)
    : end_(std::max(end, elapsed(1))), columns_(columns), utf8_(utf8) {}

std::size_t time_axis::column(elapsed at) const {
  const double part = static_cast<double>(std::clamp(at, elapsed(0), end_).count()) / static_cast<double>(end_.count());
  return static_cast<std::size_t>(part * static_cast<double>(columns_));
}

std::string time_axis::ticks() const {
  constexpr std::size_t room = 7;  // for a number and the space to the next one
  constexpr std::size_t unit = 3;  // " ms"
  const double end = std::chrono::duration<double, std::milli>(end_).count();
  const double step = round_step(end / std::max(1.0, static_cast<double>(columns_) / static_cast<double>(room)));
  std::string line;
  for (int i = 0; i * step <= end; ++i) {
    const auto at = std::chrono::duration_cast<elapsed>(std::chrono::duration<double, std::milli>(i * step));
    const std::string number = fmt::format("{:.6g}", i * step);
    const std::size_t where = column(at);
    if (where + number.size() + unit > columns_) break;
    line.append(where - std::min(where, line.size()), ' ');
    line += number;
  }
  return line + " ms";
}

std::string time_axis::bar(elapsed from, elapsed to, bool heavy) const {
  const std::size_t first = std::min(column(from), columns_ - 1);
  const auto last =
      static_cast<std::size_t>(std::ceil(static_cast<double>(std::clamp(to, elapsed(0), end_).count()) /
                                         static_cast<double>(end_.count()) * static_cast<double>(columns_)));
  const char* unit = utf8_ ? (heavy ? "\u2501" : "\u2500") : (heavy ? "=" : "-");
  std::string text(first, ' ');
  for (std::size_t i = first; i < std::max(last, first + 1); ++i) text += unit;
  return text;
}

}  // namespace lbresolve::cli
