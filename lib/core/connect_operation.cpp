#include "core/connect_operation.hpp"

#include "core/lookup_story.hpp"

#include <algorithm>
#include <utility>

namespace lbresolve::core {

namespace {

connect_request in_turn(connect_request r, time_point now) {
  if (r.racing.policy == policy::round_robin) r.racing.turn = r.memory.take_turn(now);
  return r;
}

}  // namespace

connect_operation::connect_operation(connect_request request, std::shared_ptr<const system_settings> system,
                                     time_point now)
    : request_(in_turn(std::move(request), now)),
      system_(std::move(system)),
      start_(now),
      race_(request_.racing, now),
      story_(std::make_shared<trace>()) {
  story_->target = request_.lookup.what.text;
  story_->began = request_.began;
  story_->notes = std::move(request_.notes);
  begin_lookup();
}

void connect_operation::begin_lookup() {
  lookup_.emplace(request_.lookup, system_);
  for (const rr_type type : lookup_->types()) race_.expect(type);
  lookup_->tell(elapsed::zero(), *story_);
}

operation_action connect_operation::next(time_point now, random_source& random) {
  using step = operation_action::kind;
  request_.memory.tell(now, random);
  for (;;) {
    if (!stale_.empty()) feed_stale(now, random);
    service_lookup::action found = lookup_->next(random);
    if (found.is == service_lookup::action::kind::ask) {
      const bool again = asking_ == asking_again::past_the_cache;
      return {.is = step::ask,
              .fresh = again || !request_.use_cache,
              .stale_too = may_be_stale(*found.asked),
              .elsewhere = again,
              .join = asking_ == asking_again::joined,
              .asked = *found.asked};
    }
    lookup_->tell(now - start_, *story_);
    if (found.is != service_lookup::action::kind::wait && found.is != service_lookup::action::kind::done) {
      feed(std::move(found), now, random);
      continue;
    }
    const race::action a = race_.next(now);
    switch (a.what) {
      case race::action::kind::start:
        request_.memory.on_started(a.attempt, a.to, a.patience, now);
        return {.is = step::open, .attempt = a.attempt, .to = a.to};
      case race::action::kind::close:
        request_.memory.on_closed(a.attempt, now);
        return {.is = step::close, .attempt = a.attempt};
      case race::action::kind::wait:
        return {.is = step::wait, .until = a.until};
      case race::action::kind::resolve_again:
        resolve_again(now);
        continue;
      case race::action::kind::won:
        winner_ = a.attempt;
        break;
      case race::action::kind::lost:
        code_ = a.why;
        break;
    }
    story_->took = now - start_;
    request_.memory.tell(now, random);
    request_.memory.on_end(now);
    return {.is = step::done};
  }
}

// Addresses of the host asked for. No stale service records: they would move the port of what is not stale.
bool connect_operation::may_be_stale(const question& q) const {
  return request_.use_stale && asking_ == asking_again::no && !request_.lookup.what.service &&
         (q.type == rr_type::a || q.type == rr_type::aaaa) && q.name == lookup_->host().current_name();
}

// The race begins with what was known, and is not lost before the new answer is there (HE-17).
void connect_operation::feed_stale(time_point now, random_source& random) {
  for (const auto& [asked, what] : std::exchange(stale_, {})) {
    service_lookup::action known{.is = service_lookup::action::kind::found, .from = asked.type};
    for (const address& to : what->addresses)
      known.candidates.push_back({.endpoint = {to, request_.lookup.what.port.value_or(443)}, .from = asked.type});
    for (candidate& c : known.candidates) complete(c);
    request_.memory.look_up(known.candidates, now, random);
    race_.on_candidates(known.from, std::move(known.candidates), now, random);
    race_.expect_refresh(known.from);
    answered_stale_.push_back(asked);
  }
}

void connect_operation::feed(service_lookup::action found, time_point now, random_source& random) {
  if (found.is == service_lookup::action::kind::expect) return race_.expect(found.from, found.priority);
  if (found.is == service_lookup::action::kind::none) return race_.on_no_candidates(found.from, now);
  if (is_of_the_name(found.from))
    request_.memory.join_kept(found.from, found.candidates, found.expires, found.ttl, now);
  for (candidate& c : found.candidates) complete(c);
  if (request_.memory.look_up(found.candidates, now, random) && !std::exchange(panic_, true))
    story_->notes.emplace_back("most addresses fail and none succeeds: suspecting the local network, ejecting nobody");
  race_.on_candidates(found.from, std::move(found.candidates), now, random);
}

void connect_operation::on_connected(std::size_t attempt, time_point now) {
  race_.on_connected(attempt, now);
  request_.memory.on_connected(attempt, now);
}

void connect_operation::on_tls_started(std::size_t attempt, time_point now) {
  race_.on_tls_started(attempt, now);
  request_.memory.on_tls_started(attempt, now);
}

void connect_operation::on_failed(std::size_t attempt, const attempt_failure& how, time_point now) {
  race_.on_failed(attempt, how.code, how.stage, now, how.sentence);
  request_.memory.on_failed(attempt, how.code, now);
}

/// Adds what this host knows to what DNS said.
void connect_operation::complete(candidate& c) {
  std::optional<address> instead;
  if (!request_.source_address || request_.source_address->is_v6())
    instead = translated(request_.lookup.nat64, c.endpoint.address, request_.source_of);
  if (instead) {
    note_translation(c.endpoint.address, *instead, *story_);
    c.endpoint.address = *instead;
    c.translated = true;
  }
  const address& to = c.endpoint.address;
  if (!request_.source_address) {
    c.source = request_.source_of(to);
    if (!c.source) c.skip = "this host has no route to it";
    return;
  }
  c.source = request_.source_address;
  if (c.source->family() != to.family())
    c.skip = std::string("the source address is ") + (c.source->is_v4() ? "IPv4" : "IPv6");
}

// Everything known has failed. Fresh answers cannot be bettered now, only before the next connect; what was cached may
// have changed. Neither is done all the time (SEL-04).
void connect_operation::resolve_again(time_point now) {
  const bool may_ask = request_.memory.may_ask_again(now);
  if (!std::exchange(from_cache_, false)) {
    if (may_ask) distrusted_ = lookup_->asked();
    return race_.on_nothing_new(now);
  }
  asking_ = may_ask ? asking_again::past_the_cache : asking_again::joined;
  story_->notes.emplace_back(asking_ == asking_again::past_the_cache
                                 ? "every cached address failed: asked again"
                                 : "every cached address failed; asked again a moment ago");
  begin_lookup();
}

void connect_operation::on_answer(const question& q, const delivery& d, time_point now) {
  tell(q, d, start_, now, *story_);
  if (d.by == nullptr && d.what->is == answer::kind::positive) from_cache_ = true;
  if (d.stale) story_->notes.push_back(note_on_stale(q, d, now) + ": asked for too lately to be asked for again");
  if (d.what->is != answer::kind::failure) {
    std::erase_if(stale_, [&](const auto& s) { return s.first == q; });
    if (std::erase(answered_stale_, q) != 0 && d.what->is != answer::kind::positive) race_.withdraw(q.type);
  }
  lookup_->on_answer(q, d.what, d.expires);
}

void connect_operation::on_stale(const question& q, const delivery& d, time_point now) {
  story_->notes.push_back(note_on_stale(q, d, now) + ": tried at once, and asked for again");
  tell(q, d, start_, now, *story_);
  stale_.emplace_back(q, d.what);
}

void connect_operation::on_unanswered(const query& q, time_point) { tell(q, start_, false, story_->queries); }

std::shared_ptr<const trace> connect_operation::story() {
  story_->attempts = race_.attempts();
  return story_;
}

error connect_operation::failure() {
  const bool nothing_to_try = race_.attempts().empty();
  auto story_of_it = story();
  if (nothing_to_try && code_ == make_error_code(errc::no_addresses)) {
    const error e = lookup_->failure();
    return error(e.code(), e.message(), std::move(story_of_it));
  }
  std::error_code code = code_;
  if (code == make_error_code(errc::no_addresses)) code = std::make_error_code(std::errc::network_unreachable);
  return error(code, sentence(), std::move(story_of_it));
}

// "could not connect to api.example.test:443: 192.0.2.1:443 Connection refused; [2001:db8::1]:443 no answer in 250 ms"
std::string connect_operation::sentence() const {
  using outcome = attempt_record::outcome;
  constexpr std::size_t most = 8;
  const std::string target = request_.lookup.what.text;
  if (code_ == make_error_code(errc::cancelled)) return "the connect to " + target + " was cancelled";
  const std::string took =
      std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(story_->took).count()) + " ms";
  std::string text = "could not connect to " + target +
                     (code_ == make_error_code(errc::timed_out) ? " within " + took : std::string());
  std::size_t told = 0;
  for (const attempt_record& a : race_.attempts()) {
    if (told == most) return text + "; and " + std::to_string(race_.attempts().size() - most) + " more";
    text += told++ == 0 ? ": " : "; ";
    if (const std::string at = a.endpoint.to_string(); at != target) text += at + " ";
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(a.ended.value_or(story_->took) - a.started);
    if (a.ended_as == outcome::failed)
      text += a.failure.empty() ? a.code.message() : a.failure;
    else if (a.ended_as == outcome::skipped)
      text += "skipped, " + a.detail;
    else
      text += "no answer in " + std::to_string(ms.count()) + " ms";
  }
  if (told == 0) text += ": no answer from DNS";
  return text;
}

}  // namespace lbresolve::core
