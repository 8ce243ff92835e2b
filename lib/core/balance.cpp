// Clearly nearer and healthier wins; equals share by weight; load spills outward.
//
// Plain power of two choices over all members gives one fast host among seven slow ones a quarter of the load at most.
// Plain fastest first sends every client to the host that is a millisecond nearer. So: first a band around the best,
// wide enough that its members are equals to a person, then a draw by weight inside it. Two are drawn and the second is
// taken only when the first is clearly busier. Members that were never measured count as the median and are drawn
// before measured ones, so that a new set is known after as many connects as it has members.
//
// The cost is a time, so that distance and failure add up: with success probability p, a try costs the distance, and
// before a success there are (1-p)/p failures, each costing what failures cost there and never less than
// `failure_least`. A host that fails fast never looks good.
#include "core/balance.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace lbresolve::core {
namespace {

/// Where nothing was measured anywhere: the size of it does not matter, that it is not zero does.
constexpr duration typical_of_nothing = std::chrono::milliseconds{20};

template <class Get>
duration median_of(std::span<const contender> set, Get get) {
  std::vector<duration> known;
  known.reserve(set.size());
  for (const contender& c : set)
    if (const duration d = get(c.known); d > duration::zero()) known.push_back(d);
  if (known.empty()) return duration::zero();
  const auto middle = known.begin() + static_cast<std::ptrdiff_t>((known.size() - 1) / 2);
  std::nth_element(known.begin(), middle, known.end());
  return *middle;
}

duration typical_latency(std::span<const contender> set) {
  return median_of(set, [](const health_view& v) { return v.latency; });
}

double nanoseconds(duration d) noexcept { return static_cast<double>(d.count()); }

}  // namespace

duration typical_time(std::span<const contender> set) {
  return median_of(set, [](const health_view& v) { return v.measured ? v.srtt : duration::zero(); });
}

double cost_of(const health_view& v, duration typical, duration typical_of_latency, const balance_rules& rules) {
  const double median = nanoseconds(typical > duration::zero() ? typical : typical_of_nothing);
  double distance = median;
  if (v.measured) {
    const double age = v.age == duration::max() ? 1e18 : nanoseconds(v.age);
    distance += (nanoseconds(v.srtt) - median) * std::exp(-age / nanoseconds(rules.fade));
  }
  distance = std::max(distance, nanoseconds(v.waited));
  // A reported latency is told anew with every request; where none is told, the set's median stands for it.
  distance += nanoseconds(v.latency > duration::zero() ? v.latency : typical_of_latency);
  const double failure = std::max(nanoseconds(rules.failure_least), nanoseconds(v.failure_time));
  return distance + failure * v.failures / (v.successes + rules.prior);  // (1-p)/p with p = (S + prior)/(N + prior)
}

std::vector<double> costs_of(std::span<const contender> set, const balance_rules& rules) {
  const duration typical = typical_time(set);
  const duration latency = typical_latency(set);
  std::vector<double> out;
  out.reserve(set.size());
  for (const contender& c : set) out.push_back(cost_of(c.known, typical, latency, rules));
  return out;
}

alias_table::alias_table(std::span<const double> weights) : slots_(weights.size()) {
  const std::size_t n = weights.size();
  double sum = 0;
  for (const double w : weights) sum += w;
  std::vector<double> share(n, 1.0);  // of an even slot
  if (sum > 0)
    for (std::size_t i = 0; i < n; ++i) share[i] = weights[i] * static_cast<double>(n) / sum;
  std::vector<std::uint32_t> small, large;
  for (std::uint32_t i = 0; i < n; ++i) {
    slots_[i].alias = i;
    (share[i] < 1 ? small : large).push_back(i);
  }
  while (!small.empty() && !large.empty()) {
    const std::uint32_t poor = small.back(), rich = large.back();
    small.pop_back();
    slots_[poor] = {static_cast<std::uint32_t>(share[poor] * 0x1p32), rich};
    share[rich] -= 1 - share[poor];
    if (share[rich] >= 1) continue;
    large.pop_back();
    small.push_back(rich);
  }
}

pick_plan::pick_plan(std::span<const contender> set, std::span<const double> costs, bool weighted,
                     const balance_rules& rules) {
  if (set.empty()) return;
  const double best = *std::min_element(costs.begin(), costs.end());
  const auto is_inside = [&](std::size_t i) {
    if (weighted || !set[i].known.measured) return true;
    if (rules.band < 1) return costs[i] <= best;
    // On a LAN a quarter of the best is nothing: there one slow first sample would keep a member out for half a minute.
    const double most_noise = std::max(rules.band_noise_most * best, nanoseconds(rules.band_slack));
    const double noise = std::min(rules.band_noise * nanoseconds(set[i].known.rttvar), most_noise);
    return costs[i] <= rules.band * best + nanoseconds(rules.band_slack) + noise;
  };
  std::vector<std::uint32_t> outside;
  for (std::uint32_t i = 0; i < set.size(); ++i) (is_inside(i) ? band_ : outside).push_back(i);
  head_.uneven = static_cast<float>(rules.uneven);
  head_.explore_below = static_cast<std::uint32_t>(std::clamp(rules.explore, 0.0, 1.0) * 65536);
  draw_from_band(set, costs, weighted);
  keep_outside(set, costs, std::move(outside), rules);
}

void pick_plan::draw_from_band(std::span<const contender> set, std::span<const double> costs, bool weighted) {
  const double best = *std::min_element(costs.begin(), costs.end());
  const bool any_unmeasured =
      std::any_of(band_.begin(), band_.end(), [&](std::uint32_t i) { return !set[i].known.measured; });
  std::vector<double> weights;
  for (const std::uint32_t i : band_) {
    if (any_unmeasured && !weighted && set[i].known.measured) continue;
    const double weight = set[i].weight * set[i].known.ramp;
    weights.push_back(weight);
    pick_choice& c = choices_.emplace_back();
    c.index = i;
    c.inverse_weight = static_cast<float>(1 / std::max(weight, 1e-6));
    // One never measured may be as near as the best: only what goes on there makes it spill.
    c.cost = static_cast<float>(set[i].known.measured ? costs[i] : best);
  }
  const alias_table table(weights);
  for (std::size_t i = 0; i < choices_.size(); ++i) choices_[i].slot = table[i];
  head_.drawn = static_cast<std::uint32_t>(choices_.size());
}

void pick_plan::keep_outside(std::span<const contender> set, std::span<const double> costs,
                             std::vector<std::uint32_t> outside, const balance_rules& rules) {
  std::sort(outside.begin(), outside.end(), [&](std::uint32_t a, std::uint32_t b) { return costs[a] < costs[b]; });
  for (const std::uint32_t i : outside) {
    pick_choice& c = choices_.emplace_back();
    c.index = i;
    c.cost = static_cast<float>(costs[i]);
  }
  head_.outside = static_cast<std::uint32_t>(outside.size());
  for (std::uint32_t k = 0; k < outside.size(); ++k)
    if (set[outside[k]].known.age >= rules.explore_after)
      choices_[head_.drawn + head_.far++].slot.alias = head_.drawn + k;
}

}  // namespace lbresolve::core
