#include "sim/fleet/competitors.hpp"

#include <algorithm>
#include <array>

namespace lbresolve::fleet {
namespace {

/// For those that take only a source of random numbers.
template <std::unique_ptr<chooser> (*Make)(core::random_source&)>
chooser_factory simple(const parameters&) {
  return [](std::span<const server_facts>, core::random_source& random) { return Make(random); };
}
template <std::unique_ptr<chooser> (*Make)()>
chooser_factory simple(const parameters&) {
  return [](std::span<const server_facts>, core::random_source&) { return Make(); };
}

constexpr std::array all{
    competitor{"round_robin", "one address further with each connect", simple<make_round_robin>},
    competitor{"random", "any address", simple<make_random>},
    competitor{"in_order", "the order of the DNS answer", simple<make_in_order>},
    competitor{"glibc", "a fixed order, one after the other, no race", simple<make_glibc>},
    competitor{"fastest", "the lowest smoothed connect time so far", simple<make_fastest>},
    competitor{"peak_ewma", "peak EWMA, power of two choices (Finagle)", simple<make_peak_ewma>},
    competitor{"k_failures", "round robin, ejection after 5 failures in a row (Finagle)", simple<make_k_failures>},
};

}  // namespace

std::span<const competitor> competitors() { return all; }

const competitor* find_competitor(std::string_view name) {
  const auto found = std::find_if(all.begin(), all.end(), [&](const competitor& c) { return c.name == name; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace lbresolve::fleet
