// The situations in which choosers are compared.
#pragma once

#include "sim/fleet/fleet.hpp"
#include "sim/fleet/parameters.hpp"

#include <span>
#include <string_view>

namespace lbresolve::fleet {

struct scenario {
  std::string_view name;
  std::string_view says;  ///< what happens, in a sentence
  fleet_setup (*setup)(const parameters&);
  /// The server that the question is about, and when: the table shows its share then. Seconds since the beginning.
  server_id watched = 0;
};

std::span<const scenario> scenarios();
const scenario* find_scenario(std::string_view name);

}  // namespace lbresolve::fleet
