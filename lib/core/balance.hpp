// The policy `balanced`: weighted choice inside the band of the best.
#pragma once

#include "core/health.hpp"
#include "core/random.hpp"
#include "core/time.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace lbresolve::core {

/// The constants of the choice, each with its reason. docs/balancing.md shows what other values do.
struct balance_rules {
  double band = 1.25;                                  ///< members cost at most this times the best; below 1: only it
  duration band_slack = std::chrono::milliseconds{2};  ///< plus this: on a LAN a factor alone is noise
  double band_noise = 1;                               ///< plus so many mean deviations of the member, which are noise
  double band_noise_most = 0.25;                       ///< of the best cost, at most, or band_slack where that is more
  duration fade = std::chrono::seconds{60};            ///< old knowledge fades towards the median of the set
  double prior = 5;                                    ///< successes assumed before anything is known
  duration failure_least = std::chrono::milliseconds{250};  ///< what a failure costs at least: failing fast is no merit
  double uneven = 1.25;       ///< of two drawn, the second is taken when the first has so many times its load
  double explore = 1.0 / 64;  ///< how often a far member is looked at again
  duration explore_after = std::chrono::seconds{30};  ///< once its estimate is older than this
};

/// One member of the set to choose from.
struct contender {
  health_view known;
  double weight = 1;  ///< from DNS, or learned from its answers; at least 0
};

/// The median of what was measured in the set; zero where nothing was.
duration typical_time(std::span<const contender> set);

/// The expected time to a connection, in nanoseconds: distance, plus what failures cost on the way to a success. The
/// same for `latency` of requests, where the program reports it.
/// @param typical of the set: what is unknown counts as this, and old knowledge fades towards it
double cost_of(const health_view& v, duration typical, duration typical_of_latency, const balance_rules& rules);
std::vector<double> costs_of(std::span<const contender> set, const balance_rules& rules);

/// Draws an index with probability proportional to its weight, in constant time (Vose 1991).
class alias_table {
 public:
  struct slot {
    std::uint32_t threshold = std::numeric_limits<std::uint32_t>::max();
    std::uint32_t alias = 0;
  };

  /// @param weights finite, not negative; all zero counts as all equal
  explicit alias_table(std::span<const double> weights = {});
  const slot& operator[](std::size_t i) const noexcept { return slots_[i]; }
  std::uint32_t draw(std::uint32_t bits) const noexcept {
    return draw(bits, slots_.size(), [this](std::uint32_t i) { return slots_[i]; });
  }

  /// The same from slots that lie elsewhere. @param bits 32 uniform bits
  template <class SlotAt>
  static std::uint32_t draw(std::uint32_t bits, std::size_t size, SlotAt&& at) noexcept {
    const std::uint64_t scaled = std::uint64_t{bits} * size;
    const auto i = static_cast<std::uint32_t>(scaled >> 32);
    const slot& s = at(i);
    return static_cast<std::uint32_t>(scaled) < s.threshold ? i : s.alias;
  }

 private:
  std::vector<slot> slots_;
};

/// What a pick needs to know of one member. A plan lists those that are drawn, then those outside the band, by cost.
struct pick_choice {
  std::uint32_t index = 0;  ///< of the set
  /// Drawn: its slot of the alias table. Outside: the k-th one's alias is where the k-th far one stands.
  alias_table::slot slot;
  float inverse_weight = 1;
  float cost = 0;  ///< in nanoseconds; a float, so that all of a member fits a cache line
};

/// What a pick needs to know of the plan as a whole.
struct pick_head {
  std::uint32_t drawn = 0;          ///< the band, or those of it that were never measured
  std::uint32_t outside = 0;        ///< of the band
  std::uint32_t far = 0;            ///< of those outside: with an old estimate
  std::uint32_t explore_below = 0;  ///< of 65536
  float uneven = 1.25F;
};

/// The pick itself, wherever the choices lie: where in the plan the one to use stands. A plan that is not empty.
/// @param at `at(i)` is the i-th choice @param in_flight `in_flight(i)` tells what goes on there now
template <class ChoiceAt, class InFlight>
std::uint32_t pick(const pick_head& head, random_source& random, ChoiceAt&& at, InFlight&& in_flight) {
  // The one drawn, unless so much goes on there that the nearest one outside the band is the faster.
  const auto spilled = [&](std::uint32_t drawn) {
    if (head.outside == 0) return drawn;
    float load = at(drawn).cost * static_cast<float>(in_flight(drawn) + 1);
    std::uint32_t to = drawn;
    for (std::uint32_t i = head.drawn; i < head.drawn + head.outside && load > at(i).cost; ++i) {
      const float there = at(i).cost * static_cast<float>(in_flight(i) + 1);
      if (there >= load) continue;
      load = there;
      to = i;
    }
    return to;
  };
  if (head.drawn == 1 && head.far == 0) return spilled(0);
  constexpr std::uint64_t explore_mask = 0xFFFF;
  const std::uint64_t bits = random.next();
  if (head.far != 0 && (bits & explore_mask) < head.explore_below)
    return at(head.drawn + static_cast<std::uint32_t>(random.below(head.far))).slot.alias;
  if (head.drawn == 1) return spilled(0);
  const auto slot_at = [&](std::uint32_t i) { return at(i).slot; };
  const std::uint32_t first = alias_table::draw(static_cast<std::uint32_t>(bits >> 32), head.drawn, slot_at);
  const std::uint32_t second = alias_table::draw(static_cast<std::uint32_t>(bits), head.drawn, slot_at);
  if (first == second) return spilled(first);
  // Without the one to come: counted in, it would turn idle members towards the heavier one beyond its weight.
  const float load = static_cast<float>(in_flight(first)) * at(first).inverse_weight;
  const float other = static_cast<float>(in_flight(second)) * at(second).inverse_weight;
  return spilled(load > head.uneven * other ? second : first);
}

/// Everything a pick needs, made when DNS or health has changed, off the pick's path. A value; reading it is safe from
/// any number of threads.
class pick_plan {
 public:
  pick_plan() = default;
  /// @param costs of `set`, as costs_of() gives them
  /// @param weighted the weights are the operator's word: everybody is in the band
  pick_plan(std::span<const contender> set, std::span<const double> costs, bool weighted, const balance_rules& rules);

  /// The index to use, out of the set; 0 of a set of one. `in_flight(i)` tells what goes on at i now.
  template <class InFlight>
  std::uint32_t pick(random_source& random, InFlight&& in_flight) const {
    const auto at = [this](std::uint32_t i) -> const pick_choice& { return choices_[i]; };
    return choices_[core::pick(head_, random, at, [&](std::uint32_t i) { return in_flight(choices_[i].index); })].index;
  }

  /// The members of the band, as indices of the set.
  std::span<const std::uint32_t> band() const noexcept { return band_; }
  bool empty() const noexcept { return choices_.empty(); }

  const pick_head& head() const noexcept { return head_; }
  std::span<const pick_choice> choices() const noexcept { return choices_; }

 private:
  void draw_from_band(std::span<const contender> set, std::span<const double> costs, bool weighted);
  void keep_outside(std::span<const contender> set, std::span<const double> costs, std::vector<std::uint32_t> outside,
                    const balance_rules& rules);

  std::vector<std::uint32_t> band_;
  pick_head head_;
  std::vector<pick_choice> choices_;
};

}  // namespace lbresolve::core
