// The reasons behind an order, in words.
#pragma once

#include "core/candidate.hpp"
#include "core/order.hpp"

#include <lbresolve/explanation.hpp>

#include <vector>

namespace lbresolve::core {

/// Explains the order in which `candidates` would be tried now.
std::vector<explained_candidate> explain(const std::vector<candidate>& candidates, const order_settings& settings,
                                         random_source& random);

}  // namespace lbresolve::core
