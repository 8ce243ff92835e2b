#include "core/measure_operation.hpp"

#include "core/lookup_story.hpp"

#include <algorithm>
#include <utility>

namespace lbresolve::core {

using outcome_kind = attempt_record::outcome;

measure_operation::measure_operation(measure_request request, std::shared_ptr<const system_settings> system,
                                     time_point now)
    : request_(std::move(request)),
      start_(now),
      lookup_(request_.lookup, std::move(system)),
      story_(std::make_shared<trace>()) {
  story_->target = request_.lookup.what.text;
  story_->began = request_.began;
  story_->notes = std::move(request_.notes);
  lookup_.tell(elapsed::zero(), *story_);
}

operation_action measure_operation::next(time_point now, random_source& random) {
  using step = operation_action::kind;
  request_.memory.tell(now, random);
  while (!looked_up_ && !is_over(now)) {
    const service_lookup::action a = lookup_.next(random);
    lookup_.tell(now - start_, *story_);
    if (a.is == service_lookup::action::kind::ask)
      return {.is = step::ask, .fresh = !request_.use_cache, .asked = *a.asked};
    if (a.is == service_lookup::action::kind::found) take(a);
    looked_up_ = a.is == service_lookup::action::kind::done;
    if (looked_up_) belong_together(now, random);
    if (a.is == service_lookup::action::kind::wait) return {.is = step::wait, .until = request_.deadline};
  }
  if (auto socket = next_socket(now)) return *socket;
  timed_out_ = timed_out_ || (!looked_up_ && now >= request_.deadline);
  request_.memory.tell(now, random);
  story_->took = now - start_;
  return {.is = step::done};
}

/// What the same question brought before is replaced: it is asked about again when more is known.
void measure_operation::take(const service_lookup::action& found) {
  std::erase_if(looks_, [&](const look& l) { return l.what.from == found.from; });
  for (candidate c : found.candidates) {
    if (const auto instead = translated(request_.lookup.nat64, c.endpoint.address, request_.source_of))
      c.endpoint.address = *instead;
    const auto same = [&](const look& l) { return l.what.endpoint == c.endpoint; };
    if (std::none_of(looks_.begin(), looks_.end(), same)) looks_.push_back({.what = c});
  }
}

/// Tells the memory that they are one set.
void measure_operation::belong_together(time_point now, random_source& random) {
  std::vector<candidate> set;
  for (const look& l : looks_) set.push_back(l.what);
  request_.memory.look_up(set, now, random);
}

/// The next socket to open or close, or the wait for those that are open; nothing once all are settled.
std::optional<operation_action> measure_operation::next_socket(time_point now) {
  using step = operation_action::kind;
  time_point until = request_.deadline;
  for (std::size_t i = 0; i < looks_.size(); ++i) {
    look& l = looks_[i];
    const time_point due = start_ + l.record.started + request_.patience;
    if (l.open && !l.settled && (is_over(now) || now >= due)) {
      l.record.code = std::make_error_code(std::errc::timed_out);
      settle(l, is_over(now) ? outcome_kind::cancelled : outcome_kind::failed, now);
      if (is_over(now))
        request_.memory.on_closed(i, now);
      else
        request_.memory.on_failed(i, l.record.code, now);
    }
    if (l.open && l.settled) {
      l.open = false;
      return operation_action{.is = step::close, .attempt = i};
    }
    if (l.open) until = std::min(until, due);
  }
  for (std::size_t i = 0; i < looks_.size(); ++i) {
    look& l = looks_[i];
    if (l.open || l.settled) continue;
    l.record.endpoint = l.what.endpoint;
    l.record.started = now - start_;
    if (is_over(now) || !request_.source_of(l.what.endpoint.address)) {
      l.record.detail = is_over(now) ? "no time was left" : "this host has no route to it";
      settle(l, outcome_kind::skipped, now);
      continue;
    }
    if (live_ >= request_.most_at_once) break;
    ++live_;
    l.open = true;
    l.record.reached = attempt_record::stage::connect;
    request_.memory.on_started(i, l.what.endpoint, duration::max(), now);
    return operation_action{.is = step::open, .attempt = i, .to = l.what.endpoint};
  }
  if (live_ == 0) return std::nullopt;
  return operation_action{.is = step::wait, .until = until};
}

void measure_operation::settle(look& l, outcome_kind how, time_point now) {
  l.settled = true;
  l.record.ended = now - start_;
  l.record.ended_as = how;
  if (how != outcome_kind::skipped) --live_;
}

void measure_operation::on_connected(std::size_t attempt, time_point now) {
  look& l = looks_[attempt];
  if (l.settled) return;
  settle(l, outcome_kind::won, now);
  request_.memory.on_connected(attempt, now);
}

void measure_operation::on_failed(std::size_t attempt, const attempt_failure& how, time_point now) {
  look& l = looks_[attempt];
  l.open = false;
  if (l.settled) return;
  l.record.code = how.code;
  l.record.reached = how.stage;
  settle(l, outcome_kind::failed, now);
  request_.memory.on_failed(attempt, how.code, now);
}

void measure_operation::on_answer(const question& q, const delivery& d, time_point now) {
  tell(q, d, start_, now, *story_);
  lookup_.on_answer(q, d.what, d.expires);
}

void measure_operation::on_unanswered(const query& q, time_point) { tell(q, start_, false, story_->queries); }

result<probe_report> measure_operation::outcome() {
  const std::string& target = request_.lookup.what.text;
  if (cancelled_) return error(make_error_code(errc::cancelled), "the probe of " + target + " was cancelled", story_);
  if (looks_.empty() && timed_out_)
    return error(make_error_code(errc::timed_out), "no upstream answered for " + target + " in time", story_);
  if (looks_.empty()) {
    const error e = lookup_.failure();
    return error(e.code(), e.message(), story_);
  }
  probe_report out{.target = target, .attempts = {}, .story = story_};
  for (look& l : looks_) out.attempts.push_back(std::move(l.record));
  return out;
}

}  // namespace lbresolve::core
