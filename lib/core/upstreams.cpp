#include "core/upstreams.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace lbresolve::core {

using namespace std::chrono_literals;

namespace {

/// What is left of a distance of `d` after `age`.
duration faded(duration d, duration age) noexcept {
  const double e_folds = std::chrono::duration<double>(age) / std::chrono::duration<double>(upstreams::fading);
  return std::chrono::duration_cast<duration>(std::chrono::duration<double>(d) * std::exp(-std::max(e_folds, 0.0)));
}

}  // namespace

upstreams::upstreams(std::vector<upstream> listed, const upstream_rules& rules)
    : listed_(std::move(listed)), states_(listed_.size()), rules_(rules) {}

void upstreams::remember(const upstreams& other) {
  for (std::size_t i = 0; i < size(); ++i) {
    const auto same = std::find(other.listed_.begin(), other.listed_.end(), listed_[i]);
    if (same == other.listed_.end()) continue;
    states_[i] = other.states_[static_cast<std::size_t>(same - other.listed_.begin())];
    states_[i].being_probed = false;  // whose probe tells the other list
  }
}

// ---- facts

void upstreams::sample(state& s, duration took, time_point now) {
  s.measured = now;
  if (s.srtt == duration::zero()) {  // RFC 6298 section 2.2
    s.srtt = took;
    s.deviation = took / 2;
  } else {  // section 2.3
    const duration off = took > s.srtt ? took - s.srtt : s.srtt - took;
    s.deviation = (3 * s.deviation + off) / 4;
    s.srtt = (7 * s.srtt + took) / 8;
  }
}

void upstreams::penalise(state& s, time_point now) {
  s.penalty = std::min(faded(s.penalty, now - s.penalised) + penalty_of_failure, most_penalty);
  s.penalised = now;
}

// A success does not wipe a penalty out, or one that fails now and then would be the fastest in between.
void upstreams::on_answer(std::size_t i, duration took, time_point now) {
  state& s = states_[i];
  s.failures = 0;
  s.backoff_until = {};
  s.penalty /= 4;
  sample(s, took, now);
}

// 1 s times 1.5^k, at most 5 minutes, 20 % jitter so that many clients do not come back at once. What fails inside the
// backoff was on its way before, or is tried because nothing else is left: it is no news.
void upstreams::on_failure(std::size_t i, time_point now, random_source& random) {
  state& s = states_[i];
  s.being_probed = false;
  if (now < s.backoff_until) return;
  penalise(s, now);
  const double seconds = std::min(300.0, std::pow(1.5, s.failures));
  const double jitter = 0.8 + 0.4 * random.unit();
  s.failures = std::min(s.failures + 1, 20);
  s.backoff_until = now + std::chrono::duration_cast<duration>(std::chrono::duration<double>(seconds * jitter));
}

void upstreams::on_outrun(std::size_t i, duration waited, time_point now) {
  if (waited > states_[i].srtt) sample(states_[i], waited, now);
}

// ---- the order to ask in

bool upstreams::is_out(const state& s, time_point now) const noexcept {
  return now < s.backoff_until || (is_probed() && s.failures > 0);
}

/// Of those that have answered; zero: none has.
duration upstreams::median() const {
  std::vector<duration> known;
  for (const state& s : states_)
    if (s.srtt != duration::zero()) known.push_back(s.srtt);
  if (known.empty()) return duration::zero();
  std::sort(known.begin(), known.end());
  return (known[known.size() / 2] + known[(known.size() - 1) / 2]) / 2;
}

duration upstreams::cost(const state& s, duration median, time_point now) const noexcept {
  const duration away = s.srtt == duration::zero() ? duration::zero() : s.srtt - median;
  return median + faded(away, now - s.measured) + faded(s.penalty, now - s.penalised);
}

// Equals stay as they are listed, so the first queries of all go to the first of the list.
void upstreams::put_fastest_first(upstream_turn& into, time_point now, random_source& random) const {
  const duration m = median();
  std::vector<duration> costs;
  for (const state& s : states_) costs.push_back(cost(s, m, now));
  const auto end_of_usable = std::stable_partition(into.order.begin(), into.order.end(),
                                                   [&](std::size_t i) { return !is_out(states_[i], now); });
  const auto faster = [&](std::size_t a, std::size_t b) { return costs[a] < costs[b]; };
  std::stable_sort(into.order.begin(), end_of_usable, faster);
  std::stable_sort(end_of_usable, into.order.end(), faster);
  // Racing measures two all the time, and where nothing is known there is nothing to compare with.
  const auto others = static_cast<std::uint64_t>(std::max<std::ptrdiff_t>(end_of_usable - into.order.begin() - 1, 0));
  if (rules_.choice != upstream_choice::fastest || others == 0 || m == duration::zero()) return;
  if (random.below(explore_one_in) != 0) return;
  const auto explored = into.order.begin() + 1 + static_cast<std::ptrdiff_t>(random.below(others));
  std::rotate(into.order.begin(), explored, explored + 1);
  into.explores = true;
}

upstream_turn upstreams::turn(time_point now, random_source& random) {
  upstream_turn t;
  t.order.resize(size());
  std::iota(t.order.begin(), t.order.end(), std::size_t{0});
  if (rules_.choice != upstream_choice::ordered) {
    put_fastest_first(t, now, random);
    return t;
  }
  if (rules_.rotate && size() > 1) {
    std::rotate(t.order.begin(), t.order.begin() + static_cast<std::ptrdiff_t>(next_start_), t.order.end());
    next_start_ = (next_start_ + 1) % size();
  }
  std::stable_partition(t.order.begin(), t.order.end(), [&](std::size_t i) { return !is_out(states_[i], now); });
  return t;
}

duration upstreams::hedge_delay(std::size_t i) const noexcept {
  const state& s = states_[i];
  if (s.srtt == duration::zero()) return rules_.hedge_unknown;
  return std::max(s.srtt + 4 * s.deviation, least_hedge);
}

// ---- probes

std::optional<std::size_t> upstreams::take_probe(time_point now) {
  if (!is_probed()) return std::nullopt;
  for (std::size_t i = 0; i < size(); ++i) {
    state& s = states_[i];
    if (s.failures == 0 || s.being_probed || now < s.backoff_until) continue;
    s.being_probed = true;
    return i;
  }
  return std::nullopt;
}

time_point upstreams::next_probe_at() const noexcept {
  time_point at = never;
  if (!is_probed()) return at;
  for (const state& s : states_)
    if (s.failures > 0 && !s.being_probed) at = std::min(at, s.backoff_until);
  return at;
}

void upstreams::on_probe_ended(std::size_t i, time_point now, random_source& random) {
  states_[i].being_probed = false;
  if (states_[i].failures > 0) on_failure(i, now, random);
}

}  // namespace lbresolve::core
