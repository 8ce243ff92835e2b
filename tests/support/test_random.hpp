// Seeded randomness for tests: the same seed replays the same run.
#pragma once

#include "core/random.hpp"

#include <cstdint>

namespace lbresolve::test {

/// splitmix64 (Steele, Lea and Flood 2014): small, uniform, and good enough for chi-square tests.
class test_random final : public core::random_source {
 public:
  explicit test_random(std::uint64_t seed = 1) : state_(seed) {}
  std::uint64_t next() override {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t state_;
};

}  // namespace lbresolve::test
