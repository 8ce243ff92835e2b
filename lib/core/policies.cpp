#include "core/policies.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <numeric>

namespace lbresolve::core {
namespace {

using places = std::vector<std::uint32_t>;

places identity(std::size_t n) {
  places out(n);
  std::iota(out.begin(), out.end(), 0U);
  return out;
}

bool is_weighted(std::span<const peer> peers) {
  return std::any_of(peers.begin(), peers.end(), [](const peer& p) { return p.what->weighted; });
}

places by_cost(std::span<const peer> peers) {
  places out = identity(peers.size());
  std::stable_sort(out.begin(), out.end(), [&](auto a, auto b) { return peers[a].cost < peers[b].cost; });
  return out;
}

/// A uniform draw in (0, 1) made of 64 bits.
double open_unit(std::uint64_t bits) noexcept { return (static_cast<double>(bits >> 11) + 0.5) * 0x1.0p-53; }

/// By a key for each that grows with its weight, highest first: -ln(u) / weight is the arrival of a Poisson process of
/// that rate, so the first is drawn by weight, and so is each next one among those left (RFC 2782's order).
template <class Bits>
places by_arrival(std::span<const peer> peers, Bits bits_of) {
  std::vector<double> arrivals;
  arrivals.reserve(peers.size());
  for (const peer& p : peers) arrivals.push_back(-std::log(open_unit(bits_of(p))) / weight_of(*p.what));
  places out = identity(peers.size());
  std::stable_sort(out.begin(), out.end(), [&](auto a, auto b) { return arrivals[a] < arrivals[b]; });
  return out;
}

places in_random_order(std::span<const peer> peers, random_source& random) {
  if (is_weighted(peers)) return by_arrival(peers, [&](const peer&) { return random.next(); });
  places out = identity(peers.size());
  shuffle(out.begin(), out.end(), random);
  return out;
}

/// One after the other, whatever order the answer came in.
places in_turn(std::span<const peer> peers, std::uint64_t turn) {
  places out = identity(peers.size());
  std::sort(out.begin(), out.end(), [&](auto a, auto b) { return peers[a].what->endpoint < peers[b].what->endpoint; });
  std::rotate(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(turn % peers.size()), out.end());
  return out;
}

std::uint64_t mixed(std::uint64_t a, std::uint64_t b) noexcept {
  std::uint64_t z = a ^ (b * 0x9E3779B97F4A7C15U);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31);
}

/// Rendezvous hashing (Thaler and Ravishankar 1998), with weights: who leaves takes only its own keys along.
places by_hash(std::span<const peer> peers, std::uint64_t key) {
  return by_arrival(peers, [&](const peer& p) { return mixed(key, std::hash<endpoint>()(p.what->endpoint)); });
}

places balanced(std::span<const peer> peers, const order_settings& settings, random_source& random) {
  const bool weighted = is_weighted(peers);
  std::vector<contender> set;
  std::vector<double> costs;
  for (const peer& p : peers) {
    set.push_back({.known = p.what->known, .weight = weight_of(*p.what)});
    costs.push_back(p.cost);
  }
  const pick_plan plan(set, costs, weighted, settings.balance);
  const std::uint32_t pick = plan.pick(random, [&](std::uint32_t i) { return set[i].known.in_flight; });
  // Behind it, those that are as good in an order of chance, so that one failure does not send everybody to the same
  // second, and then the others by cost.
  places rest = weighted ? in_random_order(peers, random) : by_cost(peers);
  if (!weighted) {
    places inside(plan.band().begin(), plan.band().end());
    shuffle(inside.begin(), inside.end(), random);
    std::vector<bool> is_inside(peers.size());
    for (const std::uint32_t i : inside) is_inside[i] = true;
    std::copy_if(rest.begin(), rest.end(), std::back_inserter(inside), [&](auto i) { return !is_inside[i]; });
    rest = std::move(inside);
  }
  const auto at = std::find(rest.begin(), rest.end(), pick);
  std::rotate(rest.begin(), at, at + 1);
  return rest;
}

}  // namespace

double weight_of(const candidate& c) noexcept {
  constexpr double of_zero = 1.0 / 16;
  if (!c.weighted) return 1;
  return c.weight == 0 ? of_zero : c.weight;
}

std::vector<std::uint32_t> arrange(std::span<const peer> peers, const order_settings& settings, random_source& random) {
  if (settings.mode == selection_mode::server) return identity(peers.size());
  switch (settings.policy) {
    case policy::balanced:
      return balanced(peers, settings, random);
    case policy::fastest:
      return by_cost(peers);
    case policy::round_robin:
      return in_turn(peers, settings.turn);
    case policy::random:
      return in_random_order(peers, random);
    case policy::hash:
      return by_hash(peers, settings.hash_key);
    case policy::in_order:
      break;
  }
  return identity(peers.size());
}

}  // namespace lbresolve::core
