#include "core/probe_plan.hpp"

#include <algorithm>

namespace lbresolve::core {
namespace {

double seconds(duration d) noexcept { return std::chrono::duration<double>(d).count(); }

duration between(duration least, duration most, random_source& random) {
  return least + duration(static_cast<std::int64_t>(static_cast<double>((most - least).count()) * random.unit()));
}

}  // namespace

void probe_plan::refill(time_point now) noexcept {
  if (refilled_ != time_point::min() && now > refilled_)
    budget_ = std::min(most_saved, budget_ + seconds(now - refilled_) * rules_.per_second);
  refilled_ = std::max(refilled_, now);
}

void probe_plan::on_connect(time_point now) noexcept {
  refill(now);
  budget_ = std::min(most_saved, budget_ + rules_.per_connect);
}

void probe_plan::plan(endpoint_record& r, const health_view& v, bool news, time_point now, random_source& random) {
  if (!concerns(r)) return;
  if (!news && r.probe_due != never) return;
  const bool half_open = v.state == endpoint_state::half_open;
  const bool failed_since = v.last_failure >= v.ejected_until;  // and it was not ejected again
  time_point when = never;
  if (r.demoted) {
    when = now + between(rules_.demoted_every / 2, rules_.demoted_every, random);
  } else if (v.state == endpoint_state::ejected || (half_open && !failed_since)) {
    when = std::max(v.ejected_until, now);
  } else if (v.state == endpoint_state::suspect || half_open) {
    when = now + between(rules_.suspect_least, rules_.suspect_most, random);
  } else if (!v.measured) {
    when = now;
  } else {
    when =
        now + between(rules_.measure_every, 2 * rules_.measure_every, random) - std::min(v.age, rules_.measure_every);
  }
  // What is planned sooner stays; it is looked at when it is due, and dropped where it is not wanted. An ejection has a
  // time of its own.
  const bool fixed = when == v.ejected_until;
  if (fixed ? when == r.probe_due : when >= r.probe_due) return;
  r.probe_due = when;
  due_.push({when, r.at});
}

bool probe_plan::is_wanted(const endpoint_record& r, const health_view& v, time_point now) const noexcept {
  if (r.is_alone() || r.last_used == time_point::min() || now - r.last_used >= rules_.in_use) return false;
  if (r.demoted || !v.measured) return true;
  switch (v.state) {
    case endpoint_state::suspect:
    case endpoint_state::half_open:
    case endpoint_state::unknown:
      return true;
    case endpoint_state::ejected:
      return false;
    case endpoint_state::healthy:
    case endpoint_state::ramping:
      return v.age >= rules_.measure_every;
  }
  return false;
}

std::optional<endpoint> probe_plan::next(endpoint_table& table, time_point now, const health_rules& health) {
  refill(now);
  while (!due_.empty() && due_.top().when <= now && budget_ >= 1) {
    const planned p = due_.top();
    due_.pop();
    endpoint_record* const r = table.find(p.at);
    if (r == nullptr || r->probe_due != p.when) continue;  // forgotten, or planned anew
    r->probe_due = never;
    if (!is_wanted(*r, r->health.view(now, health), now)) continue;
    r->probing = true;
    budget_ -= 1;
    return p.at;
  }
  return std::nullopt;
}

time_point probe_plan::next_at(time_point now) const noexcept {
  if (due_.empty()) return never;
  if (due_.top().when > now || budget_ >= 1) return due_.top().when;
  const double wait = rules_.per_second > 0 ? (1 - budget_) / rules_.per_second : 3600;
  return std::max(refilled_, now) + std::chrono::duration_cast<duration>(std::chrono::duration<double>(wait)) +
         std::chrono::microseconds{1};
}

}  // namespace lbresolve::core
