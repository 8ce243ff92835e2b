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

bool is_local_in_dns(const name& asked, const resolv_conf& config) noexcept {
  return std::any_of(config.search.begin(), config.search.end(),
                     [&](const name& domain) { return domain.label_count() > 1 && asked.is_within(domain); });
}

}  // namespace lbresolve::core
