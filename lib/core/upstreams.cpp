#include "core/upstreams.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace lbresolve::core {

using namespace std::chrono_literals;

upstreams::upstreams(std::vector<upstream> listed, bool rotate, duration hedge_unknown)
    : listed_(std::move(listed)), states_(listed_.size()), rotate_(rotate), hedge_unknown_(hedge_unknown) {}

void upstreams::on_answer(std::size_t i, duration took, time_point) {
  state& s = states_[i];
  s.failures = 0;
  s.backoff_until = {};
  if (s.srtt == duration::zero()) {  // RFC 6298 section 2.2
    s.srtt = took;
    s.deviation = took / 2;
  } else {  // section 2.3
    const duration off = took > s.srtt ? took - s.srtt : s.srtt - took;
    s.deviation = (3 * s.deviation + off) / 4;
    s.srtt = (7 * s.srtt + took) / 8;
  }
}

// 1 s times 1.5^k, at most 5 minutes, 20 % jitter so that many clients do not come back at once.
void upstreams::on_failure(std::size_t i, time_point now, random_source& random) {
  state& s = states_[i];
  const double seconds = std::min(300.0, std::pow(1.5, s.failures));
  const double jitter = 0.8 + 0.4 * random.unit();
  s.failures = std::min(s.failures + 1, 20);
  s.backoff_until = now + std::chrono::duration_cast<duration>(std::chrono::duration<double>(seconds * jitter));
}

std::vector<std::size_t> upstreams::order(time_point now) {
  std::vector<std::size_t> indices(size());
  std::iota(indices.begin(), indices.end(), std::size_t{0});
  if (rotate_ && !indices.empty()) {
    std::rotate(indices.begin(), indices.begin() + static_cast<std::ptrdiff_t>(next_start_), indices.end());
    next_start_ = (next_start_ + 1) % size();
  }
  // In backoff means last, never "not at all": when all have failed, they are still all that there is.
  std::stable_partition(indices.begin(), indices.end(), [&](std::size_t i) { return states_[i].backoff_until <= now; });
  return indices;
}

duration upstreams::hedge_delay(std::size_t i) const noexcept {
  const state& s = states_[i];
  if (s.srtt == duration::zero()) return hedge_unknown_;
  return std::max(s.srtt + 4 * s.deviation, least_hedge);
}

}  // namespace lbresolve::core
