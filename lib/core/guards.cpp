#include "core/guards.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace lbresolve::core {
namespace {

bool is_out(const health_view& v) noexcept { return v.state == endpoint_state::ejected; }

}  // namespace

// What never worked says little about the network: where something ever did, most of that must have begun to fail.
bool is_panic(std::span<const health_view> set) noexcept {
  time_point last_success = time_point::min();
  for (const health_view& v : set)
    if (!v.demoted) last_success = std::max(last_success, v.last_success);
  std::size_t members = 0, failing = 0, proven = 0, proven_failing = 0;
  for (const health_view& v : set) {
    if (v.demoted) continue;
    const bool has_worked = v.last_success != time_point::min();
    const bool fails = v.failing_since != time_point::min() && v.failing_since >= last_success;
    members += 1U;
    failing += fails ? 1U : 0U;
    proven += has_worked ? 1U : 0U;
    proven_failing += has_worked && fails ? 1U : 0U;
  }
  return members > 1 && failing * 2 > members && (proven == 0 || proven_failing * 2 > proven);
}

bool apply_guards(std::span<health_view> set) {
  const bool panic = is_panic(set);
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
