// Randomness as an argument. Only io/ and tests make some.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace lbresolve::core {

/// Where random bits come from. Thread-safety: one thread at a time, unless the implementation says more.
class random_source {
 public:
  virtual ~random_source() = default;

  /// 64 uniform bits.
  virtual std::uint64_t next() = 0;

  /// Uniform in [0, bound), without modulo bias; 0 for bound 0. Bounded work: the expected number of draws is under 2.
  std::uint64_t below(std::uint64_t bound) {
    if (bound <= 1) return 0;
    const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
    std::uint64_t draw = next();
    while (draw >= limit) draw = next();
    return draw % bound;
  }

  /// Uniform in [0, 1).
  double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
};

/// Fisher-Yates over [first, last): every order equally likely.
template <class RandomIt>
void shuffle(RandomIt first, RandomIt last, random_source& random) {
  for (auto n = last - first; n > 1; --n) {
    const auto k = static_cast<decltype(n)>(random.below(static_cast<std::uint64_t>(n)));
    using std::swap;
    swap(first[n - 1], first[k]);
  }
}

}  // namespace lbresolve::core
