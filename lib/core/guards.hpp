// What one endpoint's opinion must not do to the set it belongs to.
#pragma once

#include "core/health.hpp"
#include "core/time.hpp"

#include <chrono>
#include <span>

namespace lbresolve::core {

/// Failures and successes older than this say nothing about whether everything fails at once.
inline constexpr duration panic_memory = std::chrono::seconds{5};

/// Whether so many members fail, and none succeeds, that the local network is the likelier culprit: more than half of
/// two or more, within `panic_memory`. A demoted family is left out.
bool is_panic(std::span<const health_view> set, time_point now) noexcept;

/// Takes ejections back that the set cannot afford: all of them in a panic, and what is over half of the set (the
/// latest ones), so that never all, and never an only member, are out. Those taken back are suspect.
/// @return whether it is a panic
bool apply_guards(std::span<health_view> set, time_point now);

}  // namespace lbresolve::core
