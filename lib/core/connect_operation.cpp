#include "core/connect_operation.hpp"

#include "core/lookup_story.hpp"

#include <algorithm>
#include <utility>

namespace lbresolve::core {

connect_operation::connect_operation(connect_request request, std::shared_ptr<const system_settings> system,
                                     time_point now)
    : request_(std::move(request)),
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
  for (;;) {
    if (!stale_.empty()) feed_stale(now, random);
    const lookup::action found = lookup_->next();
    if (found.is == lookup::action::kind::ask) {
      // No stale HTTPS record: it would move the port of addresses that are not stale.
      const bool fresh = resolved_again_ || !request_.use_cache;
      return {.is = step::ask,
              .fresh = fresh,
              .stale_too = request_.use_stale && !fresh && found.type != rr_type::https,
              .asked = *found.asked};
    }
    if (found.is == lookup::action::kind::found) {
      feed(found.type, *found.what, now, random);
      continue;
    }
    if (found.is == lookup::action::kind::none) {
      race_.on_no_candidates(found.type, now);
      continue;
    }
    const race::action a = race_.next(now);
    switch (a.what) {
      case race::action::kind::start:
        return {.is = step::open, .attempt = a.attempt, .to = a.to};
      case race::action::kind::close:
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
    return {.is = step::done};
  }
}

// The race begins with what was known, and is not lost before the new answer is there (HE-17).
void connect_operation::feed_stale(time_point now, random_source& random) {
  for (const auto& [asked, what] : std::exchange(stale_, {})) {
    feed(asked.type, *what, now, random);
    race_.expect_refresh(asked.type);
    answered_stale_.push_back(asked);
  }
}

void connect_operation::feed(rr_type type, const answer& what, time_point now, random_source& random) {
  if (type == rr_type::https) return take_binding(what, now, random);
  found_.emplace_back(type, what.addresses);
  offer(type, now, random);
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
    for (const auto& [type, addresses] : found_) offer(type, now, random);
  std::vector<candidate> hints;
  for (const address& hint : best->hints) {
    const rr_type type = hint.is_v4() ? rr_type::a : rr_type::aaaa;
    const auto& wanted = lookup_->types();
    if (std::find(wanted.begin(), wanted.end(), type) != wanted.end()) hints.push_back(make_candidate(hint, true));
  }
  race_.on_candidates(rr_type::https, std::move(hints), now, random);
}

void connect_operation::offer(rr_type type, time_point now, random_source& random) {
  const auto at = std::find_if(found_.rbegin(), found_.rend(), [&](const auto& f) { return f.first == type; });
  std::vector<candidate> candidates;
  candidates.reserve(at->second.size());
  for (const address& to : at->second) candidates.push_back(make_candidate(to, false));
  race_.on_candidates(type, std::move(candidates), now, random);
}

candidate connect_operation::make_candidate(const address& given, bool hint) const {
  const std::uint16_t port = bound_port_.value_or(request_.lookup.what.port.value_or(443));
  std::optional<address> instead;
  if (!request_.source_address || request_.source_address->is_v6())
    instead = translated(request_.lookup.nat64, given, request_.source_of);
  if (instead) note_translation(given, *instead, *story_);
  const address& to = instead ? *instead : given;
  candidate c{.endpoint = {to, port}, .hint = hint, .translated = instead.has_value()};
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

// Everything known has failed. Fresh answers cannot be bettered now; what was cached may have changed.
void connect_operation::resolve_again(time_point now) {
  for (const rr_type type : lookup_->types()) distrusted_.push_back({lookup_->current_name(), type});
  if (!std::exchange(from_cache_, false)) return race_.on_nothing_new(now);
  resolved_again_ = true;
  found_.clear();
  story_->notes.emplace_back("every cached address failed: asked again");
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
