#include "core/race_memory.hpp"

#include "core/selection.hpp"

#include <algorithm>
#include <array>

namespace lbresolve::core {

void race_memory::join_kept(origin from, std::vector<candidate>& found, time_point expires, duration ttl,
                            time_point now) {
  if (store_ == nullptr) return;
  membership m{.from = from, .members = {}, .fetched = expires == never ? now : expires - ttl, .ttl = ttl};
  m.members.reserve(found.size());
  for (const candidate& c : found)
    m.members.push_back({.at = c.endpoint, .priority = c.priority, .weight = c.weight, .weighted = c.weighted});
  const std::vector<member> kept = store_->take_answer(target_, m, rules_, now);
  for (std::size_t i = 0; i < found.size(); ++i) found[i].frequency = m.members[i].frequency;
  for (const member& k : kept) {
    candidate& c = found.emplace_back();
    c.endpoint = k.at;
    c.priority = k.priority;
    c.weight = k.weight;
    c.weighted = k.weighted;
    c.frequency = k.frequency;
    c.from = from;
  }
}

bool race_memory::look_up(std::vector<candidate>& found, time_point now, random_source& random) {
  if (store_ == nullptr || found.empty()) return false;
  // What will not be tried is no member: nothing is learned of it, and no probe must go there either (HE-57).
  for (const candidate& c : found)
    if (c.skip.empty()) set_.push_back(c.endpoint);
  if (set_.empty()) return false;
  std::sort(set_.begin(), set_.end());
  set_.erase(std::unique(set_.begin(), set_.end()), set_.end());
  std::vector<health_view> known(set_.size());
  const bool panic = store_->look_up(target_, set_, known, now, random);
  for (candidate& c : found) {
    const auto at = std::lower_bound(set_.begin(), set_.end(), c.endpoint);
    if (at != set_.end() && *at == c.endpoint) c.known = known[static_cast<std::size_t>(at - set_.begin())];
  }
  return panic;
}

bool race_memory::peek(std::vector<candidate>& found, time_point now) const {
  if (store_ == nullptr || found.empty()) return false;
  std::vector<endpoint> set;
  set.reserve(found.size());
  for (const candidate& c : found) set.push_back(c.endpoint);
  std::vector<health_view> known(set.size());
  const bool panic = store_->peek(target_, set, known, now);
  for (std::size_t i = 0; i < found.size(); ++i) found[i].known = known[i];
  return panic;
}

void race_memory::on_started(std::size_t number, const endpoint& to, duration patience, time_point now) {
  if (store_ == nullptr) return;
  attempts_.push_back({.number = number, .fact = {.at = to, .patience = patience}, .started = now});
  store_->on_started(to, now);
}

void race_memory::on_tls_started(std::size_t number, time_point now) {
  for (tried& a : attempts_) {
    if (a.number != number || a.ended != never) continue;
    a.tls_began = now;
    a.fact.of_tls = true;
  }
}

void race_memory::settle(std::size_t number, attempt_fact::kind how, std::error_code code, time_point now) {
  for (tried& a : attempts_) {
    if (a.number != number || a.ended != never) continue;
    a.fact.is = how;
    a.fact.code = code;
    a.fact.took = now - a.started;
    a.ended = now;
  }
}

void race_memory::tell(time_point now, random_source& random) {
  for (tried& a : attempts_) {
    if (a.tls_began != never && !std::exchange(a.told_connected, true))
      store_->on_attempt(target_, {.at = a.fact.at, .took = a.tls_began - a.started}, a.tls_began, random);
    if (a.ended == never && now - a.started >= a.fact.patience && !std::exchange(a.told_late, true)) {
      attempt_fact late = a.fact;
      late.is = attempt_fact::kind::late;
      late.took = now - a.started;
      store_->on_attempt(target_, late, now, random);
    }
    if (a.ended == never || std::exchange(a.told, true)) continue;
    store_->on_attempt(target_, a.fact, a.ended, random);
  }
}

void race_memory::on_cancelled() {
  for (tried& a : attempts_)
    if (a.ended == never) a.fact.patience = duration::max();
}

// A family has failed when every attempt has: one that was closed sooner might have come about. Where TCP came about
// the family works, whatever TLS made of it.
void race_memory::on_end(time_point now) {
  if (store_ == nullptr) return;
  race_facts facts{.began = attempts_.empty() ? now : attempts_.front().started};
  std::array<bool, 2> undecided{};
  for (const tried& a : attempts_) {
    const std::size_t i = index_of(a.fact.at.address.family());
    const bool waited_in_vain = a.fact.is == attempt_fact::kind::given_up && a.fact.took > a.fact.patience;
    const bool failed = a.fact.is == attempt_fact::kind::failed && blame_of(a.fact.code) != blame::nothing;
    if (a.tls_began != never || (a.ended != never && a.fact.is == attempt_fact::kind::connected))
      facts.won[i] = true;
    else if (a.ended == never || !(waited_in_vain || failed))
      undecided[i] = true;
    else if (!facts.failed[i])
      facts.failed[i] = a.fact.at.address;
  }
  for (const std::size_t i : {0U, 1U})
    if (undecided[i]) facts.failed[i].reset();
  store_->on_race_end(target_, facts, now);
}

}  // namespace lbresolve::core
