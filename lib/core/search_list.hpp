// Which names to ask for what a person wrote: the search list of resolv.conf(5).
#pragma once

#include "core/name.hpp"
#include "core/resolv_conf.hpp"

#include <vector>

namespace lbresolve::core {

/// The names to ask, in this order, until one exists; never empty, no name twice.
///
/// A name that has at least `ndots` dots is asked as it is first and with each suffix after that; one with fewer is
/// asked with each suffix first and as it is last (resolv.conf(5), "ndots"). With `absolute` (it was written with a
/// trailing dot) only as it is. A suffix that would make the name too long is passed over.
std::vector<name> candidates(const name& asked, bool absolute, const resolv_conf& config);

/// Whether DNS has the name although it ends in .local: it is at or below a domain that is searched, as cluster.local
/// is in Kubernetes. The search list makes such names itself; whoever wrote it says that DNS knows them, which RFC 6762
/// appendix G expects of some networks. "search local" says too little: that is the link's domain.
bool is_local_in_dns(const name& asked, const resolv_conf& config) noexcept;

}  // namespace lbresolve::core
