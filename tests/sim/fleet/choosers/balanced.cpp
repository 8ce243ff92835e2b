// The policy `balanced`, over the real cores.
#include "core/balance.hpp"
#include "core/health.hpp"
#include "sim/fleet/chooser.hpp"
#include "sim/fleet/draws.hpp"

#include <algorithm>
#include <array>

namespace lbresolve::fleet {

using namespace std::chrono_literals;

namespace {

class balanced final : public chooser {
 public:
  balanced(const balanced_rules& rules, core::random_source& random) : rules_(&rules), random_(&random) {}

  void on_answer(std::span<const server_id> addresses, time_point) override {
    addresses_.assign(addresses.begin(), addresses.end());
  }

  void plan(std::vector<server_id>& out, time_point now) override {
    std::vector<core::contender> good, all;
    std::vector<server_id> in;
    last_used_ = now;
    for (const auto s : addresses_) {
      core::contender c{health_[s].view(now, rules_->health), 1};
      all.push_back(c);
      if (tier(c.known) == 0) {
        in.push_back(s);
        good.push_back(c);
      }
    }
    const auto costs = core::costs_of(all, rules_->balance);
    std::vector<std::size_t> order(all.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    core::shuffle(order.begin(), order.end(), *random_);
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return std::pair(tier(all[a].known), costs[a]) < std::pair(tier(all[b].known), costs[b]);
    });
    for (auto i : order) out.push_back(addresses_[i]);
    if (!in.empty()) {
      const core::pick_plan pick(good, core::costs_of(good, rules_->balance), false, rules_->balance);
      const auto first = in[pick.pick(*random_, [&](std::uint32_t i) { return health_[in[i]].in_flight(); })];
      const auto at = std::find(out.begin(), out.end(), first);
      std::rotate(out.begin(), at, at + 1);
    }
  }

  void on_started(server_id s, time_point) override { health_[s].on_started(); }
  void on_connected(server_id s, duration took, time_point now) override {
    health_[s].on_ended();
    health_[s].on_connected(took, typical(now), now, rules_->health);
  }
  void on_failed(server_id s, duration took, time_point now) override {
    health_[s].on_ended();
    health_[s].on_failed(took, true, now, rules_->health, *random_);
    plan_probe(s, now);
  }
  void on_cancelled(server_id s, duration waited, time_point now) override {
    health_[s].on_ended();
    const auto v = health_[s].view(now, rules_->health);
    if (waited >= std::max<duration>(250ms, v.measured ? 3 * v.srtt : 0ns)) {
      health_[s].on_slow(waited, now);
      plan_probe(s, now);
    }
  }
  void on_request(server_id s, time_point) override { health_[s].on_started(); }
  void on_response(server_id s, duration latency, time_point now) override {
    health_[s].on_ended();
    health_[s].on_reported_success(latency, now, rules_->health);
  }
  bool is_ejected(server_id s, time_point now) const override {
    return health_[s].view(now, rules_->health).state == endpoint_state::ejected;
  }

  time_point next_probe(time_point) override { return *std::min_element(due_.begin(), due_.end()); }
  std::optional<server_id> take_probe(time_point now) override {
    for (server_id s = 0; s < due_.size(); ++s) {
      if (due_[s] > now) continue;
      due_[s] = core::never;
      return s;
    }
    return std::nullopt;
  }
  void on_probe_ended(server_id s, bool connected, duration took, time_point now) override {
    if (connected) return health_[s].on_connected(took, typical(now), now, rules_->health);
    health_[s].on_failed(took, true, now, rules_->health, *random_);
    plan_probe(s, now);
  }

 private:
  static int tier(const core::health_view& v) {
    if (v.state == endpoint_state::ejected || v.state == endpoint_state::half_open) return 2;
    return v.state == endpoint_state::suspect ? 1 : 0;
  }
  duration typical(time_point now) const {
    std::vector<core::contender> all;
    for (const auto s : addresses_) all.push_back({health_[s].view(now, rules_->health), 1});
    return core::typical_time(all);
  }
  void plan_probe(server_id s, time_point now) {
    const auto v = health_[s].view(now, rules_->health);
    const auto when = v.state == endpoint_state::ejected ? v.ejected_until : now + 1s + scaled(4s, random_->unit());
    due_[s] = std::min(due_[s], when);
  }

  const balanced_rules* rules_;
  core::random_source* random_;
  std::vector<server_id> addresses_;
  std::array<core::endpoint_health, 64> health_{};
  std::array<time_point, 64> due_ = [] {
    std::array<time_point, 64> out{};
    out.fill(core::never);
    return out;
  }();
  time_point last_used_{};
};

}  // namespace

std::unique_ptr<chooser> make_balanced(const balanced_rules& rules, core::random_source& random) {
  return std::make_unique<balanced>(rules, random);
}

}  // namespace lbresolve::fleet
