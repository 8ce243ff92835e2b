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

}  // namespace lbresolve::core
