// Random numbers for picks: quick, and good enough where nobody gains by guessing.
#pragma once

#include "core/random.hpp"

#include <cstdint>

namespace lbresolve::io {

/// splitmix64 (Steele, Lea and Flood 2014) on a state that lies elsewhere. One thread at a time.
class quick_random final : public core::random_source {
 public:
  explicit quick_random(std::uint64_t& state) : state_(state) {}
  std::uint64_t next() override {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t& state_;
};

/// This thread's own, seeded by the system.
quick_random& thread_quick_random();

}  // namespace lbresolve::io
