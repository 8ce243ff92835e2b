// What tests of scenarios have in common.
#pragma once

#include "sim/fleet/competitors.hpp"
#include "sim/fleet/fleet.hpp"
#include "sim/fleet/scenarios.hpp"

#include <doctest/doctest.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace lbresolve::fleet {

inline parameters with(std::initializer_list<std::pair<const char*, double>> values) {
  parameters p;
  for (const auto& [name, value] : values) p.set(name, value);
  return p;
}

inline run_report run(fleet_setup setup, std::string_view chooser, const parameters& p = {}, std::uint64_t seed = 1) {
  setup.seed = seed;
  return fleet(setup, find_competitor(chooser)->make(p)).run();
}

inline run_report run(std::string_view name, std::string_view chooser, const parameters& p = {},
                      std::uint64_t seed = 1) {
  return run(find_scenario(name)->setup(p), chooser, p, seed);
}

/// Wins of one server in [from, to) since the beginning.
inline std::uint64_t wins_between(const run_report& r, server_id s, duration from, duration to) {
  std::uint64_t sum = 0;
  for (auto at = from; at < to; at += r.step) {
    const auto i = static_cast<std::size_t>(at / r.step);
    if (i < r.wins.size()) sum += r.wins[i][s];
  }
  return sum;
}

/// Seeds of the runs of one test: what holds for one run by luck does not for two. A failure names its seed.
inline constexpr std::uint64_t seeds[] = {1, 2};

}  // namespace lbresolve::fleet
