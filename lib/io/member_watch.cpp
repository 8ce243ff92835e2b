#include "io/member_watch.hpp"

#include "io/clock.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace lbresolve::io {

member_watch::member_watch(event_loop& loop, driver& with, std::function<driver::operation_id()> next_id)
    : driver_(with), next_id_(std::move(next_id)), timer_(loop, *this) {}

member_watch::~member_watch() = default;

void member_watch::add(id which, subject s) {
  subjects_[which].what = std::move(s);
  renew(which, true);
}

void member_watch::remove(id which) {
  const auto at = subjects_.find(which);
  if (at == subjects_.end()) return;
  unindex(which, at->second);
  wakes_.clear(at->second.wake);
  subjects_.erase(at);
  rearm();
}

void member_watch::renew(id which, bool use_cache) {
  observed& o = subjects_.at(which);
  if (std::exchange(o.renewing, true)) return;
  o.renew_at = core::never;
  auto work = o.what.look_up(use_cache);
  driver_.start(next_id_(), std::move(work), {},
                [this, which](std::unique_ptr<core::operation> done, connected_socket) {
                  on_renewed(which, static_cast<core::resolve_operation&>(*done));
                });
}

// DNS that fails takes nobody away: what was known stays until it expires, and for a watch also then.
void member_watch::on_renewed(id which, core::resolve_operation& work) {
  const auto at = subjects_.find(which);
  if (at == subjects_.end()) return;  // removed meanwhile
  observed& o = at->second;
  o.renewing = false;
  const core::time_point now = io::now();
  const core::time_point expires = work.expires();
  const auto outcome = work.outcome();
  if (o.what.on_looked_up) o.what.on_looked_up(outcome);
  const bool is_gone = !outcome && (outcome.error() == errc::name_not_found || outcome.error() == errc::no_addresses);
  if (outcome || is_gone) {
    unindex(which, o);
    o.members = is_gone ? std::vector<core::candidate>{} : work.candidates();
    o.known = true;
    o.expires = expires;
    const core::duration life = expires == core::never ? latest : std::max(expires - now, core::duration::zero());
    o.renew_at = now + std::clamp(is_gone ? retry_after : life / 10 * renew_at_tenths, soonest, latest);
    index(which, o);
    look(o);
  } else {
    o.renew_at = now + retry_after;
    if (!o.known) o.what.on_failure(outcome.error());
  }
  // The callbacks may have removed it.
  if (const auto still = subjects_.find(which); still != subjects_.end()) plan(which, still->second);
}

void member_watch::on_learned(const endpoint& learned) {
  const auto [first, last] = by_member_.equal_range(learned);
  std::vector<id> concerned;
  for (auto i = first; i != last; ++i) concerned.push_back(i->second);
  for (const id which : concerned) {
    const auto at = subjects_.find(which);
    if (at == subjects_.end()) continue;
    look(at->second);
    if (const auto still = subjects_.find(which); still != subjects_.end()) plan(which, still->second);
  }
}

void member_watch::look(observed& o) {
  const core::time_point now = io::now();
  o.what.memory.look_up(o.members, now, random_);
  const bool settled = std::all_of(o.members.begin(), o.members.end(), [](const core::candidate& c) {
    return c.known.state == endpoint_state::healthy || c.known.state == endpoint_state::unknown;
  });
  o.look_at = settled ? core::never : now + look_every;
  const auto tell = o.what.on_update;  // outlives a removal from inside
  const auto members = o.members;
  tell(members);
}

void member_watch::lapse(id which, observed& o) {
  const auto tell = std::move(o.what.on_update);
  remove(which);
  tell({});
}

void member_watch::on_timer() {
  const core::time_point now = io::now();
  std::vector<id> due;
  while (const auto which = wakes_.due(now)) {
    wakes_.clear(subjects_.at(*which).wake);
    due.push_back(*which);
  }
  for (const id which : due) {
    const auto at = subjects_.find(which);
    if (at == subjects_.end()) continue;
    observed& o = at->second;
    if (now >= o.renew_at) {
      if (!o.what.is_wanted()) {
        lapse(which, o);
        continue;
      }
      renew(which, now >= o.expires);
    } else if (now >= o.look_at) {
      look(o);
    }
    if (const auto still = subjects_.find(which); still != subjects_.end()) plan(which, still->second);
  }
  rearm();
}

void member_watch::index(id which, const observed& o) {
  std::set<endpoint> told;
  for (const core::candidate& c : o.members)
    if (told.insert(c.endpoint).second) by_member_.emplace(c.endpoint, which);
}

void member_watch::unindex(id which, const observed& o) {
  for (const core::candidate& c : o.members) {
    const auto [first, last] = by_member_.equal_range(c.endpoint);
    for (auto i = first; i != last; ++i) {
      if (i->second != which) continue;
      by_member_.erase(i);
      break;
    }
  }
}

void member_watch::plan(id which, observed& o) {
  wakes_.set(o.wake, std::min(o.renew_at, o.look_at), which);
  rearm();
}

void member_watch::rearm() { timer_.set(wakes_.earliest()); }

}  // namespace lbresolve::io
