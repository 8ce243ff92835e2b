#include "core/resolve_operation.hpp"

#include "core/explain.hpp"
#include "core/lookup_story.hpp"

#include <algorithm>
#include <utility>

namespace lbresolve::core {

resolve_operation::resolve_operation(resolve_request request, std::shared_ptr<const system_settings> system,
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

operation_action resolve_operation::next(time_point now, random_source& random) {
  using step = operation_action::kind;
  if (cancelled_) return finish(now, random);
  for (;;) {
    service_lookup::action a = lookup_.next(random);
    lookup_.tell(now - start_, *story_);
    switch (a.is) {
      case service_lookup::action::kind::ask:
        return {
            .is = step::ask, .fresh = !request_.use_cache, .stale_too = request_.stale.has_value(), .asked = *a.asked};
      case service_lookup::action::kind::found:
        collect(std::move(a), now);
        continue;
      case service_lookup::action::kind::expect:
      case service_lookup::action::kind::none:
        continue;
      case service_lookup::action::kind::done:
        return finish(now, random);
      case service_lookup::action::kind::wait:
        break;
    }
    const time_point until = next_event();
    if (now < until) return {.is = step::wait, .until = until};
    if (take_all_stale(now)) {
      request_.deadline = now;  // what has no old answer has had as long
      continue;
    }
    timed_out_ = true;
    return finish(now, random);
  }
}

time_point resolve_operation::next_event() const {
  return std::min({request_.deadline, first_found_ ? *first_found_ + request_.sibling_wait : never,
                   stale_.empty() ? never : start_ + request_.stale->after});
}

void resolve_operation::collect(service_lookup::action found, time_point now) {
  if (!first_found_ && !found.candidates.empty()) first_found_ = now;
  std::erase_if(found_, [&](const candidate& c) { return c.from == found.from; });
  if (request_.members && is_of_the_name(found.from))
    request_.memory.join_kept(found.from, found.candidates, found.expires, found.ttl, now);
  for (candidate& c : found.candidates) {
    if (const auto instead = translated(request_.lookup.nat64, c.endpoint.address, request_.source_of)) {
      note_translation(c.endpoint.address, *instead, *story_);
      c.endpoint.address = *instead;
      c.translated = true;
    }
    c.source = request_.source_of(c.endpoint.address);
    found_.push_back(std::move(c));
  }
}

operation_action resolve_operation::finish(time_point now, random_source& random) {
  story_->took = now - start_;
  if (timed_out_ && first_found_)
    story_->notes.emplace_back(request_.lookup.what.service
                                   ? "not every host of the service was found in time: not waited for"
                                   : "the other address family did not answer: not waited for");
  if (std::all_of(found_.begin(), found_.end(), [](const candidate& c) { return c.endpoint.port != 0; }))
    panic_ = request_.memory.peek(found_, now);
  for (const candidate& c : order(found_, request_.ordering, random)) ordered_.push_back(c.endpoint);
  return {.is = operation_action::kind::done};
}

void resolve_operation::on_answer(const question& q, const delivery& d, time_point now) {
  if (d.stale) return take_stale(q, d, now);
  tell(q, d, start_, now, *story_);
  const auto old = std::find_if(stale_.begin(), stale_.end(), [&](const auto& s) { return s.first == q; });
  if (old == stale_.end()) return lookup_.on_answer(q, d.what, d.expires);
  const delivery known = std::move(old->second);
  stale_.erase(old);
  // RFC 8767 section 4: only where there is no answer. NXDOMAIN and NODATA are answers.
  if (d.what->is != answer::kind::failure) return lookup_.on_answer(q, d.what, d.expires);
  answered_stale_.push_back(q);
  take_stale(q, known, now);
}

void resolve_operation::on_stale(const question& q, const delivery& d, time_point) { stale_.emplace_back(q, d); }

void resolve_operation::take_stale(const question& q, const delivery& d, time_point now) {
  story_->notes.push_back(note_on_stale(q, d, now));
  delivery told = d;
  told.expires = now + request_.stale->ttl;
  tell(q, told, start_, now, *story_);
  used_stale_ = true;
  lookup_.on_answer(q, told.what, never);  // its TTL is what is said of it, not what is left of it
}

/// The questions that an old answer is known for are waited for no longer. False: there are none.
bool resolve_operation::take_all_stale(time_point now) {
  const auto known = std::exchange(stale_, {});
  for (const auto& [q, d] : known) {
    answered_stale_.push_back(q);
    take_stale(q, d, now);
  }
  return !known.empty();
}

void resolve_operation::on_unanswered(const query& q, time_point) { tell(q, start_, false, story_->queries); }

error resolve_operation::failure() const {
  const std::string& target = request_.lookup.what.text;
  if (cancelled_) return error(make_error_code(errc::cancelled), "the lookup of " + target + " was cancelled", story_);
  if (timed_out_) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(story_->took).count();
    return error(make_error_code(errc::timed_out),
                 "no upstream answered for " + target + " within " + std::to_string(ms) + " ms", story_);
  }
  const error e = lookup_.failure();
  return error(e.code(), e.message(), story_);
}

result<explanation> resolve_operation::explained(random_source& random) {
  if (ordered_.empty()) return failure();
  return explanation{.target = request_.lookup.what.text,
                     .mode = request_.ordering.mode,
                     .policy = request_.ordering.policy,
                     .behaviour = request_.memory.behaviour(),
                     .panic = panic_,
                     .candidates = explain(found_, request_.ordering, random),
                     .story = story_};
}

result<resolution> resolve_operation::outcome() {
  if (ordered_.empty()) return failure();
  duration left = lookup_.expires() == never ? duration::zero() : lookup_.expires() - (start_ + story_->took);
  if (used_stale_) left = lookup_.expires() == never ? request_.stale->ttl : std::min(left, request_.stale->ttl);
  const lookup& host = lookup_.host();
  const name& canonical = host.canonical_name();
  const std::string found_name =
      host.current_name().is_root() ? request_.lookup.what.host : host.current_name().to_text();
  return resolution{.name = found_name,
                    .canonical_name = canonical.is_root() ? found_name : canonical.to_text(),
                    .endpoints = std::move(ordered_),
                    .ttl = std::max(std::chrono::duration_cast<std::chrono::seconds>(left), std::chrono::seconds{0}),
                    .story = story_};
}

}  // namespace lbresolve::core
