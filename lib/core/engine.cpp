#include "core/engine.hpp"

#include "core/probe_operation.hpp"

#include <algorithm>
#include <utility>

namespace lbresolve::core {

void engine::start(operation_id id, std::unique_ptr<operation> work, time_point now) {
  entry& e = operations_[id];
  e.work = std::move(work);
  // What the caller's thread could not have from the cache; what is only to be joined may still be there.
  for (const question& q : e.work->pending()) {
    if (e.work->only_joins())
      ask(id, e, {.is = operation_action::kind::ask, .join = true, .asked = q}, now);
    else
      client_.ask(q, id, now);
  }
  wake(id, e);
}

void engine::cancel(operation_id id, time_point now) {
  const auto at = operations_.find(id);
  if (at == operations_.end()) return;
  at->second.work->cancel(now);
  wake(id, at->second);
}

void engine::on_connected(operation_id id, std::size_t attempt, time_point now) {
  const auto at = operations_.find(id);
  if (at == operations_.end()) return;
  at->second.work->on_connected(attempt, now);
  wake(id, at->second);
}

void engine::on_tls_started(operation_id id, std::size_t attempt, time_point now) {
  const auto at = operations_.find(id);
  if (at == operations_.end()) return;
  at->second.work->on_tls_started(attempt, now);
  wake(id, at->second);
}

void engine::on_failed(operation_id id, std::size_t attempt, const attempt_failure& how, time_point now) {
  const auto at = operations_.find(id);
  if (at == operations_.end()) return;
  at->second.work->on_failed(attempt, how, now);
  wake(id, at->second);
}

void engine::wake(operation_id id, entry& e) {
  if (std::exchange(e.queued, true)) return;
  ready_.push_back(id);
}

// Answers first: an operation should decide with all that is known.
engine::action engine::next(time_point now, random_source& random) {
  for (;;) {
    dns_client::action dns = client_.next(now, random);
    if (dns.is == dns_client::action::kind::deliver) {
      deliver(dns, now);
      continue;
    }
    if (dns.is == dns_client::action::kind::send) return {.is = action::kind::send, .dns = std::move(dns)};
    if (dns.is == dns_client::action::kind::abandon) return {.is = action::kind::abandon, .dns = std::move(dns)};

    while (const auto due = wakes_.due(now)) {
      entry& e = operations_.at(*due);
      wakes_.clear(e.wake);
      wake(*due, e);
    }
    if (ready_.empty() && !start_probe(now)) {
      const time_point probe_at = memory_ == nullptr ? never : memory_->next_probe_at(now);
      return {.is = action::kind::wait, .until = std::min({dns.until, wakes_.earliest(), probe_at})};
    }

    const operation_id id = ready_.front();
    entry& e = operations_.at(id);
    const operation_action a = e.work->next(now, random);
    switch (a.is) {
      case operation_action::kind::ask:
        ask(id, e, a, now);
        break;
      case operation_action::kind::open:
        return {.is = action::kind::open, .id = id, .attempt = a.attempt, .to = a.to};
      case operation_action::kind::close:
        return {.is = action::kind::close, .id = id, .attempt = a.attempt};
      case operation_action::kind::done:
        ready_.pop_front();
        return finish(id, e, now);
      case operation_action::kind::wait:
        wakes_.set(e.wake, a.until, id);
        e.queued = false;
        ready_.pop_front();
        break;
    }
  }
}

void engine::ask(operation_id id, entry& e, const operation_action& a, time_point now) {
  const bool joins = a.join && client_.under_way(a.asked) != nullptr;
  if (!a.fresh && !joins) {
    if (auto hit = answers_->find(a.asked, now, a.stale_too)) {
      const delivery known{.what = std::move(hit->what), .expires = hit->expires, .stale = hit->stale};
      if (hit->refresh && !hit->stale) refresh(a.asked, now);
      if (!hit->refresh || !hit->stale) return e.work->on_answer(a.asked, known, now);
      e.work->on_stale(a.asked, known, now);
    }
  }
  client_.ask(a.asked, id, now, a.elsewhere);
}

bool engine::start_probe(time_point now) {
  if (memory_ == nullptr) return false;
  const auto to = memory_->next_probe(now);
  if (!to) return false;
  start(++last_own_, std::make_unique<probe_operation>(*to, *memory_, now), now);
  return true;
}

void engine::deliver(const dns_client::action& done, time_point now) {
  const query& q = *done.done;
  delivery d{.what = q.result(), .expires = now + std::chrono::seconds{q.result()->ttl}, .by = &q};
  if (d.what->is != answer::kind::failure || q.failed_for_good()) answers_->store(q.asked(), d.what, now);
  for (const operation_id id : done.waiters) {
    const auto at = operations_.find(id);
    if (at == operations_.end()) continue;
    at->second.work->on_answer(q.asked(), d, now);
    wake(id, at->second);
    d.shared = true;
  }
}

engine::action engine::finish(operation_id id, entry& e, time_point now) {
  const std::vector<question> stale = e.work->answered_stale();
  for (const question& q : stale) {
    if (const query* under_way = client_.under_way(q)) e.work->on_unanswered(*under_way, now);
    answers_->on_stale_used(q, now);
  }
  for (const question& q : e.work->pending()) {
    if (std::find(stale.begin(), stale.end(), q) != stale.end()) continue;
    if (const query* under_way = client_.under_way(q)) e.work->on_unanswered(*under_way, now);
    client_.forget(q, id, now + late_answers_);
  }
  for (const question& q : e.work->distrusted()) answers_->ask_again(q, now);
  wakes_.clear(e.wake);
  action out{.is = action::kind::finish, .id = id, .work = std::move(e.work)};
  operations_.erase(id);
  return out;
}

}  // namespace lbresolve::core
