#include "core/discovery.hpp"

#include "core/designation.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace lbresolve::core {
namespace {

/// Whether it has had the time after which the next one is asked too: where there are others nobody waits any longer.
bool is_slow(const std::shared_ptr<query>& asked, time_point now) noexcept {
  if (!asked || asked->tries().empty()) return false;
  return now >= asked->tries().front().started + asked->servers().hedge_delay(0);
}

}  // namespace

void discovery::use(const std::vector<upstream_group>& groups) {
  std::vector<resolver> before = std::exchange(resolvers_, {});
  const auto find = [](std::vector<resolver>& in, const endpoint& e) {
    return std::find_if(in.begin(), in.end(), [&](const resolver& r) { return r.is.at == e; });
  };
  for (const upstream_group& g : groups) {
    if (!g.from) continue;
    for (const upstream& u : g.from->listed) {
      if (!u.discovers || find(resolvers_, u.at) != resolvers_.end()) continue;
      const auto known = find(before, u.at);
      resolver& r = resolvers_.emplace_back(known != before.end() ? std::move(*known) : resolver());
      r.is = u;
      r.group = g.from;
      r.ask_at = {};
      if (!r.itself) r.itself = std::make_shared<upstreams>(std::vector{make_upstream(u.at)}, upstream_rules{});
    }
  }
}

// A query that is under way may have gone to a host of the old network: what comes of it no longer counts.
void discovery::forget() {
  for (resolver& r : resolvers_) {
    r.found.clear();
    r.why.clear();
    r.ask_at = {};
    r.failures = 0;
    r.asked.reset();
  }
}

const discovery::resolver& discovery::at(const endpoint& e) const {
  return *std::find_if(resolvers_.begin(), resolvers_.end(), [&](const resolver& r) { return r.is.at == e; });
}

// ---- asking

void discovery::want(const upstream_group& group, time_point now) {
  for (resolver& r : resolvers_) {
    const auto is_this = [&](const upstream& u) { return u.discovers && u.at == r.is.at; };
    if (std::any_of(group.from->listed.begin(), group.from->listed.end(), is_this)) r.wanted = now;
  }
}

bool discovery::is_in_use(const resolver& r, time_point now) noexcept {
  return r.wanted && now <= *r.wanted + upstreams_in_use_for;
}

std::shared_ptr<query> discovery::begin_due(time_point now) {
  for (resolver& r : resolvers_) {
    if (r.asked || now < r.ask_at || !is_in_use(r, now)) continue;
    r.asked = std::make_shared<query>(designation_question(), r.itself, r.group->asking, now);
    return r.asked;
  }
  return nullptr;
}

time_point discovery::next_due(time_point now) const noexcept {
  time_point at = never;
  for (const resolver& r : resolvers_)
    if (!r.asked && is_in_use(r, std::max(now, r.ask_at))) at = std::min(at, r.ask_at);
  return at;
}

void discovery::on_done(const query& done, time_point now, random_source& random) {
  for (resolver& r : resolvers_) {
    if (r.asked.get() != &done) continue;
    r.asked.reset();
    const answer& a = *done.result();
    if (a.is == answer::kind::failure) return take_failure(r, a, now, random);
    designation d = read_designation(r.is.at, a, r.group->has_http2, random);
    r.failures = 0;
    r.found = std::move(d.servers);
    r.why = std::move(d.why);
    const duration ttl = std::chrono::seconds{a.ttl};
    const duration life =
        r.found.empty() ? std::clamp(ttl, least_wait, most_wait) : std::clamp(ttl, least_life, most_life);
    r.expires = now + life;
    r.ask_at = r.found.empty() ? r.expires : r.expires - life / 10;
    return;
  }
}

// 1 s times 1.5^k with 20 % jitter, as for upstreams that fail.
void discovery::take_failure(resolver& r, const answer& a, time_point now, random_source& random) {
  const double seconds = std::pow(1.5, std::min(r.failures, 20)) * (0.8 + 0.4 * random.unit());
  const auto wait = std::chrono::duration_cast<duration>(std::chrono::duration<double>(seconds));
  ++r.failures;
  r.ask_at = now + std::min(wait, most_wait);
  if (r.found.empty()) r.why = read_designation(r.is.at, a, r.group->has_http2, random).why;
}

// ---- what is known

/// Whether a lookup has to wait for what it designates.
bool discovery::is_open(const resolver& r, time_point now) noexcept {
  if (!r.found.empty()) return now >= r.expires && r.failures == 0;
  return r.why.empty() || now >= r.ask_at;
}

discovery::settled discovery::settle(upstream_group& group, time_point now) const {
  std::vector<upstream> known;
  std::string missing;
  bool is_waiting = false;
  bool has_time = false;
  for (const upstream& u : group.from->listed) {
    if (!u.discovers) {
      known.push_back(u);
      continue;
    }
    const resolver& r = at(u.at);
    const bool open = is_open(r, now);
    is_waiting = is_waiting || open;
    has_time = has_time || (open && r.why.empty() && !is_slow(r.asked, now));  // who has failed before is no news
    if (!open && !r.found.empty()) {
      known.insert(known.end(), r.found.begin(), r.found.end());
      continue;
    }
    missing +=
        (missing.empty() ? "" : "; ") +
        (open ? u.at.to_string() + ": it has not said yet which encrypted resolvers it designates (RFC 9462)" : r.why);
  }
  settled out{.ready = !is_waiting || (!known.empty() && !has_time), .changed = known != group.servers->listed()};
  if (out.changed) {
    auto others = std::make_shared<upstreams>(std::move(known), group.from->choice);
    others->remember(*group.servers);
    group.servers = std::move(others);
  }
  group.servers->set_missing(std::move(missing));
  return out;
}

std::vector<std::shared_ptr<const query>> discovery::under_way(const upstream_group& group) const {
  std::vector<std::shared_ptr<const query>> out;
  for (const upstream& u : group.from->listed)
    if (u.discovers && at(u.at).asked) out.push_back(at(u.at).asked);
  return out;
}

}  // namespace lbresolve::core
