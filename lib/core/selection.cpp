#include "core/selection.hpp"

#include <algorithm>
#include <functional>
#include <utility>

namespace lbresolve::core {
namespace {

using state = endpoint_state;

/// The median time to a connection.
duration typical_of(std::span<const health_view> set) {
  std::vector<duration> known;
  known.reserve(set.size());
  for (const health_view& v : set)
    if (v.measured) known.push_back(v.srtt);
  if (known.empty()) return duration::zero();
  const auto middle = known.begin() + static_cast<std::ptrdiff_t>((known.size() - 1) / 2);
  std::nth_element(known.begin(), middle, known.end());
  return *middle;
}

std::chrono::system_clock::time_point to_wall(time_point when, time_point now,
                                              std::chrono::system_clock::time_point wall) {
  return wall + std::chrono::duration_cast<std::chrono::system_clock::duration>(when - now);
}

time_point to_boot(std::chrono::system_clock::time_point when, time_point now,
                   std::chrono::system_clock::time_point wall) {
  return now + std::chrono::duration_cast<duration>(when - wall);
}

}  // namespace

// MEM-08. EACCES and EPERM come from a firewall of this host, ENETUNREACH from its routes.
blame blame_of(std::error_code code) noexcept {
  for (const std::errc local :
       {std::errc::too_many_files_open, std::errc::too_many_files_open_in_system, std::errc::address_not_available,
        std::errc::address_in_use, std::errc::no_buffer_space, std::errc::not_enough_memory,
        std::errc::operation_canceled, std::errc::permission_denied, std::errc::operation_not_permitted,
        std::errc::invalid_argument, std::errc::address_family_not_supported, std::errc::protocol_not_supported,
        std::errc::interrupted, std::errc::network_down}) {
    if (code == local) return blame::nothing;
  }
  return code == std::errc::network_unreachable ? blame::family : blame::endpoint;
}

// ---- Targets ------------------------------------------------------------------------------------------------------

selection::target_record& selection::target(std::string_view text, time_point now) {
  auto at = targets_.find(text);
  if (at == targets_.end()) {
    if (targets_.size() >= most_targets) drop_old_targets(now);
    at = targets_.emplace(std::string(text), target_record{}).first;
  }
  at->second.last_used = now;
  return at->second;
}

selection::target_record* selection::find_target(std::string_view text) {
  const auto at = targets_.find(text);
  return at == targets_.end() ? nullptr : &at->second;
}

/// What was not used for a while goes; where that is not enough, all go: they are built again from the next answers.
void selection::drop_old_targets(time_point now) {
  std::erase_if(targets_, [&](const auto& t) { return now - t.second.last_used >= forget_target_after; });
  if (targets_.size() >= most_targets) targets_.clear();
}

std::vector<member> selection::take_answer(std::string_view text, const membership& newest, const roster_rules& rules,
                                           time_point now) {
  target_record& t = target(text, now);
  t.members.take(newest, now, rules);
  return t.members.kept(newest.from, now, rules);
}

bool selection::may_ask_again(std::string_view text, time_point now) {
  target_record& t = target(text, now);
  if (t.asked_again != time_point::min() && now - t.asked_again < ask_again_every) return false;
  t.asked_again = now;
  return true;
}

std::uint64_t selection::take_turn(std::string_view text, time_point now) { return target(text, now).turn++; }

name_behaviour selection::behaviour_of(std::string_view text) {
  const target_record* t = find_target(text);
  return t == nullptr ? name_behaviour::unknown : t->members.behaviour();
}

// ---- Knowledge ----------------------------------------------------------------------------------------------------

bool selection::look_up(std::string_view text, std::span<const endpoint> set, std::span<health_view> known,
                        time_point now, random_source& random) {
  target_record& t = target(text, now);
  t.set.assign(set.begin(), set.end());
  view(&t, set, known, now);
  const duration typical = typical_of(known);
  const bool panic = is_panic(known);
  for (std::size_t i = 0; i < set.size(); ++i) {
    endpoint_record& r = table_.at(set[i], now);
    r.last_used = now;
    r.typical = typical;
    r.siblings = static_cast<std::uint32_t>(set.size());
    r.panic = panic;
    r.demoted = known[i].demoted;
    probes_.plan(r, known[i], false, now, random);
  }
  return apply_guards(known);
}

bool selection::peek(std::string_view text, std::span<const endpoint> set, std::span<health_view> known,
                     time_point now) {
  view(find_target(text), set, known, now);
  return apply_guards(known);
}

void selection::view(const target_record* t, std::span<const endpoint> set, std::span<health_view> known,
                     time_point now) const {
  family_evidence families = t == nullptr ? family_evidence{} : t->families;
  for (std::size_t i = 0; i < set.size(); ++i) {
    if (const endpoint_record* const r = table_.find(set[i])) known[i] = r->health.view(now, rules_.health);
    // A success since then, be it a probe's, ends what the name has shown of the family.
    time_point& failed = families.failed[index_of(set[i].address.family())];
    if (failed != time_point::min() && known[i].last_success > failed) failed = time_point::min();
  }
  for (std::size_t i = 0; i < set.size(); ++i)
    known[i].demoted = families_.is_demoted(families, set[i].address.family());
}

/// Not the only member, not one of a family that does not work, and not when this failure makes it a panic.
bool selection::may_eject(const endpoint_record& r, std::span<const endpoint> set, time_point now) const {
  if (r.demoted || r.siblings < 2) return false;
  if (set.empty()) return !r.panic;
  std::vector<health_view> views;
  for (const endpoint& e : set) {
    const endpoint_record* const one = table_.find(e);
    views.push_back(one == nullptr ? health_view{} : one->health.view(now, rules_.health));
    if (one != nullptr) views.back().demoted = one->demoted;
    if (e != r.at) continue;
    views.back().consecutive_failures = 1;  // as it will be
    if (views.back().failing_since == time_point::min()) views.back().failing_since = now;
  }
  return !is_panic(views);
}

void selection::on_started(const endpoint& at, time_point now) { table_.at(at, now).health.on_started(); }

void selection::on_attempt(std::string_view text, const attempt_fact& fact, time_point now, random_source& random) {
  endpoint_record& r = table_.at(fact.at, now);
  if (fact.is != attempt_fact::kind::overdue) r.health.on_ended();
  const target_record* const t = find_target(text);
  learn(r, t == nullptr ? std::span<const endpoint>() : std::span<const endpoint>(t->set), fact, now, random);
}

void selection::on_probe(const attempt_fact& fact, time_point now, random_source& random) {
  endpoint_record* const r = table_.find(fact.at);
  if (r == nullptr) return;
  r->probing = false;
  learn(*r, {}, fact, now, random);
}

void selection::learn(endpoint_record& r, std::span<const endpoint> set, const attempt_fact& fact, time_point now,
                      random_source& random) {
  switch (fact.is) {
    case attempt_fact::kind::connected:
      r.health.on_connected(fact.took, r.typical, now, rules_.health);
      families_.on_success(fact.at.address.family(), now);
      break;
    case attempt_fact::kind::failed:
      if (blame_of(fact.code) != blame::endpoint) return;
      r.health.on_failed(fact.took, may_eject(r, set, now), now, rules_.health, random);
      break;
    case attempt_fact::kind::given_up:
      if (fact.took <= fact.patience) return;
      r.health.on_slow(fact.took, now);
      break;
    case attempt_fact::kind::overdue:
      r.health.on_slow(fact.took, now);
      break;
  }
  mark_changed(r);
  probes_.plan(r, r.health.view(now, rules_.health), true, now, random);
}

void selection::on_race_end(std::string_view text, const race_facts& facts, time_point now) {
  probes_.on_connect(now);
  target_record& t = target(text, now);
  families_.on_race(t.families, text_hash()(text), facts, now);
  std::vector<health_view> known(t.set.size());
  view(&t, t.set, known, now);
  const bool panic = is_panic(known);
  for (const endpoint& e : t.set) table_.at(e, now).panic = panic;
}

void selection::report(const endpoint& at, outcome how, duration latency, time_point now, random_source& random) {
  endpoint_record& r = table_.at(at, now);
  r.health.on_ended();
  if (how == outcome::success) {
    r.health.on_reported_success(latency, now, rules_.health);
  } else {
    r.health.on_failed(latency, may_eject(r, {}, now), now, rules_.health, random);
  }
  mark_changed(r);
  probes_.plan(r, r.health.view(now, rules_.health), true, now, random);
}

bool selection::use_network(std::uint64_t fingerprint, time_point) {
  if (fingerprint == table_.network()) return false;
  table_.use_network(fingerprint);
  probes_.clear();
  families_.clear();
  for (auto& [text, t] : targets_) {
    t.families = {};
    t.asked_again = time_point::min();
  }
  return true;
}

void selection::clear() {
  table_.clear();
  probes_.clear();
  families_.clear();
  targets_.clear();
  changed_.clear();
}

// ---- Showing and keeping ------------------------------------------------------------------------------------------

std::vector<endpoint_health_record> selection::records(time_point now) {
  std::vector<endpoint_health_record> out;
  table_.for_each([&](const endpoint_record& r) {
    const health_view v = r.health.view(now, rules_.health);
    if (r.health.last_fact() == time_point::min()) return;
    endpoint_health_record& one = out.emplace_back();
    one.endpoint = r.at;
    one.state = v.state;
    if (v.measured) one.srtt = v.srtt;
    one.rttvar = v.rttvar;
    if (v.latency > duration::zero()) one.latency = v.latency;
    one.successes = v.successes;
    one.failures = v.failures;
    one.in_flight = v.in_flight;
    one.consecutive_failures = v.consecutive_failures;
    one.age = now - r.health.last_fact();
    if (v.state == state::ejected) one.comes_back = v.ejected_until - now;
  });
  return out;
}

void selection::mark_changed(endpoint_record& r) {
  if (std::exchange(r.changed, true)) return;
  changed_.push_back(r.at);
}

std::vector<remembered> selection::take_changed(time_point now, std::chrono::system_clock::time_point wall) {
  std::vector<remembered> out;
  for (const endpoint& e : std::exchange(changed_, {})) {
    endpoint_record* const r = table_.find(e);
    if (r == nullptr) continue;
    r->changed = false;
    const health_view v = r->health.view(now, rules_.health);
    remembered& one = out.emplace_back();
    one.network = table_.network();
    one.at = e;
    one.seen = to_wall(r->health.last_fact(), now, wall);
    one.srtt = v.srtt;
    one.rttvar = v.rttvar;
    one.failure_time = v.failure_time;
    one.successes = static_cast<std::uint32_t>(v.successes);
    one.failures = static_cast<std::uint32_t>(v.failures);
    one.consecutive_failures = v.consecutive_failures;
    one.backoff = r->health.backoff();
    if (v.ejected_until != time_point::min()) one.ejected_until = to_wall(v.ejected_until, now, wall);
  }
  return out;
}

void selection::restore(std::span<const remembered> known, time_point now, std::chrono::system_clock::time_point wall) {
  for (const remembered& k : known) {
    if (k.network != table_.network()) continue;
    endpoint_record& r = table_.at(k.at, now);
    const time_point seen = std::min(to_boot(k.seen, now, wall), now);
    if (r.health.last_fact() != time_point::min() && r.health.last_fact() >= seen) continue;
    endpoint_health::facts f{.srtt = k.srtt,
                             .rttvar = k.rttvar,
                             .failure_time = k.failure_time,
                             .seen = seen,
                             .successes = k.successes,
                             .failures = k.failures,
                             .consecutive_failures = k.consecutive_failures,
                             .backoff = k.backoff};
    if (k.ejected_until) f.ejected_until = to_boot(*k.ejected_until, now, wall);
    r.health.restore(f);
  }
}

}  // namespace lbresolve::core
