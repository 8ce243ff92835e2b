#include "core/dns_client.hpp"

#include <algorithm>
#include <utility>

namespace lbresolve::core {

namespace {

/// Any answer will do. Every recursive server has this one in its cache, and it tells nobody anything.
question probe_question() { return {name(), rr_type::soa}; }

}  // namespace

void dns_client::use(std::vector<upstream_group> groups) {
  groups_ = std::move(groups);
  discovery_.use(groups_);
  unsettled_ = changed_ = true;
}

void dns_client::forget_designations() {
  discovery_.forget();
  unsettled_ = true;
}

void dns_client::ask(const question& q, std::uint64_t operation, time_point now, bool elsewhere) {
  begin(q, now, elsewhere).waiters.push_back(operation);
}

dns_client::entry& dns_client::begin(const question& q, time_point now, bool elsewhere) {
  const auto [at, fresh] = by_question_.try_emplace(q, next_id_);
  last_use_ = now;
  if (fresh) {
    ++next_id_;  // before begin_query(), which may begin others
    queries_[at->second].work = begin_query(q, now, elsewhere);
  }
  entry& e = queries_.at(at->second);
  e.work->take_time();
  wake(at->second, e);
  return e;
}

std::shared_ptr<query> dns_client::begin_query(const question& q, time_point now, bool elsewhere) {
  upstream_group& group = group_for(groups_, q.name);
  bool ready = true;
  if (group.from) {
    discovery_.want(group, now);
    const auto settled = discovery_.settle(group, now);
    ready = settled.ready;
    changed_ = changed_ || settled.changed;
  }
  auto work = std::make_shared<query>(q, group.servers, group.rules, now, elsewhere);
  if (!ready) {
    begin_discoveries(now);
    work->await(discovery_.under_way(group));
  }
  return work;
}

void dns_client::forget(const question& q, std::uint64_t operation, time_point grace) {
  const auto at = by_question_.find(q);
  if (at == by_question_.end()) return;
  entry& e = queries_.at(at->second);
  std::erase(e.waiters, operation);
  if (!e.waiters.empty()) return;
  e.work->hurry(grace);
  wake(at->second, e);
}

const query* dns_client::under_way(const question& q) const {
  const auto at = by_question_.find(q);
  return at == by_question_.end() ? nullptr : queries_.at(at->second).work.get();
}

void dns_client::wake(id which, entry& e) {
  if (std::exchange(e.queued, true)) return;
  ready_.push_back(which);
}

dns_client::entry* dns_client::find(std::uint64_t exchange, std::size_t& index) {
  const auto at = exchanges_.find(exchange);
  if (at == exchanges_.end()) return nullptr;
  index = at->second.index;
  entry& e = queries_.at(at->second.query);
  wake(at->second.query, e);
  return &e;
}

void dns_client::on_reply(std::uint64_t exchange, reply_match match, std::span<const std::uint8_t> bytes,
                          time_point now) {
  std::size_t index = 0;
  if (entry* e = find(exchange, index)) e->work->on_reply(index, match, bytes, now);
}

void dns_client::on_error(std::uint64_t exchange, const error& why, time_point now, random_source& random) {
  std::size_t index = 0;
  if (entry* e = find(exchange, index)) e->work->on_error(index, why, now, random);
}

dns_client::action dns_client::next(time_point now, random_source& random) {
  while (const auto due = wakes_.due(now)) {
    entry& e = queries_.at(*due);
    wakes_.clear(e.wake);
    wake(*due, e);
    unsettled_ = unsettled_ || e.work->is_awaiting();
  }
  begin_discoveries(now);
  if (std::exchange(unsettled_, false)) settle(now);
  begin_probes(now);
  while (!ready_.empty()) {
    const id which = ready_.front();
    entry& e = queries_.at(which);
    const query::action a = e.work->next(now, random);
    if (a.is == query::action::kind::done && e.probed) {
      const std::size_t probed = *e.probed;
      take_off(which, e)->servers().on_probe_ended(probed, now, random);
      continue;
    }
    if (a.is == query::action::kind::done && e.discovers) {
      discovery_.on_done(*take_off(which, e), now, random);
      settle(now);
      continue;
    }
    if (a.is != query::action::kind::wait) return perform(which, e, a, random);
    wakes_.set(e.wake, a.until, which);
    e.queued = false;
    ready_.pop_front();
  }
  return {.is = action::kind::wait, .until = std::min({wakes_.earliest(), next_probe_at(), discovery_.next_due(now)})};
}

bool dns_client::is_in_use(time_point now) const noexcept {
  return last_use_ && now <= *last_use_ + upstreams_in_use_for;
}

void dns_client::begin_discoveries(time_point now) {
  while (auto due = discovery_.begin_due(now)) {
    entry& e = queries_[next_id_];
    e.work = std::move(due);
    e.discovers = true;
    wake(next_id_++, e);
  }
}

/// Gives the groups what has been found, and to those who waited for it.
void dns_client::settle(time_point now) {
  for (upstream_group& group : groups_)
    if (group.from && discovery_.settle(group, now).changed) changed_ = true;
  for (auto& [which, e] : queries_) {
    if (!e.work->is_awaiting()) continue;
    upstream_group& group = group_for(groups_, e.work->asked().name);
    if (group.from && !discovery_.settle(group, now).ready) continue;
    e.work->use(group.servers);
    wake(which, e);
  }
}

void dns_client::begin_probes(time_point now) {
  if (!is_in_use(now)) return;
  for (const upstream_group& group : groups_) {
    while (const auto probed = group.servers->take_probe(now)) {
      entry& e = queries_[next_id_];
      e.work = std::make_shared<query>(probe_question(), group.servers, *probed, group.rules, now);
      e.probed = probed;
      wake(next_id_++, e);
    }
  }
}

time_point dns_client::next_probe_at() const {
  time_point at = never;
  for (const upstream_group& group : groups_) at = std::min(at, group.servers->next_probe_at());
  return is_in_use(at) ? at : never;
}

std::shared_ptr<query> dns_client::take_off(id which, entry& e) {
  std::shared_ptr<query> work = std::move(e.work);
  for (const std::uint64_t exchange : e.exchanges) exchanges_.erase(exchange);
  wakes_.clear(e.wake);
  if (!e.probed && !e.discovers) by_question_.erase(work->asked());
  queries_.erase(which);
  ready_.pop_front();
  return work;
}

dns_client::action dns_client::perform(id which, entry& e, const query::action& a, random_source& random) {
  action out;
  if (a.is == query::action::kind::done) {
    out.is = action::kind::deliver;
    out.waiters = std::move(e.waiters);
    out.done = take_off(which, e);
    return out;
  }
  const query_try& t = e.work->tries()[a.index];
  out.server = &e.work->servers()[t.upstream];
  out.over = t.over;
  if (a.is == query::action::kind::abandon) {
    out.is = action::kind::abandon;
    out.exchange = e.exchanges[a.index];
    exchanges_.erase(out.exchange);
    return out;
  }
  out.is = action::kind::send;
  out.exchange = next_id_++;
  e.exchanges.push_back(out.exchange);
  exchanges_.emplace(out.exchange, exchange_of{which, a.index});
  out.message = e.work->message_for(a.index, random);
  return out;
}

}  // namespace lbresolve::core
