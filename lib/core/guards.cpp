#include "core/guards.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace lbresolve::core {
namespace {

bool is_out(const health_view& v) noexcept { return v.state == endpoint_state::ejected; }

bool was_lately(time_point when, time_point now) noexcept {
  return when != time_point::min() && when >= now - panic_memory;
}

/// Refused, or waited for in vain: a network that is down refuses nothing.
bool is_failing(const health_view& v) noexcept {
  return v.consecutive_failures > 0 || v.state == endpoint_state::suspect;
}

}  // namespace

bool is_panic(std::span<const health_view> set, time_point now) noexcept {
  std::size_t members = 0, failing = 0;
  for (const health_view& v : set) {
    if (v.demoted) continue;
    if (was_lately(v.last_success, now) && v.last_success >= v.last_failure) return false;
    ++members;
    if (is_failing(v) && was_lately(v.last_failure, now)) ++failing;
  }
  return members > 1 && failing * 2 > members;
}

bool apply_guards(std::span<health_view> set, time_point now) {
  const bool panic = is_panic(set, now);
  std::vector<health_view*> out;
  std::size_t members = 0;
  for (health_view& v : set) {
    if (v.demoted) continue;
    ++members;
    if (is_out(v)) out.push_back(&v);
  }
  const std::size_t most = panic ? 0 : members / 2;
  if (out.size() <= most) return panic;
  std::sort(out.begin(), out.end(),
            [](const health_view* a, const health_view* b) { return a->ejected_at < b->ejected_at; });
  for (std::size_t i = most; i < out.size(); ++i) out[i]->state = endpoint_state::suspect;
  return panic;
}

}  // namespace lbresolve::core
