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
  /// @param weights finite, not negative; all zero counts as all equal
  explicit alias_table(std::span<const double> weights = {});
  bool empty() const noexcept { return slots_.empty(); }
  std::size_t size() const noexcept { return slots_.size(); }
  /// @param bits 32 uniform bits
  std::uint32_t draw(std::uint32_t bits) const noexcept {
    const std::uint64_t scaled = std::uint64_t{bits} * slots_.size();
    const slot& s = slots_[scaled >> 32];
    return static_cast<std::uint32_t>(scaled) < s.threshold ? static_cast<std::uint32_t>(scaled >> 32) : s.alias;
  }

 private:
  struct slot {
    std::uint32_t threshold = std::numeric_limits<std::uint32_t>::max();
    std::uint32_t alias = 0;
  };
  std::vector<slot> slots_;
};

/// Everything a pick needs, made when DNS or health has changed, off the pick's path. A value; reading it is safe from
/// any number of threads.
class pick_plan {
 public:
  /// @param costs of `set`, as costs_of() gives them
  /// @param weighted the weights are the operator's word: everybody is in the band
  pick_plan() = default;
  pick_plan(std::span<const contender> set, std::span<const double> costs, bool weighted, const balance_rules& rules);

  /// The index to use, out of the set; 0 of a set of one. `in_flight(i)` tells what goes on at i now.
  template <class InFlight>
  std::uint32_t pick(random_source& random, InFlight&& in_flight) const {
    if (drawn_.size() == 1 && far_.empty()) return spilled(0, in_flight);
    const std::uint64_t bits = random.next();
    if (!far_.empty() && (bits & explore_mask) < explore_below_)
      return far_[static_cast<std::size_t>(random.below(far_.size()))];
    if (drawn_.size() == 1) return spilled(0, in_flight);
    const std::uint32_t first = table_.draw(static_cast<std::uint32_t>(bits >> 32));
    const std::uint32_t second = table_.draw(static_cast<std::uint32_t>(bits));
    return spilled(first == second || !is_uneven(first, second, in_flight) ? first : second, in_flight);
  }

  /// The members of the band, as indices of the set.
  std::span<const std::uint32_t> band() const noexcept { return band_; }
  bool empty() const noexcept { return drawn_.empty(); }

 private:
  static constexpr std::uint64_t explore_mask = 0xFFFF;
  struct member {
    std::uint32_t index = 0;
    float inverse_weight = 1;
    double cost = 0;
  };

  template <class InFlight>
  bool is_uneven(std::uint32_t first, std::uint32_t second, InFlight& in_flight) const {
    const member& a = drawn_[first];
    const member& b = drawn_[second];
    // Without the one to come: counted in, it would turn idle members towards the heavier one beyond its weight.
    return static_cast<float>(in_flight(a.index)) * a.inverse_weight >
           uneven_ * static_cast<float>(in_flight(b.index)) * b.inverse_weight;
  }

  /// The one drawn, unless so much goes on there that the nearest one outside the band is the faster.
  template <class InFlight>
  std::uint32_t spilled(std::uint32_t drawn, InFlight& in_flight) const {
    const member& m = drawn_[drawn];
    if (outside_.empty()) return m.index;
    double load = m.cost * (in_flight(m.index) + 1);
    std::uint32_t to = m.index;
    for (const member& o : outside_) {
      if (load <= o.cost) break;
      const double there = o.cost * (in_flight(o.index) + 1);
      if (there < load) {
        load = there;
        to = o.index;
      }
    }
    return to;
  }

  std::vector<std::uint32_t> band_;
  std::vector<member> drawn_;       // the band, or those of it that were never measured
  std::vector<member> outside_;     // by cost
  std::vector<std::uint32_t> far_;  // outside, with an old estimate
  alias_table table_;               // over drawn_
  float uneven_ = 1.25F;
  std::uint32_t explore_below_ = 0;  // of 65536
};

}  // namespace lbresolve::core
