#include "sim/fleet/competitors.hpp"

#include <algorithm>
#include <array>

namespace lbresolve::fleet {
namespace {

/// For those that take only a source of random numbers.
template <std::unique_ptr<chooser> (*Make)(core::random_source&)>
chooser_factory simple(const parameters&) {
  return [](std::span<const server_facts>, core::random_source& random) { return Make(random); };
}
template <std::unique_ptr<chooser> (*Make)()>
chooser_factory simple(const parameters&) {
  return [](std::span<const server_facts>, core::random_source&) { return Make(); };
}

void set_seconds(const parameters& p, const char* name, duration& value) {
  value = p.seconds(name, std::chrono::duration<double>(value).count());
}

/// Every constant by its name in the rules.
balanced_rules rules_from(const parameters& p) {
  balanced_rules r;
  auto& h = r.health;
  h.alpha_up = p.get("alpha_up", h.alpha_up);
  h.alpha_down = p.get("alpha_down", h.alpha_down);
  set_seconds(p, "alpha_down_time", h.alpha_down_time);
  set_seconds(p, "retransmitted", h.retransmitted);
  h.eject_after = static_cast<std::uint32_t>(p.count("eject_after", h.eject_after));
  h.eject_least = p.get("eject_least", h.eject_least);
  h.eject_under = p.get("eject_under", h.eject_under);
  set_seconds(p, "eject_first", h.eject_first);
  set_seconds(p, "eject_most", h.eject_most);
  set_seconds(p, "forgive_every", h.forgive_every);
  set_seconds(p, "ramp", h.ramp);
  h.ramp_least = p.get("ramp_least", h.ramp_least);
  auto& b = r.balance;
  b.band = p.get("band", b.band);
  set_seconds(p, "band_slack", b.band_slack);
  b.band_noise = p.get("band_noise", b.band_noise);
  b.band_noise_most = p.get("band_noise_most", b.band_noise_most);
  set_seconds(p, "fade", b.fade);
  b.prior = p.get("prior", b.prior);
  set_seconds(p, "failure_least", b.failure_least);
  b.uneven = p.get("uneven", b.uneven);
  b.explore = p.get("explore", b.explore);
  set_seconds(p, "explore_after", b.explore_after);
  auto& q = r.probes;
  q.enabled = p.get("probing", 1) != 0;
  set_seconds(p, "suspect_least", q.suspect_least);
  set_seconds(p, "suspect_most", q.suspect_most);
  set_seconds(p, "measure_every", q.measure_every);
  set_seconds(p, "demoted_every", q.demoted_every);
  q.per_second = p.get("probes_per_second", q.per_second);
  q.per_connect = p.get("probes_per_connect", q.per_connect);
  return r;
}

chooser_factory balanced(const parameters& p) {
  return [rules = std::make_shared<balanced_rules>(rules_from(p))](std::span<const server_facts> servers,
                                                                   core::random_source& random) {
    return make_balanced(*rules, servers, random);
  };
}

constexpr std::array all{
    competitor{"balanced", "lbresolve's default", balanced},
    competitor{"round_robin", "one address further with each connect", simple<make_round_robin>},
    competitor{"random", "any address", simple<make_random>},
    competitor{"in_order", "the order of the DNS answer", simple<make_in_order>},
    competitor{"glibc", "a fixed order, one after the other, no race", simple<make_glibc>},
    competitor{"fastest", "the lowest smoothed connect time so far", simple<make_fastest>},
    competitor{"peak_ewma", "peak EWMA, power of two choices (Finagle)", simple<make_peak_ewma>},
    competitor{"k_failures", "round robin, ejection after 5 failures in a row (Finagle)", simple<make_k_failures>},
};

}  // namespace

std::span<const competitor> competitors() { return all; }

const competitor* find_competitor(std::string_view name) {
  const auto found = std::find_if(all.begin(), all.end(), [&](const competitor& c) { return c.name == name; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace lbresolve::fleet
