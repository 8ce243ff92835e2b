#include "core/explain.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <unordered_map>

namespace lbresolve::core {
namespace {

/// Shares are counted in so many drawn orders, whatever policy, families and weights do: off by 3 % of 1 at most.
constexpr int drawn_orders = 2'000;

std::string tenths(double value) {
  const auto in_tenths = static_cast<std::int64_t>(std::lround(value * 10));
  return std::to_string(in_tenths / 10) + "." + std::to_string(in_tenths % 10);
}

/// What puts it behind others whatever the policy; nothing where nothing does.
std::string handicap(const candidate& c, std::uint32_t least_priority) {
  if (!c.skip.empty()) return c.skip;
  if (!c.source) return "this host has no route to it";
  switch (c.known.state) {
    case endpoint_state::ejected:
      return "ejected after " + std::to_string(c.known.consecutive_failures) + " failures in a row";
    case endpoint_state::half_open:
      return "its ejection is over: one try decides";
    case endpoint_state::suspect:
      return "something failed there, and nothing has succeeded since";
    case endpoint_state::unknown:
    case endpoint_state::healthy:
    case endpoint_state::ramping:
      break;
  }
  if (c.known.demoted)
    return std::string(c.endpoint.address.is_v6() ? "IPv6" : "IPv4") + " does not work for this name or network";
  if (c.priority > least_priority) return "priority " + std::to_string(c.priority) + ": when those before it fail";
  return {};
}

/// Why the policy puts it where it is, among those without a handicap.
std::string merit(const candidate& c, double cost, double best, const order_settings& settings) {
  if (settings.mode == selection_mode::server) return "the server's order";
  if (c.weighted && settings.policy != policy::fastest && settings.policy != policy::round_robin)
    return "weight " + std::to_string(c.weight) + " decides";
  switch (settings.policy) {
    case policy::in_order:
      return "the order of the answer";
    case policy::random:
      return c.frequency > 0 ? "drawn as often as DNS answers with it" : "drawn by chance";
    case policy::round_robin:
      return "by turns";
    case policy::hash:
      return "by the hash of the key";
    case policy::fastest:
    case policy::balanced:
      break;
  }
  if (c.known.state == endpoint_state::ramping)
    return "back for " + std::to_string(std::lround(c.known.ramp * 100)) + " % of its share";
  if (!c.known.measured) return "never measured: tried before measured ones";
  if (cost <= best) return "the least expected time";
  const double edge = settings.balance.band * best + static_cast<double>(settings.balance.band_slack.count());
  if (settings.policy == policy::balanced && cost <= edge)
    return std::string("as good as the best: they share") + (c.frequency > 0 ? " as DNS answers" : "");
  return tenths(cost / std::max(best, 1.0)) + " times the least expected time" +
         (settings.policy == policy::balanced ? ": when load spills over, or others fail" : "");
}

}  // namespace

std::vector<explained_candidate> explain(const std::vector<candidate>& candidates, const order_settings& settings,
                                         random_source& random) {
  std::unordered_map<endpoint, int> first;
  for (int i = 0; i < drawn_orders && !candidates.empty(); ++i) {
    order_settings s = settings;
    s.turn += static_cast<std::uint64_t>(i);
    ++first[order(candidates, s, random).front().endpoint];
  }
  std::vector<contender> set;
  std::uint32_t least_priority = UINT32_MAX;
  const std::vector<candidate> ordered = order(candidates, settings, random);
  for (const candidate& c : ordered) {
    set.push_back({.known = c.known});
    least_priority = std::min(least_priority, c.priority);
  }
  const std::vector<double> costs = core::costs_of(set, settings.balance);
  double best = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < ordered.size(); ++i)
    if (handicap(ordered[i], least_priority).empty()) best = std::min(best, costs[i]);

  std::vector<explained_candidate> out;
  for (std::size_t i = 0; i < ordered.size(); ++i) {
    const candidate& c = ordered[i];
    explained_candidate& e = out.emplace_back();
    e.endpoint = c.endpoint;
    e.priority = c.priority;
    if (c.weighted) e.weight = c.weight;
    if (c.frequency > 0) e.frequency = c.frequency;
    e.state = c.known.state;
    if (c.known.measured) e.srtt = c.known.srtt;
    e.successes = c.known.successes;
    e.failures = c.known.failures;
    e.in_flight = c.known.in_flight;
    e.cost = duration(static_cast<std::int64_t>(costs[i]));
    e.share = static_cast<double>(first[c.endpoint]) / drawn_orders;
    e.why = handicap(c, least_priority);
    if (e.why.empty()) e.why = merit(c, costs[i], best, settings);
  }
  return out;
}

}  // namespace lbresolve::core
