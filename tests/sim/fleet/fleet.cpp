#include "sim/fleet/fleet.hpp"

#include "sim/fleet/draws.hpp"

#include <algorithm>
#include <cassert>
#include <limits>

namespace lbresolve::fleet {

using namespace std::chrono_literals;

namespace {

using kind = event::kind;

constexpr std::size_t most_live = 6;
constexpr duration replace_after = 1s;
constexpr auto nobody = std::numeric_limits<std::uint8_t>::max();

/// A place in a pool, used again where one is free.
template <class T>
std::uint32_t take(std::vector<T>& pool, std::vector<std::uint32_t>& free, T value) {
  if (free.empty()) {
    pool.push_back(value);
    return static_cast<std::uint32_t>(pool.size() - 1);
  }
  const auto i = free.back();
  free.pop_back();
  pool[i] = value;
  return i;
}

}  // namespace

fleet::fleet(const fleet_setup& setup, const chooser_factory& make)
    : setup_(setup),
      make_(make),
      arrivals_(setup.seed * 3 + 1),
      network_(setup.seed * 5 + 2),
      choices_(setup.seed * 7 + 3),
      dns_(setup.dns) {
  assert(!setup_.servers.empty() && setup_.servers.size() <= 64);
  std::vector<server_facts> facts;
  for (const auto& s : setup_.servers) {
    servers_.emplace_back(s);
    facts.push_back({s.weight, s.ipv6});
  }
  report_.servers.resize(servers_.size());
  report_.step = setup_.step;
  clients_.resize(setup_.clients);
  for (std::uint32_t i = 0; i < clients_.size(); ++i) {
    clients_[i].choice = make_(facts, choices_);
    schedule_arrival(i);
  }
}

run_report fleet::run() {
  const auto end = beginning + setup_.length;
  while (!events_.empty() && events_.top().at < end) {
    const event e = events_.pop();
    now_ = e.at;
    handle(e);
  }
  now_ = end;
  count_unanswered();
  add_up_outages();
  report_.questions = dns_.questions();
  return report_;
}

void fleet::handle(const event& e) {
  switch (e.what) {
    case kind::arrival:
      return on_arrival(e.who);
    case kind::attempt_ends:
      if (operations_[e.who].generation == e.generation) on_attempt_ends(e.who, e.slot);
      return;
    case kind::delay_over:
      if (operations_[e.who].generation == e.generation) on_delay_over(e.who, e.slot);
      return;
    case kind::deadline:
      if (operations_[e.who].generation == e.generation) finish(e.who, nullptr);
      return;
    case kind::request_arrives:
      return on_request_arrives(e.who);
    case kind::response:
      return on_response(e.who);
    case kind::probe:
      if (clients_[e.who].probe_at == e.at) on_probe(e.who);
      return;
    case kind::probe_ends:
      return on_probe_ends(e.who);
  }
}

// ---- connects

void fleet::schedule_arrival(std::uint32_t who) {
  const auto mean = scaled(1s, 1 / setup_.connects_per_second);
  const bool first = now_ == beginning;
  duration wait = exponential(mean, arrivals_);
  if (setup_.regular) wait = first ? scaled(mean, arrivals_.unit()) : mean;
  events_.push({.at = now_ + wait, .what = kind::arrival, .who = who});
}

void fleet::renew_answer(client& c, std::uint32_t who) {
  const auto& answer = dns_.ask(who, servers_, now_, network_);
  c.answer_until = answer.until;
  c.choice->on_answer(answer.addresses, now_);
}

std::uint32_t fleet::take_operation() {
  if (free_operations_.empty()) {
    operations_.emplace_back();
    return static_cast<std::uint32_t>(operations_.size() - 1);
  }
  const auto i = free_operations_.back();
  free_operations_.pop_back();
  return i;
}

void fleet::on_arrival(std::uint32_t who) {
  if (++started_ < setup_.most_connects) schedule_arrival(who);
  client& c = clients_[who];
  if (c.answer_until <= now_) renew_answer(c, who);
  const auto id = take_operation();
  operation& o = operations_[id];
  o.client = who;
  o.done = false;
  o.counted = is_measured();
  o.started = now_;
  o.next = 0;
  o.plan.clear();
  o.attempts.clear();
  c.choice->plan(o.plan, now_);
  assert(!o.plan.empty());
  note_first(o, c, o.plan.front());
  events_.push({.at = now_ + setup_.deadline, .what = kind::deadline, .who = id, .generation = o.generation});
  start_next(id);
}

/// Keeps account of the connects that tried a dead server first.
void fleet::note_first(const operation& o, client& c, server_id s) {
  if (o.counted) ++report_.servers[s].firsts;
  count_step(report_.firsts, s);
  const trouble* outage = servers_[s].outage_at(now_);
  if (outage == nullptr) return;
  auto seen = std::find_if(c.outages.begin(), c.outages.end(), [&](const outage_seen& x) { return x.which == outage; });
  if (seen == c.outages.end()) {
    auto patience = servers_[s].setup().refuses_after;
    if (outage->what == trouble::kind::mute) patience = c.choice->attempt_delay(s).value_or(setup_.deadline);
    c.outages.push_back({outage, 0, 0, now_ + patience, now_});
    seen = c.outages.end() - 1;
  }
  ++seen->hits;
  if (now_ >= seen->told) ++seen->late_hits;
  seen->last = now_;
}

std::size_t fleet::live(const operation& o) const {
  return static_cast<std::size_t>(std::count_if(o.attempts.begin(), o.attempts.end(),
                                                [](const attempt& a) { return a.is == attempt::state::live; }));
}

/// Closes the oldest attempt, where as many are live as may be and it has had its time.
void fleet::make_room(operation& o) {
  if (live(o) < most_live) return;
  const auto oldest =
      std::find_if(o.attempts.begin(), o.attempts.end(), [](const attempt& a) { return a.is == attempt::state::live; });
  if (now_ - oldest->started < replace_after) return;
  oldest->is = attempt::state::cancelled;
  oldest->ended = now_;
  clients_[o.client].choice->on_cancelled(oldest->server, now_ - oldest->started, now_);
  watch(o.client, oldest->server);
}

void fleet::start_next(std::uint32_t op) {
  operation& o = operations_[op];
  if (o.next == o.plan.size()) {
    if (live(o) == 0) finish(op, nullptr);
    return;
  }
  make_room(o);
  client& c = clients_[o.client];
  const auto slot = static_cast<std::uint8_t>(o.attempts.size());
  if (live(o) >= most_live) {  // look again when the oldest has had its time
    events_.push(
        {.at = now_ + replace_after, .what = kind::delay_over, .slot = nobody, .who = op, .generation = o.generation});
    return;
  }
  const auto s = o.plan[o.next++];
  const auto fate = servers_[s].connect(region_of(o.client), now_, network_);
  o.attempts.push_back({s, attempt::state::live, fate.connected, now_, now_});
  if (o.counted) {
    ++report_.attempts;
    ++report_.servers[s].attempts;
  }
  const auto delay = c.choice->attempt_delay(s);
  c.choice->on_started(s, now_);
  if (fate.at < o.started + setup_.deadline) {
    events_.push({.at = fate.at, .what = kind::attempt_ends, .slot = slot, .who = op, .generation = o.generation});
  }
  if (delay) {
    events_.push({.at = now_ + *delay, .what = kind::delay_over, .slot = slot, .who = op, .generation = o.generation});
  }
}

void fleet::on_delay_over(std::uint32_t op, std::size_t which) {
  const operation& o = operations_[op];
  // Another has been started since: its own delay counts.
  if (which != nobody && which + 1 != o.attempts.size()) return;
  if (which != nobody && o.next < o.plan.size()) {
    for (const auto& a : o.attempts) {
      if (a.is != attempt::state::live) continue;
      clients_[o.client].choice->on_overdue(a.server, now_ - a.started, now_);
    }
  }
  start_next(op);
}

void fleet::on_attempt_ends(std::uint32_t op, std::size_t which) {
  operation& o = operations_[op];
  attempt& a = o.attempts[which];
  if (a.is != attempt::state::live) return;
  if (a.will_connect) return finish(op, &a);
  a.is = attempt::state::failed;
  a.ended = now_;
  const auto s = a.server;
  clients_[o.client].choice->on_failed(s, now_ - a.started, now_);
  watch(o.client, s);
  start_next(op);
}

/// @param winner the attempt that connected, or nothing at the deadline and when all have failed
void fleet::finish(std::uint32_t op, const attempt* winner) {
  operation& o = operations_[op];
  client& c = clients_[o.client];
  for (auto& a : o.attempts) {
    if (&a == winner || a.is != attempt::state::live) continue;
    a.is = attempt::state::cancelled;
    a.ended = now_;
    c.choice->on_cancelled(a.server, now_ - a.started, now_);
    watch(o.client, a.server);
  }
  const auto took = now_ - o.started;
  results_.clear();
  for (const auto& a : o.attempts) {
    results_.push_back({a.server, &a == winner, a.is == attempt::state::failed, a.ended - a.started});
  }
  if (winner != nullptr) {
    const auto s = winner->server;
    c.choice->on_connected(s, now_ - winner->started, now_);
    c.choice->on_race_end(results_, now_);
    watch(o.client, s);
    count_step(report_.wins, s);
    if (o.counted) {
      ++report_.servers[s].wins;
      report_.connect_time.add(took);
    }
    if (setup_.requests) send_request(o, s);
  } else {
    c.choice->on_race_end(results_, now_);
    renew_answer(c, o.client);  // all have failed: perhaps the answer is out of date
  }
  if (o.counted) {
    ++report_.connects;
    if (winner == nullptr) ++report_.failed;
    if (winner == nullptr || winner != o.attempts.data()) ++report_.second_tries;
    if (!setup_.requests && winner != nullptr) count_total(took);
  }
  ++o.generation;
  o.done = true;
  free_operations_.push_back(op);
  schedule_probe(static_cast<std::uint32_t>(&c - clients_.data()));
}

void fleet::count_step(timeline& t, server_id s) {
  const auto step = static_cast<std::size_t>((now_ - beginning) / setup_.step);
  if (t.size() <= step) t.resize(step + 1, std::vector<std::uint32_t>(servers_.size()));
  ++t[step][s];
}

void fleet::count_total(duration took) {
  report_.total_time.add(took);
  if (took <= 1s) ++report_.within_second;
}

// ---- requests

void fleet::send_request(const operation& o, server_id s) {
  const auto id = take(requests_, free_requests_, request{o.client, s, o.counted, true, o.started, now_});
  if (setup_.feedback) clients_[o.client].choice->on_request(s, now_);
  const auto there = servers_[s].rtt(region_of(o.client), network_) / 2;
  events_.push({.at = now_ + there, .what = kind::request_arrives, .who = id});
}

void fleet::on_request_arrives(std::uint32_t which) {
  const auto& r = requests_[which];
  const auto served = servers_[r.server].serve(now_, network_);
  const auto back = servers_[r.server].rtt(region_of(r.client), network_) / 2;
  events_.push({.at = served + back, .what = kind::response, .who = which});
}

void fleet::on_response(std::uint32_t which) {
  const auto r = requests_[which];
  free_requests_.push_back(which);
  requests_[which].waits = false;
  if (setup_.feedback) {
    clients_[r.client].choice->on_response(r.server, now_ - r.sent, now_);
    watch(r.client, r.server);
  }
  if (r.counted) count_total(now_ - r.connect_started);
}

/// Requests that have waited for over a second when the run ends are late, though nobody knows how late.
void fleet::count_unanswered() {
  for (const auto& r : requests_) {
    if (r.waits && r.counted && now_ - r.connect_started > 1s) count_total(now_ - r.connect_started);
  }
}

// ---- health

/// Counts ejections as they happen.
void fleet::watch(std::uint32_t who, server_id s) {
  client& c = clients_[who];
  const auto bit = std::uint64_t{1} << s;
  const bool is = c.choice->is_ejected(s, now_);
  if (is && (c.ejected & bit) == 0) {
    ++report_.servers[s].ejections;
    if (!servers_[s].was_in_trouble(now_, 10s)) ++report_.servers[s].false_ejections;
  }
  c.ejected = is ? c.ejected | bit : c.ejected & ~bit;
}

void fleet::schedule_probe(std::uint32_t who) {
  client& c = clients_[who];
  const auto due = c.choice->next_probe(now_);
  if (due == core::never || (c.probe_at <= due && c.probe_at >= now_)) return;
  c.probe_at = std::max(due, now_);
  events_.push({.at = c.probe_at, .what = kind::probe, .who = who});
}

void fleet::on_probe(std::uint32_t who) {
  client& c = clients_[who];
  c.probe_at = core::never;
  const auto s = c.choice->take_probe(now_);
  if (s) {
    auto fate = servers_[*s].connect(region_of(who), now_, network_);
    const auto limit = now_ + c.choice->probe_timeout();
    if (fate.at > limit) fate = {false, limit};
    const auto id = take(probes_, free_probes_, probe{who, *s, fate.connected, now_});
    events_.push({.at = fate.at, .what = kind::probe_ends, .who = id});
    ++report_.servers[*s].probes;
    ++report_.probes;
  }
  schedule_probe(who);
}

void fleet::on_probe_ends(std::uint32_t which) {
  const auto p = probes_[which];
  free_probes_.push_back(which);
  clients_[p.client].choice->on_probe_ended(p.server, p.connects, now_ - p.started, now_);
  watch(p.client, p.server);
  schedule_probe(p.client);
}

void fleet::add_up_outages() {
  for (const auto& c : clients_) {
    for (const auto& o : c.outages) {
      ++report_.outages_seen;
      report_.hits += o.hits;
      report_.late_hits += o.late_hits;
      report_.most_hits = std::max<std::uint64_t>(report_.most_hits, o.hits);
      report_.most_late_hits = std::max<std::uint64_t>(report_.most_late_hits, o.late_hits);
      report_.avoided_after.add(o.last - o.which->from);
    }
  }
}

}  // namespace lbresolve::fleet
