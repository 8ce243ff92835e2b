// Which upstreams are asked for which names.
#pragma once

#include "core/name.hpp"
#include "core/query.hpp"
#include "core/upstreams.hpp"

#include <memory>
#include <vector>

namespace lbresolve::core {

/// The upstreams of a domain, and how they are asked.
struct upstream_group {
  name domain;  ///< the root: all names that no other group has
  std::shared_ptr<upstreams> servers;
  query_rules rules;
};

/// The group of the longest domain that `n` is in. A name inside a domain never goes to another group's upstreams: they
/// must not learn of it, and know a different one.
/// @param groups the first one has the root
inline const upstream_group& group_for(const std::vector<upstream_group>& groups, const name& n) {
  const upstream_group* best = &groups.front();
  for (const upstream_group& g : groups)
    if (n.is_within(g.domain) && g.domain.label_count() > best->domain.label_count()) best = &g;
  return *best;
}

}  // namespace lbresolve::core
