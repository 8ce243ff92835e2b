// Numbers drawn from distributions.
#pragma once

#include "core/random.hpp"
#include "core/time.hpp"

#include <cmath>
#include <numbers>

namespace lbresolve::fleet {

inline core::duration scaled(core::duration d, double factor) {
  return core::duration{static_cast<core::duration::rep>(static_cast<double>(d.count()) * factor)};
}

inline bool chance(double probability, core::random_source& random) {
  return probability > 0 && random.unit() < probability;
}

/// The time to the next of events that are independent of one another (a Poisson process).
inline core::duration exponential(core::duration mean, core::random_source& random) {
  return scaled(mean, -std::log1p(-random.unit()));
}

/// Around 1, by factors: e^(sigma * N(0,1)).
inline double lognormal(double sigma, core::random_source& random) {
  if (sigma <= 0) return 1;
  const double radius = std::sqrt(-2 * std::log1p(-random.unit()));  // Box and Muller
  return std::exp(sigma * radius * std::cos(2 * std::numbers::pi * random.unit()));
}

}  // namespace lbresolve::fleet
