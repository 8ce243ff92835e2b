// Which endpoints to look at in the background, and when.
#pragma once

#include "core/endpoint_table.hpp"
#include "core/random.hpp"
#include "core/time.hpp"

#include <lbresolve/endpoint.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <queue>
#include <vector>

namespace lbresolve::core {

struct probe_rules {
  bool enabled = true;
  duration suspect_least = std::chrono::seconds{1};   ///< after a failure: between these two, so that clients that saw
  duration suspect_most = std::chrono::seconds{5};    ///< it at once do not come back at once
  duration measure_every = std::chrono::seconds{30};  ///< what is not used meanwhile is measured again
  duration demoted_every = std::chrono::seconds{30};  ///< of a family that does not work
  duration in_use = std::chrono::seconds{60};         ///< names not used for so long are left alone
  double per_second = 1;                              ///< the budget: so many a second,
  double per_connect = 0.01;                          ///< and so many a connect
};

/// Probes are planned when a fact comes in or an endpoint is used, one at a time for each endpoint, and made when they
/// are due, are still wanted, and the budget allows.
/// Thread-safety: one thread at a time.
class probe_plan {
 public:
  explicit probe_plan(const probe_rules& rules = {}) : rules_(rules) {}

  /// A connect of the program's: it pays for 1 % of a probe.
  void on_connect(time_point now) noexcept;

  /// Whether this one is ever probed: not while it is being probed, nor by itself.
  bool concerns(const endpoint_record& r) const noexcept { return rules_.enabled && !r.probing && !r.is_alone(); }

  /// Plans the next probe of an endpoint that stands as `v` says.
  /// @param news something has just been learned of it: a probe that is planned already may be wanted sooner
  void plan(endpoint_record& r, const health_view& v, bool news, time_point now, random_source& random);

  /// The next endpoint to probe, marked as being probed.
  std::optional<endpoint> next(endpoint_table& table, time_point now, const health_rules& health);
  /// When next() may have one.
  time_point next_at(time_point now) const noexcept;

  void clear() { due_ = {}; }
  const probe_rules& rules() const noexcept { return rules_; }

 private:
  struct planned {
    time_point when;
    endpoint at;
    friend bool operator>(const planned& a, const planned& b) noexcept { return a.when > b.when; }
  };
  static constexpr double most_saved = 2;  ///< probes: a quiet hour must not become a burst

  void refill(time_point now) noexcept;
  bool is_wanted(const endpoint_record& r, const health_view& v, time_point now) const noexcept;

  probe_rules rules_;
  std::priority_queue<planned, std::vector<planned>, std::greater<>> due_;
  double budget_ = 1;
  time_point refilled_ = time_point::min();
};

}  // namespace lbresolve::core
