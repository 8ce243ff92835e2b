#include "core/search_list.hpp"

#include <algorithm>
#include <cstddef>

namespace lbresolve::core {

std::vector<name> candidates(const name& asked, bool absolute, const resolv_conf& config) {
  if (absolute || asked.is_root()) return {asked};
  const std::size_t dots = asked.label_count() - 1;
  const bool as_is_first = dots >= static_cast<std::size_t>(std::max(config.ndots, 0));

  std::vector<name> names;
  const auto add = [&names](const name& n) {
    if (std::find(names.begin(), names.end(), n) == names.end()) names.push_back(n);
  };
  if (as_is_first) add(asked);
  for (const name& suffix : config.search) {
    if (const auto longer = asked.append(suffix)) add(longer.assume_value());
  }
  add(asked);
  return names;
}

}  // namespace lbresolve::core
