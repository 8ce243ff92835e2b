// What one endpoint's opinion must not do to the set it belongs to.
#pragma once

#include "core/health.hpp"
#include "core/time.hpp"

#include <chrono>
#include <span>

namespace lbresolve::core {

/// Whether so many members have begun to fail since anything last succeeded that the local network is the likelier
/// culprit: more than half of two or more, and of those that ever worked. It lasts until something succeeds, be it a
/// probe. A demoted family is left out.
bool is_panic(std::span<const health_view> set) noexcept;

/// Takes ejections back that the set cannot afford: all of them in a panic, and what is over half of the set (the
/// latest ones), so that never all, and never an only member, are out. Those taken back are suspect.
/// @return whether it is a panic
bool apply_guards(std::span<health_view> set);

}  // namespace lbresolve::core
