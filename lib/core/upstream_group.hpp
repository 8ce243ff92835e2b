// Which upstreams are asked for which names.
#pragma once

#include "core/name.hpp"
#include "core/query.hpp"
#include "core/upstreams.hpp"

#include <memory>
#include <vector>

namespace lbresolve::core {

/// A list of servers of which some stand for what they designate (RFC 9462).
struct discovered {
  std::vector<upstream> listed;  ///< each that `discovers` has its address
  upstream_rules choice;         ///< among those that are found
  query_rules asking;            ///< how those that are listed are asked what they designate
  bool has_http2 = true;
};

/// The upstreams of a domain, and how they are asked.
struct upstream_group {
  name domain;  ///< the root: all names that no other group has
  std::shared_ptr<upstreams> servers;
  query_rules rules;
  std::shared_ptr<const discovered> from{};  ///< where set: `servers` are those that have been found
};

/// The group of the longest domain that `n` is in. A name inside a domain never goes to another group's upstreams: they
/// must not learn of it, and know a different one.
/// @param groups the first one has the root
inline upstream_group& group_for(std::vector<upstream_group>& groups, const name& n) {
  upstream_group* best = &groups.front();
  for (upstream_group& g : groups)
    if (n.is_within(g.domain) && g.domain.label_count() > best->domain.label_count()) best = &g;
  return *best;
}

}  // namespace lbresolve::core
