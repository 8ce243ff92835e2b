// Ejection after K failures in a row, over round robin: Finagle's default failure accrual (5 failures; dead for 5 s,
// doubling to 300 s, each time between half of it and all of it; then one attempt decides). When all are dead, all are
// used.
//
// An attempt that a race has abandoned counts as a failure if it had waited for the Connection Attempt Delay. Published
// failure accrual knows no races; without this a server that never answers would never count as failing.
#include "sim/fleet/chooser.hpp"
#include "sim/fleet/draws.hpp"

#include <algorithm>
#include <array>

namespace lbresolve::fleet {

using namespace std::chrono_literals;

namespace {

constexpr int failures_to_eject = 5;
constexpr duration first_ejection = 5s;
constexpr duration longest_ejection = 300s;

class k_failures final : public chooser {
 public:
  explicit k_failures(core::random_source& random) : turn_(random.below(1 << 16)), random_(&random) {}

  void on_answer(std::span<const server_id> addresses, time_point) override {
    addresses_.assign(addresses.begin(), addresses.end());
    std::sort(addresses_.begin(), addresses_.end());
  }

  void plan(std::vector<server_id>& out, time_point now) override {
    for (const auto s : addresses_) {
      if (!is_dead(s, now)) out.push_back(s);
    }
    const auto living = out.size();
    for (const auto s : addresses_) {
      if (is_dead(s, now)) out.push_back(s);
    }
    const auto rotated = static_cast<std::ptrdiff_t>(living == 0 ? out.size() : living);
    std::rotate(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(turn_++) % rotated, out.begin() + rotated);
  }

  void on_started(server_id s, time_point now) override {
    auto& m = members_[s];
    if (m.failures >= failures_to_eject && m.dead_until <= now) m.on_trial = true;
  }
  void on_connected(server_id s, duration, time_point) override { members_[s] = {}; }
  void on_failed(server_id s, duration, time_point now) override { failed(s, now); }
  void on_cancelled(server_id s, duration waited, time_point now) override {
    if (waited >= usual_attempt_delay) {
      failed(s, now);
    } else {
      members_[s].on_trial = false;
    }
  }
  bool is_ejected(server_id s, time_point now) override { return is_dead(s, now); }

 private:
  struct member {
    int failures = 0;
    int ejections = 0;
    time_point dead_until{};
    bool on_trial = false;
  };

  bool is_dead(server_id s, time_point now) const {
    const auto& m = members_[s];
    return m.failures >= failures_to_eject && (m.on_trial || now < m.dead_until);
  }

  void failed(server_id s, time_point now) {
    auto& m = members_[s];
    m.on_trial = false;
    if (++m.failures < failures_to_eject || now < m.dead_until) return;
    const duration longest = std::min<duration>(longest_ejection, first_ejection * (1 << std::min(m.ejections++, 6)));
    m.dead_until = now + longest / 2 + scaled(longest / 2, random_->unit());
  }

  std::vector<server_id> addresses_;
  std::array<member, 64> members_{};
  std::size_t turn_;
  core::random_source* random_;
};

}  // namespace

std::unique_ptr<chooser> make_k_failures(core::random_source& random) { return std::make_unique<k_failures>(random); }

}  // namespace lbresolve::fleet
