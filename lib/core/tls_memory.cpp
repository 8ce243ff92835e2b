#include "core/tls_memory.hpp"

#include <algorithm>

namespace lbresolve::core {

namespace {

int badness(endpoint_state s) noexcept {
  switch (s) {
    case endpoint_state::unknown:
    case endpoint_state::healthy:
      return 0;
    case endpoint_state::ramping:
      return 1;
    case endpoint_state::suspect:
      return 2;
    case endpoint_state::half_open:
      return 3;
    case endpoint_state::ejected:
      break;
  }
  return 4;
}

bool is_out(const health_view& v) noexcept { return v.ejected_until != time_point::min(); }

}  // namespace

void tls_memory::learn(const attempt_fact& fact, std::span<const endpoint> set, time_point now,
                       const health_rules& rules, random_source& random) {
  std::erase_if(known_, [&](const entry& e) {
    return e.first != fact.at && std::find(set.begin(), set.end(), e.first) == set.end();
  });
  auto at = std::find_if(known_.begin(), known_.end(), [&](const entry& e) { return e.first == fact.at; });
  if (fact.is == attempt_fact::kind::connected) {
    if (at == known_.end()) return;
    at->second.on_connected(fact.took, duration::zero(), now, rules);
    if (at->second.view(now, rules).state == endpoint_state::healthy) known_.erase(at);
    return;
  }
  if (fact.is == attempt_fact::kind::given_up && fact.took <= fact.patience) return;
  if (at == known_.end()) at = known_.insert(known_.end(), {fact.at, endpoint_health()});
  if (fact.is == attempt_fact::kind::failed)
    at->second.on_failed(fact.took, may_eject(fact.at, set, now, rules), now, rules, random);
  else
    at->second.on_slow(fact.took, now);
}

/// Never half of a set or more, so never an only member.
bool tls_memory::may_eject(const endpoint& at, std::span<const endpoint> set, time_point now,
                           const health_rules& rules) const {
  const auto out = std::count_if(known_.begin(), known_.end(),
                                 [&](const entry& e) { return e.first != at && is_out(e.second.view(now, rules)); });
  return static_cast<std::size_t>(out) < set.size() / 2;
}

void tls_memory::add_to(health_view& known, const endpoint& at, time_point now, const health_rules& rules) const {
  const auto found = std::find_if(known_.begin(), known_.end(), [&](const entry& e) { return e.first == at; });
  if (found == known_.end()) return;
  const health_view v = found->second.view(now, rules);
  known.failures = std::max(known.failures, v.failures);
  known.failing_since = std::max(known.failing_since, v.failing_since);
  known.consecutive_failures = std::max(known.consecutive_failures, v.consecutive_failures);
  known.failure_time = std::max(known.failure_time, v.failure_time);
  known.waited = std::max(known.waited, v.waited);
  known.last_failure = std::max(known.last_failure, v.last_failure);
  if (badness(v.state) <= badness(known.state)) return;
  known.state = v.state;
  known.ramp = std::min(known.ramp, v.ramp);
  known.overdue = v.overdue;
  known.ejected_at = v.ejected_at;
  known.ejected_until = v.ejected_until;
}

}  // namespace lbresolve::core
