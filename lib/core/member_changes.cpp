#include "core/member_changes.hpp"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <utility>

namespace lbresolve::core {
namespace {

using kind = member_change::kind;

/// 0: usable, 1: in doubt, 2: out. Whether an ejected one may be tried again is no news until something succeeds.
int rank_of(endpoint_state s) noexcept {
  switch (s) {
    case endpoint_state::unknown:
    case endpoint_state::healthy:
    case endpoint_state::ramping:
      return 0;
    case endpoint_state::suspect:
      return 1;
    case endpoint_state::half_open:
    case endpoint_state::ejected:
      return 2;
  }
  return 0;
}

}  // namespace

std::optional<kind> change_of(endpoint_state before, endpoint_state now) noexcept {
  const int from = rank_of(before), to = rank_of(now);
  if (from == to) return std::nullopt;
  return to == 0 ? kind::back : to == 1 ? kind::suspect : kind::ejected;
}

std::vector<member_change> changes_since(std::vector<seen_member_state>& before, const std::vector<candidate>& now) {
  std::unordered_map<endpoint, endpoint_state> old, current;
  for (const seen_member_state& m : before) old.emplace(m.endpoint, m.state);
  for (const candidate& c : now) current.emplace(c.endpoint, c.known.state);
  std::vector<member_change> out;
  for (const seen_member_state& m : before)
    if (!current.contains(m.endpoint)) out.push_back({kind::withdrawn, m.endpoint});
  std::vector<seen_member_state> after;
  for (const candidate& c : now) {
    if (current.erase(c.endpoint) == 0) continue;  // named twice
    after.push_back({c.endpoint, c.known.state});
    const auto known = old.find(c.endpoint);
    if (known == old.end()) out.push_back({kind::added, c.endpoint});
    const auto was = known == old.end() ? endpoint_state::unknown : known->second;
    if (const auto what = change_of(was, c.known.state)) out.push_back({*what, c.endpoint});
  }
  before = std::move(after);
  return out;
}

}  // namespace lbresolve::core
