#include "core/policies.hpp"

#include "core/weighted_shuffle.hpp"

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

places by_cost(std::span<const peer> peers) {
  places out = identity(peers.size());
  std::stable_sort(out.begin(), out.end(), [&](auto a, auto b) { return peers[a].cost < peers[b].cost; });
  return out;
}

/// A uniform draw in (0, 1) made of 64 bits.
double open_unit(std::uint64_t bits) noexcept { return (static_cast<double>(bits >> 11) + 0.5) * 0x1.0p-53; }

places in_random_order(std::span<const peer> peers, random_source& random) {
  places out = identity(peers.size());
  shuffle(out.begin(), out.end(), random);
  if (std::none_of(peers.begin(), peers.end(), [](const peer& p) { return p.what->frequency > 0; })) return out;
  // Each arrives after a time that is the shorter the more it weighs: the first one is drawn by weight, and so is the
  // next one among the rest.
  std::vector<double> arrivals;
  arrivals.reserve(peers.size());
  for (const peer& p : peers) arrivals.push_back(-std::log(open_unit(random.next())) / weight_of(*p.what));
  std::sort(out.begin(), out.end(), [&](auto a, auto b) { return arrivals[a] < arrivals[b]; });
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

places by_hash(std::span<const peer> peers, std::uint64_t key) {
  std::vector<double> arrivals;
  arrivals.reserve(peers.size());
  for (const peer& p : peers) arrivals.push_back(rendezvous(key, std::hash<endpoint>()(p.what->endpoint), 1));
  places out = identity(peers.size());
  std::stable_sort(out.begin(), out.end(), [&](auto a, auto b) { return arrivals[a] < arrivals[b]; });
  return out;
}

places balanced(std::span<const peer> peers, const order_settings& settings, random_source& random) {
  std::vector<contender> set;
  std::vector<double> costs;
  for (const peer& p : peers) {
    set.push_back({.known = p.what->known, .weight = weight_of(*p.what)});
    costs.push_back(p.cost);
  }
  const pick_plan plan(set, costs, false, settings.balance);
  const std::uint32_t pick = plan.pick(random, [&](std::uint32_t i) { return set[i].known.in_flight; });
  // Behind it, those that are as good in an order of chance, so that one failure does not send everybody to the same
  // second, and then the others by cost.
  places rest(plan.band().begin(), plan.band().end());
  shuffle(rest.begin(), rest.end(), random);
  std::vector<bool> is_inside(peers.size());
  for (const std::uint32_t i : rest) is_inside[i] = true;
  const places all = by_cost(peers);
  std::copy_if(all.begin(), all.end(), std::back_inserter(rest), [&](auto i) { return !is_inside[i]; });
  const auto at = std::find(rest.begin(), rest.end(), pick);
  std::rotate(rest.begin(), at, at + 1);
  return rest;
}

}  // namespace

// The arrival of a Poisson process of that rate: the first one to arrive is drawn by weight, and who leaves takes only
// its own keys along.
double rendezvous(std::uint64_t key, std::uint64_t of, std::uint16_t weight) noexcept {
  return -std::log(open_unit(mixed(key, of))) / static_cast<double>(chance_of(weight));
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
