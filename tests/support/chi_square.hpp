// Is this uniform? Pearson's chi-square test.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>

namespace lbresolve::test {

/// The probability that uniform draws are at least as uneven as `counts`, by the Wilson-Hilferty approximation, which
/// is good to a few per cent from 30 cells on.
inline double uniform_p(std::span<const std::size_t> counts) {
  double total = 0;
  for (const auto n : counts) total += static_cast<double>(n);
  const auto cells = static_cast<double>(counts.size());
  const double expected = total / cells;
  double chi_square = 0;
  for (const auto n : counts) {
    const double off = static_cast<double>(n) - expected;
    chi_square += off * off / expected;
  }
  const double freedom = cells - 1;
  const double spread = 2 / (9 * freedom);
  const double z = (std::cbrt(chi_square / freedom) - (1 - spread)) / std::sqrt(spread);
  return std::erfc(z / std::sqrt(2.0)) / 2;
}

}  // namespace lbresolve::test
