#include "core/guards.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace lbresolve::core {
namespace {

bool is_out(const health_view& v) noexcept { return v.state == endpoint_state::ejected; }

}  // namespace

bool is_panic(std::span<const health_view> set) noexcept {
  std::size_t members = 0, failing = 0;
  time_point last_success = time_point::min();
  for (const health_view& v : set) {
    if (v.demoted) continue;
    ++members;
    if (v.failing_since != time_point::min()) ++failing;
    last_success = std::max(last_success, v.last_success);
  }
  if (members < 2 || failing * 2 <= members) return false;
  // Only those count that began to fail after anything last succeeded.
  const auto since = std::count_if(set.begin(), set.end(), [&](const health_view& v) {
    return !v.demoted && v.failing_since != time_point::min() && v.failing_since >= last_success;
  });
  return static_cast<std::size_t>(since) * 2 > members;
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
