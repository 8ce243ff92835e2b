#include "core/selection.hpp"

#include <lbresolve/tls_error.hpp>

#include <algorithm>
#include <functional>
#include <utility>

namespace lbresolve::core {
namespace {

using state = endpoint_state;

std::chrono::system_clock::time_point to_wall(time_point when, time_point now,
                                              std::chrono::system_clock::time_point wall) {
  return wall + std::chrono::duration_cast<std::chrono::system_clock::duration>(when - now);
}

/// Of a time that may be anything: a day from now at most.
time_point to_boot(std::chrono::system_clock::time_point when, time_point now,
                   std::chrono::system_clock::time_point wall) {
  constexpr std::chrono::hours most{24};
  return now + std::chrono::duration_cast<duration>(std::clamp(when, wall - most, wall + most) - wall);
}

constexpr duration longest_latency = std::chrono::hours{1};

/// Tells all members what was learned of their weights.
void weigh(const roster& members, membership& newest, std::vector<member>& kept) {
  std::vector<endpoint> all;
  all.reserve(newest.members.size() + kept.size());
  for (const std::vector<member>* some : {&newest.members, &kept})
    for (const member& m : *some) all.push_back(m.at);
  const std::vector<double> learned = members.frequencies(newest.from, all);
  if (learned.empty()) return;
  auto next = learned.begin();
  for (std::vector<member>* some : {&newest.members, &kept})
    for (member& m : *some) m.frequency = *next++;
}

std::span<const endpoint> all_of(const endpoint_set& set) noexcept {
  return set == nullptr ? std::span<const endpoint>() : std::span<const endpoint>(*set);
}

}  // namespace

// MEM-08. EPERM comes from a firewall of this host, ENETUNREACH from routes. EACCES may be this host's doing, and is
// what ICMPv6's "administratively prohibited" becomes (RFC 4443 section 3.1): an address must not suffer from it, a
// family may.
blame blame_of(std::error_code code) noexcept {
  if (code == tls_errc::local_failure) return blame::nothing;
  for (const std::errc local :
       {std::errc::too_many_files_open, std::errc::too_many_files_open_in_system, std::errc::address_not_available,
        std::errc::address_in_use, std::errc::no_buffer_space, std::errc::not_enough_memory,
        std::errc::operation_canceled, std::errc::operation_not_permitted, std::errc::invalid_argument,
        std::errc::address_family_not_supported, std::errc::protocol_not_supported, std::errc::interrupted,
        std::errc::network_down}) {
    if (code == local) return blame::nothing;
  }
  const bool of_family = code == std::errc::network_unreachable || code == std::errc::permission_denied;
  return of_family ? blame::family : blame::endpoint;
}

// ---- Targets ------------------------------------------------------------------------------------------------------

selection::target_record& selection::target(std::string_view text, time_point now) {
  auto at = targets_.find(text);
  if (at == targets_.end()) {
    if (targets_.size() >= most_targets) drop_old_targets();
    at = targets_.emplace(std::string(text), target_record{}).first;
  }
  at->second.last_used = now;
  return at->second;
}

selection::target_record* selection::find_target(std::string_view text) {
  const auto at = targets_.find(text);
  return at == targets_.end() ? nullptr : &at->second;
}

/// The half that was used last stays, so that this is seldom done. What goes is built again from the next answers.
void selection::drop_old_targets() {
  std::vector<time_point> used;
  used.reserve(targets_.size());
  for (const auto& [text, t] : targets_) used.push_back(t.last_used);
  const auto middle = used.begin() + static_cast<std::ptrdiff_t>(used.size() / 2);
  std::nth_element(used.begin(), middle, used.end());
  std::erase_if(targets_, [limit = *middle](const auto& t) { return t.second.last_used <= limit; });
}

std::vector<member> selection::take_answer(std::string_view text, membership& newest, const roster_rules& rules,
                                           time_point now) {
  target_record& t = target(text, now);
  const answer_news news = t.members.take(newest, now, rules);
  std::vector<member> kept = t.members.kept(newest.from, now, rules);
  if (rules.learn_weights && rules.mode == selection_mode::client) weigh(t.members, newest, kept);
  if (news.is_news) notice_changes(newest.members, news, now);
  if (news.is_news && t.set != nullptr) release_withdrawn(t, newest.members, kept);
  return kept;
}

/// What DNS took back and gives out anew may be another host by now: where addresses are scarce, as those of pods are,
/// they are used again within seconds. A name that has it all along says that it is the same one.
void selection::notice_changes(std::span<const member> newest, const answer_news& news, time_point now) {
  for (const endpoint& e : news.left)
    if (endpoint_record* const r = table_.find(e)) r->withdrawn = true;
  for (const member& m : newest) {
    endpoint_record* const r = table_.find(m.at);
    if (r == nullptr || !std::exchange(r->withdrawn, false)) continue;
    if (!std::binary_search(news.joined.begin(), news.joined.end(), m.at)) continue;
    r->health.on_named_anew(now);
    r->probe_due = never;  // it is due as it stands now: look_up() plans it
    mark_changed(*r);
  }
}

/// What is no member any more is not looked at on behalf of this name. look_up() puts right what this takes too much.
void selection::release_withdrawn(const target_record& t, std::span<const member> newest,
                                  std::span<const member> kept) {
  if (newest.empty()) return;
  std::vector<endpoint> members;
  for (const std::span<const member> some : {newest, kept})
    for (const member& m : some) members.push_back(m.at);
  std::sort(members.begin(), members.end());
  const family of = newest.front().at.address.family();
  for (const endpoint& e : *t.set) {
    if (e.address.family() != of || std::binary_search(members.begin(), members.end(), e)) continue;
    endpoint_record* const r = table_.find(e);
    if (r != nullptr && r->set == t.set) r->set.reset();
  }
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
  const auto previous = t.set;
  if (t.set == nullptr || !std::equal(set.begin(), set.end(), t.set->begin(), t.set->end()))
    t.set = std::make_shared<const std::vector<endpoint>>(set.begin(), set.end());
  view(&t, set, known, now);
  for (std::size_t i = 0; i < set.size(); ++i) {
    endpoint_record& r = table_.at(set[i], now);
    // An address of many stays one of many while somebody also connects to it by itself.
    const bool in_use = r.last_used != time_point::min() && now - r.last_used < rules_.probes.in_use;
    r.last_used = now;
    if (set.size() > 1 || !in_use || r.set == nullptr || r.set == previous) r.set = t.set;
    r.demoted = known[i].demoted;
    probes_.plan(r, known[i], false, now, random);
  }
  add_tls(t, set, known, now);
  return apply_guards(known);
}

bool selection::peek(std::string_view text, std::span<const endpoint> set, std::span<health_view> known,
                     time_point now) {
  const target_record* const t = find_target(text);
  view(t, set, known, now);
  if (t != nullptr) add_tls(*t, set, known, now);
  return apply_guards(known);
}

void selection::view(const target_record* t, std::span<const endpoint> set, std::span<health_view> known,
                     time_point now) const {
  family_evidence families = t == nullptr ? family_evidence{} : t->families;
  for (std::size_t i = 0; i < set.size(); ++i) {
    const endpoint_record* const r = table_.find(set[i]);
    if (r != nullptr && !endpoint_table::is_over(*r, now)) known[i] = r->health.view(now, rules_.health);
    known[i].overdue = known[i].overdue && !rules_.probes.enabled;  // else probes look at it
    // A success since then, be it a probe's, ends what the name has shown of the family.
    time_point& failed = families.failed[index_of(set[i].address.family())];
    if (failed != time_point::min() && known[i].last_success > failed) failed = time_point::min();
  }
  for (std::size_t i = 0; i < set.size(); ++i)
    known[i].demoted = families_.is_demoted(families, set[i].address.family());
}

// After probes are planned: they open no TLS, so what TLS has shown is no reason for one.
void selection::add_tls(const target_record& t, std::span<const endpoint> set, std::span<health_view> known,
                        time_point now) const {
  for (std::size_t i = 0; i < set.size(); ++i) t.tls.add_to(known[i], set[i], now, rules_.health);
}

std::vector<health_view> selection::views_of(std::span<const endpoint> set, time_point now) const {
  std::vector<health_view> out;
  out.reserve(set.size());
  for (const endpoint& e : set) {
    const endpoint_record* const r = table_.find(e);
    out.push_back(r == nullptr ? health_view{} : r->health.view(now, rules_.health));
    out.back().demoted = r != nullptr && r->demoted;
  }
  return out;
}

/// The median time to a connection in the set.
duration selection::typical_of(std::span<const endpoint> set, time_point now) const {
  std::vector<duration> known;
  for (const health_view& v : views_of(set, now))
    if (v.measured) known.push_back(v.srtt);
  if (known.empty()) return duration::zero();
  const auto middle = known.begin() + static_cast<std::ptrdiff_t>((known.size() - 1) / 2);
  std::nth_element(known.begin(), middle, known.end());
  return *middle;
}

/// Not one of a family that does not work, not when this failure makes it a panic, and not where half of the set is out
/// already: so never an only member. The guards see to the same where the set changes afterwards.
bool selection::may_eject(const endpoint_record& r, std::span<const endpoint> set, time_point now) const {
  if (r.demoted) return false;
  std::vector<health_view> views = views_of(set, now);
  std::size_t members = 0, out = 0;
  for (std::size_t i = 0; i < views.size(); ++i) {
    health_view& v = views[i];
    members += v.demoted ? 0U : 1U;
    if (set[i] != r.at) {
      out += !v.demoted && v.ejected_until != time_point::min() ? 1U : 0U;
      continue;
    }
    if (v.failing_since == time_point::min()) v.failing_since = now;  // as it will be
  }
  return out < members / 2 && !is_panic(views);
}

void selection::on_started(const endpoint& at, time_point now) { table_.at(at, now).health.on_started(now); }

void selection::on_attempt(std::string_view text, const attempt_fact& fact, time_point now, random_source& random) {
  if (now - fact.took < network_since_) return;  // it began on another network
  target_record* const t = find_target(text);
  if (fact.of_tls) {
    if (t != nullptr && blame_of(fact.code) != blame::nothing)
      t->tls.learn(fact, all_of(t->set), now, rules_.health, random);
    return;
  }
  endpoint_record& r = table_.at(fact.at, now);
  if (fact.is != attempt_fact::kind::late) r.health.on_ended();
  learn(r, t == nullptr ? r.set : t->set, fact, now, random);
}

void selection::on_probe(const attempt_fact& fact, time_point now, random_source& random) {
  if (now - fact.took < network_since_) return;
  endpoint_record* const r = table_.find(fact.at);
  if (r == nullptr) return;
  r->probing = false;
  learn(*r, r->set, fact, now, random);
}

void selection::learn(endpoint_record& r, const endpoint_set& members, const attempt_fact& fact, time_point now,
                      random_source& random) {
  const std::span<const endpoint> set = all_of(members);
  switch (fact.is) {
    case attempt_fact::kind::connected:
      r.health.on_connected(fact.took, typical_of(set, now), now, rules_.health);
      families_.on_success(fact.at.address.family(), now);
      break;
    case attempt_fact::kind::failed:
      if (blame_of(fact.code) != blame::endpoint) return;
      r.health.on_failed(fact.took, may_eject(r, set, now), now, rules_.health, random);
      break;
    case attempt_fact::kind::late:
      r.health.on_slow(fact.took, now);
      break;
    case attempt_fact::kind::given_up:
      if (fact.took <= fact.patience) return;
      r.health.on_slow(fact.took, now);
      break;
  }
  mark_changed(r);
  probes_.plan(r, r.health.view(now, rules_.health), true, now, random);
}

void selection::on_race_end(std::string_view text, const race_facts& facts, time_point now) {
  probes_.on_connect(now);
  if (facts.began < network_since_) return;
  target_record& t = target(text, now);
  families_.on_race(t.families, text_hash()(text), facts, now);
  // What was never tried is demoted with the others, and none of them is ejected for what the family does.
  for (const endpoint& e : all_of(t.set))
    if (endpoint_record* const r = table_.find(e)) r->demoted = families_.is_demoted(t.families, e.address.family());
}

void selection::begin(const endpoint& at, time_point now) { table_.at(at, now).health.on_request_started(); }

void selection::report(const endpoint& at, outcome how, duration latency, time_point now, random_source& random) {
  endpoint_record& r = table_.at(at, now);
  r.health.on_request_ended();
  latency = std::clamp(latency, duration::zero(), longest_latency);
  const bool all_well = how == outcome::success && r.health.is_well() && r.probe_due != never;
  if (how == outcome::success) {
    r.health.on_reported_success(latency, now, rules_.health);
  } else {
    r.health.on_failed(latency, may_eject(r, all_of(r.set), now), now, rules_.health, random);
  }
  mark_changed(r);
  if (all_well || !probes_.concerns(r)) return;  // nothing that would move its next probe
  probes_.plan(r, r.health.view(now, rules_.health), true, now, random);
}

health_view selection::known_of(const endpoint& at, time_point now) const noexcept {
  const endpoint_record* const r = table_.find(at);
  return r == nullptr || endpoint_table::is_over(*r, now) ? health_view{} : r->health.view(now, rules_.health);
}

std::uint32_t selection::in_flight(const endpoint& at) const noexcept {
  const endpoint_record* const r = table_.find(at);
  return r == nullptr ? 0 : r->health.in_flight();
}

bool selection::use_network(std::uint64_t fingerprint, time_point now) {
  if (fingerprint == table_.network()) return false;
  table_.use_network(fingerprint);
  network_since_ = now;
  probes_.clear();
  families_.clear();
  for (auto& [text, t] : targets_) {
    t.families = {};
    t.tls = {};
    t.asked_again = time_point::min();
  }
  return true;
}

void selection::clear() {
  table_.clear();
  probes_.clear();
  families_.clear();
  targets_.clear();
  any_changed_ = false;
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

void selection::mark_changed(endpoint_record& r) noexcept { r.changed = any_changed_ = true; }

// The table is gone through instead of keeping a list, which would grow where nobody asks.
std::vector<remembered> selection::take_changed(time_point now, std::chrono::system_clock::time_point wall) {
  std::vector<remembered> out;
  if (!std::exchange(any_changed_, false)) return out;
  table_.for_each_anywhere([&](std::uint64_t network, endpoint_record& r) {
    if (!std::exchange(r.changed, false)) return;
    const health_view v = r.health.view(now, rules_.health);
    remembered& one = out.emplace_back();
    one.network = network;
    one.at = r.at;
    one.seen = to_wall(r.health.last_fact(), now, wall);
    one.srtt = v.srtt;
    one.rttvar = v.rttvar;
    one.failure_time = v.failure_time;
    one.successes = static_cast<std::uint32_t>(v.successes);
    one.failures = static_cast<std::uint32_t>(v.failures);
    // A wait in vain has no column of its own: kept as one failure in a row, it makes the next process as wary.
    one.consecutive_failures = std::max(v.consecutive_failures, v.waited > duration::zero() ? 1U : 0U);
    one.backoff = r.health.backoff();
    if (v.ejected_until != time_point::min()) one.ejected_until = to_wall(v.ejected_until, now, wall);
  });
  return out;
}

void selection::restore(std::span<const remembered> known, time_point now, std::chrono::system_clock::time_point wall) {
  for (const remembered& k : known) {
    const time_point seen = std::min(to_boot(k.seen, now, wall), now);
    if (k.network != table_.network() || now - seen >= endpoint_table::forget_after) continue;
    endpoint_record& r = table_.at(k.at, now);
    if (r.health.last_fact() >= seen) continue;
    endpoint_health::facts f{.srtt = k.srtt,
                             .rttvar = k.rttvar,
                             .failure_time = k.failure_time,
                             .seen = seen,
                             .successes = k.successes,
                             .failures = k.failures,
                             .consecutive_failures = k.consecutive_failures,
                             .backoff = k.backoff};
    if (k.ejected_until) f.ejected_until = to_boot(*k.ejected_until, now, wall);
    r.health.restore(f, now, rules_.health);
  }
}

}  // namespace lbresolve::core
