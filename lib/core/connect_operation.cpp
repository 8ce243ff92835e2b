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
  begin_lookup();
}

void connect_operation::begin_lookup() {
  lookup_ = std::make_unique<lookup>(request_.lookup, system_);
  for (const rr_type type : lookup_->types()) race_.expect(type);
  const auto& at_hand = lookup_->at_hand();
  story_->queries.insert(story_->queries.end(), at_hand.begin(), at_hand.end());
}

operation_action connect_operation::next(time_point now, random_source& random) {
  using step = operation_action::kind;
  request_.memory.tell(now, random);
  for (;;) {
    const lookup::action found = lookup_->next();
    if (found.is == lookup::action::kind::ask) {
      const bool again = asking_ == asking_again::past_the_cache;
      return {.is = step::ask,
              .fresh = again || !request_.use_cache,
              .elsewhere = again,
              .join = asking_ == asking_again::joined,
              .asked = *found.asked};
    }
    if (found.is == lookup::action::kind::found) {
      feed(found, now, random);
      continue;
    }
    if (found.is == lookup::action::kind::none) {
      race_.on_no_candidates(found.type, now);
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

void connect_operation::feed(const lookup::action& found, time_point now, random_source& random) {
  const answer& what = *found.what;
  if (found.type == rr_type::https) return take_binding(what, now, random);
  const duration ttl = found.expires == never ? duration::zero() : std::chrono::seconds{what.ttl};
  found_.push_back({found.type, what.addresses, found.expires == never ? start_ : found.expires - ttl, ttl});
  offer(found.type, now, random);
}

// The record with the lowest priority that this client understands (RFC 9460 section 3). Its port holds for the
// addresses too, also for those that came before it.
void connect_operation::take_binding(const answer& what, time_point now, random_source& random) {
  const service_binding* best = nullptr;
  for (const service_binding& b : what.bindings) {
    const bool here = b.target.is_root() || b.target == what.canonical;
    if (!b.usable || b.is_alias() || !here) continue;
    if (best == nullptr || b.priority < best->priority) best = &b;
  }
  if (best == nullptr) {
    story_->notes.emplace_back("the HTTPS records name other hosts or keys that are not understood: not used");
    return race_.on_no_candidates(rr_type::https, now);
  }
  std::string alpn;
  for (const std::string& id : best->alpn) alpn += (alpn.empty() ? "" : ",") + id;
  if (!alpn.empty()) story_->notes.push_back("HTTPS record: alpn " + alpn);
  bound_port_ = best->port;
  if (bound_port_)
    for (std::size_t i = 0; i < found_.size(); ++i) offer(found_[i].type, now, random);
  std::vector<candidate> hints;
  for (const address& hint : best->hints) {
    const rr_type type = hint.is_v4() ? rr_type::a : rr_type::aaaa;
    const auto& wanted = lookup_->types();
    if (std::find(wanted.begin(), wanted.end(), type) != wanted.end()) hints.push_back(make_candidate(hint, true));
  }
  race_.on_candidates(rr_type::https, with_knowledge(std::move(hints), now, random), now, random);
}

void connect_operation::offer(rr_type type, time_point now, random_source& random) {
  const auto at = std::find_if(found_.rbegin(), found_.rend(), [&](const addresses& f) { return f.type == type; });
  std::vector<candidate> candidates;
  candidates.reserve(at->all.size());
  for (const address& to : at->all) candidates.push_back(make_candidate(to, false));
  for (const member& m : request_.memory.kept_besides(type, candidates, at->fetched, at->ttl, now))
    candidates.push_back(make_candidate(m.at.address, false));
  race_.on_candidates(type, with_knowledge(std::move(candidates), now, random), now, random);
}

std::vector<candidate> connect_operation::with_knowledge(std::vector<candidate> found, time_point now,
                                                         random_source& random) {
  if (request_.memory.look_up(found, now, random) && !std::exchange(panic_, true))
    story_->notes.emplace_back("most addresses fail and none succeeds: suspecting the local network, ejecting nobody");
  return found;
}

void connect_operation::on_connected(std::size_t attempt, time_point now) {
  race_.on_connected(attempt, now);
  request_.memory.on_connected(attempt, now);
}

void connect_operation::on_failed(std::size_t attempt, std::error_code code, attempt_record::stage stage,
                                  time_point now) {
  race_.on_failed(attempt, code, stage, now);
  request_.memory.on_failed(attempt, code, now);
}

candidate connect_operation::make_candidate(const address& to, bool hint) const {
  const std::uint16_t port = bound_port_.value_or(request_.lookup.what.port.value_or(443));
  candidate c{.endpoint = {to, port}, .hint = hint};
  if (!request_.source_address) {
    c.source = request_.source_of(to);
    if (!c.source) c.skip = "this host has no route to it";
    return c;
  }
  c.source = request_.source_address;
  if (c.source->family() != to.family())
    c.skip = std::string("the source address is ") + (c.source->is_v4() ? "IPv4" : "IPv6");
  return c;
}

// Everything known has failed. Fresh answers cannot be bettered now, only before the next connect; what was cached may
// have changed. Neither is done all the time (SEL-04).
void connect_operation::resolve_again(time_point now) {
  const bool may_ask = request_.memory.may_ask_again(now);
  if (!std::exchange(from_cache_, false)) {
    if (may_ask)
      for (const rr_type type : lookup_->types()) distrusted_.push_back({lookup_->current_name(), type});
    return race_.on_nothing_new(now);
  }
  asking_ = may_ask ? asking_again::past_the_cache : asking_again::joined;
  found_.clear();
  story_->notes.emplace_back(asking_ == asking_again::past_the_cache
                                 ? "every cached address failed: asked again"
                                 : "every cached address failed; asked again a moment ago");
  begin_lookup();
}

void connect_operation::on_answer(const question& q, const delivery& d, time_point now) {
  tell(q, d, start_, now, *story_);
  if (d.by == nullptr && d.what->is == answer::kind::positive) from_cache_ = true;
  lookup_->on_answer(q, d.what, d.expires);
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
    text += (told++ == 0 ? ": " : "; ") + a.endpoint.to_string() + " ";
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(a.ended.value_or(story_->took) - a.started);
    if (a.ended_as == outcome::failed)
      text += a.code.message();
    else if (a.ended_as == outcome::skipped)
      text += "skipped, " + a.detail;
    else
      text += "no answer in " + std::to_string(ms.count()) + " ms";
  }
  if (told == 0) text += ": no answer from DNS";
  return text;
}

}  // namespace lbresolve::core
