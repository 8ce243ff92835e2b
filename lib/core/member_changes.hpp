// What has changed between two looks at the members of a target.
#pragma once

#include "core/candidate.hpp"

#include <lbresolve/watch.hpp>

#include <optional>
#include <vector>

namespace lbresolve::core {

/// One member as it was last seen.
struct seen_member_state {
  lbresolve::endpoint endpoint;
  endpoint_state state = endpoint_state::unknown;
};

/// What a program is told of it; none where it comes to the same.
std::optional<member_change::kind> change_of(endpoint_state before, endpoint_state now) noexcept;

/// What to tell, withdrawals first, so that a pool drains before it refills. `before` becomes what is seen now.
std::vector<member_change> changes_since(std::vector<seen_member_state>& before, const std::vector<candidate>& now);

}  // namespace lbresolve::core
