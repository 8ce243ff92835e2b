#include "core/query.hpp"

#include <algorithm>
#include <utility>

namespace lbresolve::core {

using query_outcome = query_record::outcome;

namespace {

constexpr const char* cut_short = "nobody waited for it any longer";

/// RFC 8467 section 4.1: queries "SHOULD" be padded to "the closest multiple of 128 octets", and only where it hides
/// anything.
constexpr std::size_t padding_block = 128;

/// When the next one of them has had its time, and who waits for it may go on with what the others have found.
time_point next_hedge(const std::vector<std::shared_ptr<const query>>& discoveries, time_point now) {
  time_point at = never;
  for (const auto& d : discoveries) {
    if (d->tries().empty()) continue;
    const time_point over = d->tries().front().started + d->servers().hedge_delay(0);
    if (over > now) at = std::min(at, over);
  }
  return at;
}

}  // namespace

query::query(question asked, std::shared_ptr<upstreams> from, const query_rules& rules, time_point now, bool elsewhere)
    : asked_(std::move(asked)),
      servers_(std::move(from)),
      rules_(rules),
      deadline_(now + rules.timeout),
      elsewhere_(elsewhere) {
  tries_.reserve(2);
}

query::query(question asked, std::shared_ptr<upstreams> from, std::size_t only, const query_rules& rules,
             time_point now)
    : asked_(std::move(asked)), servers_(std::move(from)), rules_(rules), deadline_(now + rules.timeout), order_{only} {
  rules_.passes = 1;
}

void query::await(std::vector<std::shared_ptr<const query>> discoveries) {
  awaits_ = true;
  discoveries_ = std::move(discoveries);
}

void query::use(std::shared_ptr<upstreams> from) {
  awaits_ = false;
  servers_ = std::move(from);
}

void query::begin(time_point now, random_source& random) {
  upstream_turn t = servers_->turn(now, random);
  order_ = std::move(t.order);
  explores_ = t.explores && !elsewhere_;
  if (elsewhere_ && !order_.empty()) std::rotate(order_.begin(), order_.begin() + 1, order_.end());
}

// The order of these lines is the algorithm.
query::action query::next(time_point now, random_source& random) {
  const time_point last = std::min(deadline_, hurried_until_);
  if (awaits_ && !result_ && now < last) return {action::kind::wait, 0, std::min(last, next_hedge(discoveries_, now))};
  if (tries_.empty() && !result_ && order_.empty()) begin(now, random);
  if (!result_ && now >= last) fail(now);
  take_facts(now, random);
  for (std::size_t i = 0; i < tries_.size(); ++i) {
    query_try& t = tries_[i];
    if (result_ && !t.ended) on_overtaken(t, now, random);
    if (t.ended && !t.told) {
      t.told = true;
      return {action::kind::abandon, i, never};
    }
  }
  if (result_) return {action::kind::done, 0, never};
  if (const auto p = next_plan(now)) {
    tries_.push_back(
        {.upstream = p->upstream, .over = p->over, .edns = p->edns, .randomized = p->randomized, .started = now});
    return {action::kind::send, tries_.size() - 1, never};
  }
  const bool waiting = std::any_of(tries_.begin(), tries_.end(), [](const query_try& t) { return !t.ended; });
  if (!waiting) {
    fail(now);
    return next(now, random);
  }
  return {action::kind::wait, 0, next_event()};
}

void query::on_overtaken(query_try& t, time_point now, random_source& random) {
  const duration waited = now - t.started;
  // It let another upstream overtake it: the next query should not wait for it as long.
  if (waited >= servers_->hedge_delay(t.upstream))
    servers_->on_failure(t.upstream, now, random);
  else
    servers_->on_outrun(t.upstream, waited, now);
  end(t, query_outcome::abandoned, now, "another upstream was faster");
}

void query::take_facts(time_point now, random_source& random) {
  for (query_try& t : tries_) {
    if (std::exchange(t.at_fault, false)) servers_->on_failure(t.upstream, now, random);
    if (result_ || t.ended || now < t.started + rules_.try_timeout) continue;
    end(t, query_outcome::timed_out, now);
    servers_->on_failure(t.upstream, now, random);
  }
}

std::optional<query::plan> query::next_plan(time_point now) {
  if (again_) return std::exchange(again_, std::nullopt);
  const bool waiting = std::any_of(tries_.begin(), tries_.end(), [](const query_try& t) { return !t.ended; });
  if (hurried_until_ != never || (waiting && now < hedge_at())) return std::nullopt;
  if (auto p = next_upstream(now)) return p;
  if (waiting || pass_ >= rules_.passes) return std::nullopt;
  // Another round, for the silent ones only: who has refused or failed would do it again (RFC 9520 section 3.1).
  std::erase_if(order_, [&](std::size_t i) {
    const auto last = std::find_if(tries_.rbegin(), tries_.rend(), [&](const query_try& t) { return t.upstream == i; });
    return last == tries_.rend() || last->as != query_outcome::timed_out;
  });
  ++pass_;
  asked_in_pass_ = 0;
  return next_upstream(now);
}

std::optional<query::plan> query::next_upstream(time_point now) {
  if (asked_in_pass_ == order_.size()) return std::nullopt;
  const std::size_t i = order_[asked_in_pass_++];
  const transport over = (*servers_)[i].only.value_or(rules_.force_tcp ? transport::tcp : transport::udp);
  return plan{.upstream = i,
              .over = over,
              .edns = rules_.edns && servers_->takes_edns(i, now),
              .randomized = rules_.randomize_case && over == transport::udp && servers_->keeps_case(i, now)};
}

time_point query::hedge_at() const {
  if (asked_in_pass_ == order_.size() || hurried_until_ != never) return never;
  const bool only_first = pass_ == 1 && asked_in_pass_ == 1;
  if (only_first && servers_->races()) return tries_.front().started;
  // Who is asked to see how fast it is has no longer than the best has: nobody should notice.
  if (only_first && explores_)
    return tries_.back().started + std::min(servers_->hedge_delay(order_[0]), servers_->hedge_delay(order_[1]));
  time_point latest{};
  for (const query_try& t : tries_)
    if (!t.ended) latest = std::max(latest, t.started + servers_->hedge_delay(t.upstream));
  return latest;
}

time_point query::next_event() const {
  time_point at = std::min({deadline_, hurried_until_, hedge_at()});
  for (const query_try& t : tries_)
    if (!t.ended) at = std::min(at, t.started + rules_.try_timeout);
  return at;
}

query_try* query::live(std::size_t index) {
  return index < tries_.size() && !tries_[index].ended && !result_ ? &tries_[index] : nullptr;
}

void query::end(query_try& t, query_outcome as, time_point now, const char* detail) {
  t.ended = now;
  t.as = as;
  t.detail = detail;
}

// The same upstream with a setting changed. A second such wish while one is waiting to be sent would be for another
// try of the same upstream, which cannot be: never two queries in flight to one upstream.
void query::again(const query_try& t, transport over, bool edns) {
  again_ = plan{.upstream = t.upstream, .over = over, .edns = edns, .randomized = t.randomized};
}

void query::on_reply(std::size_t index, reply_match match, std::span<const std::uint8_t> bytes, time_point now) {
  query_try* t = live(index);
  if (t == nullptr || match == reply_match::stranger) return;
  const bool over_udp = t->over == transport::udp;
  if (match == reply_match::other_case && t->randomized) {
    // A server that folds case, or a forger. TCP tells, with the same mixed case: it is not forged blindly.
    if (over_udp) {
      end(*t, query_outcome::abandoned, now, "the answer did not keep the question's case: asked again over TCP");
      return again(*t, transport::tcp, t->edns);
    }
    servers_->on_case_folded(t->upstream, now);
  }
  t->told = match != reply_match::other_case;  // every other reply ends the exchange
  if (match == reply_match::refusal) {
    servers_->on_answer(t->upstream, now - t->started, now);
    if (!t->edns) return end(*t, query_outcome::failed, now, "it refused the query with a bare header");
    servers_->on_edns_refused(t->upstream, now);
    end(*t, query_outcome::abandoned, now, "it does not know EDNS: asked again without");
    return again(*t, t->over, false);
  }
  const auto parsed = message::parse(bytes);
  if (match == reply_match::malformed || !parsed) {
    end(*t, over_udp ? query_outcome::abandoned : query_outcome::failed, now,
        over_udp ? "its answer was malformed: asked again over TCP" : "its answer was malformed");
    if (over_udp) return again(*t, transport::tcp, t->edns);
    t->at_fault = true;
    return;
  }
  take_answer(*t, parsed.value(), now);
}

void query::take_answer(query_try& t, const message& m, time_point now) {
  servers_->on_answer(t.upstream, now - t.started, now);
  t.rcode = m.rcode();
  if (m.is_truncated() && t.over == transport::udp) {  // RFC 7766 section 5
    end(t, query_outcome::abandoned, now, "truncated: asked again over TCP");
    return again(t, transport::tcp, t.edns);
  }
  if (m.is_truncated()) {  // a stream has room for all of it
    t.at_fault = true;
    return end(t, query_outcome::failed, now, "its answer was cut short although not over UDP");
  }
  // RFC 6891 section 7: a server that does not know EDNS says FORMERR or NOTIMP, without an OPT of its own.
  const bool refused = t.rcode == static_cast<int>(rcode::formerr) || t.rcode == static_cast<int>(rcode::notimp);
  if (refused && t.edns && !m.opt()) {
    servers_->on_edns_refused(t.upstream, now);
    end(t, query_outcome::abandoned, now, "it does not know EDNS: asked again without");
    return again(t, t.over, false);
  }
  auto a = std::make_shared<answer>(interpret(m, asked_));
  a->authenticated = m.is_authenticated() && (rules_.trust_ad || is_authenticated((*servers_)[t.upstream]));
  t.ede = a->ede;
  switch (a->is) {
    case answer::kind::positive:
      end(t, query_outcome::answered, now);
      break;
    case answer::kind::nodata:
      end(t, query_outcome::nodata, now);
      break;
    case answer::kind::nxdomain:
      end(t, query_outcome::nxdomain, now);
      break;
    case answer::kind::failure:
      end(t, query_outcome::failed, now);
      best_failure_ = std::move(a);
      return;
  }
  for (const query_try& other : tries_)
    if (other.as == query_outcome::failed && other.rcode > 0) servers_->on_unhelpful(other.upstream, now);
  result_ = std::move(a);
}

void query::on_error(std::size_t index, const error& why, time_point now, random_source& random) {
  query_try* t = live(index);
  if (t == nullptr) return;
  end(*t, query_outcome::unreachable, now);
  t->code = why.code();
  if (const std::string said = why.message(); said != t->code.message()) t->reason = said;
  t->told = true;
  // A connection that had answered before and was closed meanwhile: one free retry (RFC 7766 section 6.2.4).
  if (t->code == std::errc::connection_aborted && !std::exchange(retried_, true)) return again(*t, t->over, t->edns);
  servers_->on_failure(t->upstream, now, random);
}

void query::fail(time_point now) {
  const bool timed_out = now >= deadline_;
  for (query_try& t : tries_) {
    if (t.ended) continue;
    if (hurried_until_ == never)
      end(t, query_outcome::timed_out, now);
    else
      end(t, query_outcome::abandoned, now, cut_short);
  }
  auto a = std::make_shared<answer>(failed_answer(asked_, sentence(timed_out)));
  if (best_failure_) {
    a->rcode = best_failure_->rcode;
    a->ede = best_failure_->ede;
  }
  result_ = std::move(a);
}

bool query::failed_for_good() const noexcept {
  return result_ && result_->is == answer::kind::failure &&
         std::none_of(tries_.begin(), tries_.end(), [](const query_try& t) { return t.detail == cut_short; }) &&
         std::any_of(tries_.begin(), tries_.end(),
                     [](const query_try& t) { return t.as != query_outcome::unreachable; });
}

namespace {

std::string clause(const query_try& t) {
  switch (t.as) {
    case query_outcome::timed_out:
      return "no answer in " +
             std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(*t.ended - t.started).count()) +
             " ms";
    case query_outcome::unreachable:
      return t.reason.empty() ? t.code.message() : t.reason;
    default:
      break;
  }
  if (t.rcode > 0) {
    std::string text = "answered " + rcode_name(t.rcode);
    if (t.ede) text += " (extended error " + std::to_string(t.ede->code) + ")";
    return text;
  }
  return t.detail;
}

}  // namespace

// "192.0.2.53:53 no answer in 2000 ms; 192.0.2.54:53 Connection refused": each upstream's last try, and who is not one.
std::string query::sentence(bool timed_out) const {
  std::string text;
  for (std::size_t i = 0; i < servers_->size(); ++i) {
    const auto last = std::find_if(tries_.rbegin(), tries_.rend(), [&](const query_try& t) { return t.upstream == i; });
    if (!text.empty()) text += "; ";
    text += (*servers_)[i].text + ": " +
            (last != tries_.rend() ? clause(*last) : std::string(timed_out ? "not asked in time" : "not asked"));
  }
  if (const std::string& missing = servers_->missing(); !missing.empty()) text += (text.empty() ? "" : "; ") + missing;
  return text.empty() ? "no upstream is configured" : text;
}

std::vector<std::uint8_t> query::message_for(std::size_t index, random_source& random) const {
  const query_try& t = tries_[index];
  const query_settings settings{.edns = t.edns,
                                .udp_payload_size = rules_.udp_payload_size,
                                .subnet = rules_.subnet,
                                .ask_authenticated = rules_.trust_ad || is_authenticated((*servers_)[t.upstream]),
                                .randomize_case = t.randomized,
                                .pad_to = is_encrypted(t.over) ? padding_block : 0};
  return make_query(static_cast<std::uint16_t>(random.next() >> 48), asked_, settings, random);
}

namespace {

bool is_told(const query_record& r, const std::vector<query_record>& in) {
  return std::any_of(in.begin(), in.end(), [&](const query_record& other) {
    return other.type == r.type && other.upstream == r.upstream && other.over == r.over && other.started == r.started &&
           other.name == r.name;
  });
}

/// Several questions of one lookup have waited for the same.
void tell_discoveries(const query& q, time_point since, bool shared, std::vector<query_record>& into) {
  for (const auto& discovery : q.discoveries()) {
    std::vector<query_record> records;
    tell(*discovery, since, shared, records);
    for (query_record& r : records)
      if (!is_told(r, into)) into.push_back(std::move(r));
  }
}

}  // namespace

void tell(const query& q, time_point since, bool shared, std::vector<query_record>& into) {
  tell_discoveries(q, since, shared, into);
  const std::string name = q.asked().name.to_text();
  for (const query_try& t : q.tries()) {
    query_record r;
    r.name = name;
    r.type = static_cast<std::uint16_t>(q.asked().type);
    r.from = shared ? query_record::source::shared : query_record::source::network;
    r.upstream = q.servers()[t.upstream].text;
    r.over = t.over;
    r.started = std::max(t.started - since, duration::zero());
    if (t.ended) r.ended = std::max(*t.ended - since, duration::zero());
    r.ended_as = t.as;
    r.rcode = t.rcode;
    r.code = t.code;
    r.detail = t.reason.empty() ? t.detail : t.reason;
    if (t.ede) {
      r.ede_code = t.ede->code;
      r.ede_text = t.ede->text;
    }
    if (t.as == query_outcome::answered && q.result()) {
      r.ttl = q.result()->ttl;
      r.count = static_cast<std::uint16_t>(
          std::max({q.result()->addresses.size(), q.result()->bindings.size(), q.result()->services.size()}));
    }
    into.push_back(std::move(r));
  }
}

}  // namespace lbresolve::core
