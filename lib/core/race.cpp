// Facts come in through the on_... functions, which store them and decide nothing. next() derives what to do from the
// facts, as a list of reasons: the order of its lines is the algorithm.
//
// When the next attempt is due:
//   - the first one: once the awaited family and HTTPS have answered, but at most the Resolution Delay after the first
//     usable answer (RFC 8305 section 3; HEv3 adds HTTPS). Where service records name several hosts, each host of the
//     best priority has to answer, or the first to do so would win all the load;
//   - each further one: the Connection Attempt Delay after the start before it, or at once when an attempt has failed
//     since that start (RFC 8305 section 5). A failure is not used up when there is nothing to start: what arrives
//     next starts at once;
//   - of a lower tier, while another host of a higher one is still looked up: not before that lookup has had the time
//     of an attempt, a Connection Attempt Delay from the first usable answer;
//   - with the most attempts open that may be: not before the oldest has had its time; it is closed to make room.
//
// A companion is an endpoint that failed a while ago and that nobody has looked at since. It is tried beside the first
// attempt, once in a race, so that its return is noticed at no cost to the user: it delays nobody, and its failure
// starts nobody.
#include "core/race.hpp"

#include "core/families.hpp"

#include <lbresolve/error.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

namespace lbresolve::core {
namespace {

using kind = race::action::kind;
using attempt_outcome = attempt_record::outcome;

/// RFC 8305 section 5: "The Connection Attempt Delay MUST have a lower bound ... minimum of 10 milliseconds".
constexpr duration shortest_attempt_delay = std::chrono::milliseconds{10};
/// Section 5 again, for delays that follow a measured round trip: "recommended minimum ... 100 milliseconds", and
/// "a recommended maximum of 2 seconds".
constexpr duration shortest_adapted_delay = std::chrono::milliseconds{100};
constexpr duration longest_adapted_delay = std::chrono::seconds{2};

std::string milliseconds_text(duration d) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(d).count()) + " ms";
}

}  // namespace

race::race(const race_settings& settings, time_point start) : settings_(settings), start_(start) {
  settings_.attempt_delay = std::max(settings_.attempt_delay, shortest_attempt_delay);
  settings_.max_live_attempts = std::max<std::size_t>(settings_.max_live_attempts, 1);
}

// ---- facts about DNS

std::size_t race::index_of(rr_type type) noexcept { return type == rr_type::a ? 2 : type == rr_type::aaaa ? 1 : 0; }

bool race::any_pending() const noexcept {
  const auto known = hosts();
  return std::any_of(known.begin(), known.end(), [](const host_state& h) {
    return std::find(h.questions.begin(), h.questions.end(), asked::pending) != h.questions.end();
  });
}

bool race::any_refreshing() const noexcept {
  const auto known = hosts();
  return std::any_of(known.begin(), known.end(), [](const host_state& h) {
    return std::find(h.questions.begin(), h.questions.end(), asked::refreshing) != h.questions.end();
  });
}

void race::expect_refresh(origin from) { hosts_[from.host].questions[index_of(from.type)] = asked::refreshing; }

void race::expect(origin from, std::uint32_t priority) {
  host_count_ = std::max<std::size_t>(host_count_, from.host + std::size_t{1});
  hosts_[from.host].questions[index_of(from.type)] = asked::pending;
  hosts_[from.host].priority = priority;
  again_answered_ = asked_again_;
}

void race::settle(origin from) noexcept {
  hosts_[from.host].questions[index_of(from.type)] = asked::settled;
  again_answered_ = asked_again_;
}

void race::on_candidates(origin from, std::vector<candidate> found, time_point now, random_source& random) {
  settle(from);
  if (handed_over_ || lost_) return;
  for (auto& c : found) c.from = from;
  withdraw(from, found);
  drop_known(found, from);
  record_skipped(found, now);
  if (found.empty()) return;
  hosts_[from.host].has_candidates = true;
  if (!first_usable_) first_usable_ = now;

  if (!waiting_.empty()) {
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(next_waiting_));
    waiting_.insert(waiting_.end(), std::move_iterator(found.begin()), std::move_iterator(found.end()));
    found = std::move(waiting_);
  }
  waiting_ = order(std::move(found), ordering(), random);
  next_waiting_ = 0;
}

order_settings race::ordering() const {
  return {.policy = settings_.policy,
          .first_family_count = settings_.first_family_count,
          .so_far = started_,
          .mode = settings_.mode,
          .balance = settings_.balance,
          .turn = settings_.turn,
          .hash_key = settings_.hash_key};
}

/// Takes back what has not been started and is replaced by `found`: what this question said before, and hints of a
/// family whose real addresses are here (RFC 9460 section 7.3, HE-13).
void race::withdraw(origin from, const std::vector<candidate>& found) {
  auto& has_addresses = hosts_[from.host].has_addresses;
  if (from.type == rr_type::a || from.type == rr_type::aaaa) {
    for (const auto& c : found) has_addresses[core::index_of(family_of(c))] = true;
  }
  const auto first = waiting_.begin() + static_cast<std::ptrdiff_t>(next_waiting_);
  const auto replaced = [&](const candidate& c) {
    return c.from == from || (c.hint && c.from.host == from.host && has_addresses[core::index_of(family_of(c))]);
  };
  waiting_.erase(std::remove_if(first, waiting_.end(), replaced), waiting_.end());
}

/// No endpoint twice in one race (HE-38), also when DNS is asked again; no hint once there are addresses.
void race::drop_known(std::vector<candidate>& found, origin from) const {
  std::vector<lbresolve::endpoint> known;
  known.reserve(attempts_.size());
  for (const auto& a : attempts_) known.push_back(a.endpoint);
  std::sort(known.begin(), known.end());
  const bool is_hints = index_of(from.type) == 0;
  std::erase_if(found, [&](const candidate& c) {
    return (is_hints && c.hint && hosts_[from.host].has_addresses[core::index_of(family_of(c))]) ||
           std::binary_search(known.begin(), known.end(), c.endpoint);
  });
}

/// What must not be started goes straight to the records, with its reason (HE-57).
void race::record_skipped(std::vector<candidate>& found, time_point now) {
  if (std::all_of(found.begin(), found.end(), [](const candidate& c) { return c.skip.empty(); })) return;
  drop_duplicates(found);
  for (auto& c : found) {
    if (c.skip.empty()) continue;
    auto& record = attempts_.emplace_back();
    record.endpoint = c.endpoint;
    record.started = since_start(now);
    record.ended = record.started;
    record.ended_as = attempt_outcome::skipped;
    record.detail = c.skip;
  }
  std::erase_if(found, [](const candidate& c) { return !c.skip.empty(); });
}

void race::on_no_candidates(origin from, time_point) { settle(from); }

void race::on_nothing_new(time_point) { again_answered_ = true; }

// ---- facts about attempts

void race::on_connected(attempt_id which, time_point now) {
  if (which >= attempts_.size() || attempts_[which].ended_as != attempt_outcome::pending) return;
  auto& record = attempts_[which];
  record.ended = since_start(now);
  record.ended_as = winner_ ? attempt_outcome::spare : attempt_outcome::won;
  if (!winner_) winner_ = which;
}

void race::on_tls_started(attempt_id which, time_point now) {
  if (which >= attempts_.size() || attempts_[which].ended_as != attempt_outcome::pending) return;
  attempts_[which].reached = attempt_record::stage::tls;
  attempts_[which].tls_started = since_start(now);
}

void race::on_failed(attempt_id which, std::error_code why, attempt_record::stage stage, time_point now,
                     std::string sentence) {
  if (which >= attempts_.size() || attempts_[which].ended_as != attempt_outcome::pending) return;
  auto& record = attempts_[which];
  record.ended = since_start(now);
  record.ended_as = attempt_outcome::failed;
  record.reached = stage;
  record.code = why;
  record.failure = std::move(sentence);
  const auto at = std::find_if(open_.begin(), open_.end(), [&](const open_attempt& o) { return o.id == which; });
  if (at == open_.end()) return;
  if (!at->companion) failed_since_ = which;
  open_.erase(at);
}

void race::cancel(time_point) {
  if (!handed_over_ && !lost_) cancelled_ = true;
}

// ---- what follows from them

race::action race::next(time_point now) {
  if (const auto id = must_close(now)) return close(*id, now);
  if (winner_ && !cancelled_) return hand_over();
  if (const auto why = lost_because(now)) return lose(*why);
  if (start_due() <= now) return start_next(now);
  if (const auto at = due_companion()) return start_companion(*at, now);
  if (nothing_left() && !any_pending() && !any_refreshing() && !asked_again_) return ask_again();
  return {.what = kind::wait, .until = std::min(start_due(), settings_.deadline)};
}

bool race::is_over(time_point now) const noexcept { return winner_ || cancelled_ || now >= settings_.deadline; }

/// When all is over, every socket but the winner's; otherwise the oldest, when the next attempt needs its place.
std::optional<race::attempt_id> race::must_close(time_point now) const noexcept {
  if (is_over(now)) {
    for (const auto& o : open_) {
      if (cancelled_ || o.id != winner_) return o.id;
    }
    return std::nullopt;
  }
  if (open_.size() >= settings_.max_live_attempts && start_due() <= now) return open_.front().id;
  return std::nullopt;
}

std::optional<std::error_code> race::lost_because(time_point now) const {
  if (lost_) return lost_;
  if (cancelled_) return make_error_code(errc::cancelled);
  const bool timed_out = now >= settings_.deadline;
  const bool all_failed = nothing_left() && last_start_ && !cut_short();
  if (nothing_left() && !any_pending() && !any_refreshing()) {
    if (!last_start_) return make_error_code(errc::no_addresses);
    if (all_failed && (again_answered_ || timed_out)) return common_failure();
  }
  if (!timed_out) return std::nullopt;
  // How the addresses failed says more than that asking for others took too long.
  return (asked_again_ || any_refreshing()) && all_failed ? common_failure() : make_error_code(errc::timed_out);
}

/// Whether the deadline ended an attempt that might still have succeeded.
bool race::cut_short() const noexcept {
  return std::any_of(attempts_.begin(), attempts_.end(), [this](const attempt_record& a) {
    return a.ended_as == attempt_outcome::cancelled && a.ended && *a.ended >= since_start(settings_.deadline);
  });
}

/// The one code that all attempts failed with, or what their codes have in common (certificate_rejected of an expired
/// one and one for another name), or connect_failed (HE-53).
std::error_code race::common_failure() const noexcept {
  const std::error_code mixed = make_error_code(errc::connect_failed);
  std::optional<std::error_code> common;
  for (const auto& a : attempts_) {
    if (a.ended_as == attempt_outcome::skipped) continue;
    if (a.ended_as != attempt_outcome::failed) return mixed;
    if (!common || a.code == *common) {
      common = a.code;
      continue;
    }
    const std::error_condition kind = a.code.default_error_condition();
    if (kind.category() != error_category() || *common != kind) return mixed;
    common = std::error_code(kind.value(), kind.category());
  }
  return common.value_or(mixed);
}

/// Whether no answer that is still to come could change which attempt should be the first.
bool race::heard_enough() const noexcept {
  const auto awaited = settings_.awaited == family::ipv6 ? rr_type::aaaa : rr_type::a;
  const auto best = waiting_[next_waiting_].priority;
  const auto known = hosts();
  return std::none_of(known.begin(), known.end(), [&](const host_state& h) {
    if (h.is_pending(rr_type::https)) return true;
    return h.priority <= best && (h.is_pending(awaited) || (!h.has_candidates && h.wants_addresses()));
  });
}

/// HEv3 section 4.2: start with what is there once the awaited family and HTTPS have answered, or once the Resolution
/// Delay is over. Candidates without a route, or of a family that does not work here, do not cut the wait for others
/// short.
time_point race::first_start_due() const noexcept {
  if (!first_usable_) return never;
  const bool hopeful =
      std::any_of(waiting_.begin(), waiting_.end(), [](const candidate& c) { return c.source && !c.known.demoted; });
  if (!any_pending() || (hopeful && heard_enough())) return *first_usable_;
  return *first_usable_ + settings_.resolution_delay;
}

/// The Connection Attempt Delay (HE-41): what is known of the endpoint, between section 5's limits.
duration race::delay_for(const health_view& known) const noexcept {
  if (!settings_.adapt_delay || !known.measured) return settings_.attempt_delay;
  return std::clamp(expected_time(known) + 4 * known.rttvar, shortest_adapted_delay, longest_adapted_delay);
}

/// RFC 2782: "A client MUST attempt to contact the target host with the lowest-numbered priority it can reach". One
/// whose addresses are not here yet is not out of reach, but cannot hold up the others for ever.
time_point race::tier_due() const noexcept {
  const candidate& next = waiting_[next_waiting_];
  for (std::size_t h = 0; h < host_count_; ++h) {
    if (h == next.from.host || hosts_[h].priority >= next.priority || !hosts_[h].wants_addresses()) continue;
    return *first_usable_ + std::max(settings_.attempt_delay, settings_.resolution_delay);
  }
  return time_point::min();
}

duration race::delay_after_last_start() const noexcept { return failed_since_ ? duration::zero() : last_delay_; }

time_point race::start_due() const noexcept {
  if (next_waiting_ == waiting_.size()) return never;
  const auto own_due = last_start_ ? *last_start_ + delay_after_last_start() : first_start_due();
  const auto due = std::max(own_due, tier_due());
  if (open_.size() < settings_.max_live_attempts) return due;
  return std::max(due, open_.front().started + settings_.replace_after);
}

/// Short for the first attempt, so that a race that is won at once allocates no text.
std::string race::reason_to_start(time_point now) const {
  if (failed_since_) return "after " + attempts_[*failed_since_].endpoint.to_string() + " failed";
  if (last_start_) return "after " + milliseconds_text(now - *last_start_) + " without an answer";
  if (!any_pending() || now < *first_usable_ + settings_.resolution_delay) return "first choice";
  return "first choice, after " + milliseconds_text(now - *first_usable_) + " of waiting for more DNS answers";
}

// ---- actions

race::action race::close(attempt_id which, time_point now) {
  auto& record = attempts_[which];
  if (record.ended_as != attempt_outcome::spare) {
    record.ended_as = attempt_outcome::cancelled;
    record.ended = since_start(now);
    if (!is_over(now)) record.detail += ", closed to make room";
  }
  std::erase_if(open_, [&](const open_attempt& o) { return o.id == which; });
  return {.what = kind::close, .attempt = which, .to = record.endpoint};
}

race::action race::hand_over() {
  handed_over_ = true;
  open_.clear();
  return {.what = kind::won, .attempt = *winner_, .to = attempts_[*winner_].endpoint};
}

race::action race::lose(std::error_code why) {
  lost_ = why;
  return {.what = kind::lost, .why = why};
}

race::action race::start_next(time_point now) {
  auto reason = reason_to_start(now);
  const candidate& c = waiting_[next_waiting_++];
  started_.take(group_of(c, settings_.mode), family_of(c));
  last_start_ = now;
  last_delay_ = delay_for(c.known);
  failed_since_.reset();
  return start(c, std::move(reason), false, now);
}

std::optional<std::size_t> race::due_companion() const noexcept {
  if (had_companion_ || !last_start_ || open_.empty() || open_.size() >= settings_.max_live_attempts)
    return std::nullopt;
  for (std::size_t i = next_waiting_; i < waiting_.size(); ++i)
    if (waiting_[i].known.overdue) return i;
  return std::nullopt;
}

race::action race::start_companion(std::size_t at, time_point now) {
  had_companion_ = true;
  const candidate c = std::move(waiting_[at]);
  waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(at));
  return start(c, "beside the first choice, to see whether it is back", true, now);
}

race::action race::start(const candidate& c, std::string reason, bool companion, time_point now) {
  const attempt_id id = attempts_.size();
  auto& record = attempts_.emplace_back();
  record.endpoint = c.endpoint;
  record.started = since_start(now);
  record.reached = attempt_record::stage::connect;
  record.detail = std::move(reason);
  open_.push_back({id, now, companion});
  return {.what = kind::start,
          .attempt = id,
          .to = c.endpoint,
          .patience = std::max(delay_for(c.known), 3 * expected_time(c.known))};
}

/// Once in a race: everything known has failed, so perhaps the answers are out of date (HE-59).
race::action race::ask_again() {
  asked_again_ = true;
  hosts_ = {};  // the answers may name other hosts now
  host_count_ = 1;
  return {.what = kind::resolve_again};
}

}  // namespace lbresolve::core
