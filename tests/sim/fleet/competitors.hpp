// All ways to choose, by name.
#pragma once

#include "sim/fleet/chooser.hpp"
#include "sim/fleet/parameters.hpp"

#include <span>
#include <string_view>

namespace lbresolve::fleet {

struct competitor {
  std::string_view name;
  std::string_view says;
  chooser_factory (*make)(const parameters&);
};

std::span<const competitor> competitors();
const competitor* find_competitor(std::string_view name);

}  // namespace lbresolve::fleet
