// The order of SRV records of one priority (RFC 2782).
#pragma once

#include "core/random.hpp"

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>

namespace lbresolve::core {

/// RFC 2782: a weight of 0 is for records "for which there is no need of weighting"; beside others they "should have a
/// very small chance of being selected". Here 1/16 of the chance that a weight of 1 has.
inline std::uint64_t chance_of(std::uint16_t weight) noexcept { return weight == 0 ? 1 : std::uint64_t{weight} * 16; }

/// Draws one after the other, each with the chance that its weight has among those not drawn yet. Meant for the few
/// records of one answer: it looks at each of them for each place.
/// @param weight_of the std::uint16_t weight of an element
template <class T, class WeightOf>
void weighted_shuffle(std::span<T> records, WeightOf weight_of, random_source& random) {
  for (; records.size() > 1; records = records.subspan(1)) {
    std::uint64_t sum = 0;
    for (const T& r : records) sum += chance_of(weight_of(r));
    std::uint64_t draw = random.below(sum);
    auto drawn = records.begin();
    for (; draw >= chance_of(weight_of(*drawn)); ++drawn) draw -= chance_of(weight_of(*drawn));
    std::swap(records.front(), *drawn);
  }
}

}  // namespace lbresolve::core
