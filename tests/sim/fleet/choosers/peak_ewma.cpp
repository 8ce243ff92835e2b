// Peak EWMA with the power of two choices, as Finagle published it (Beyond Round Robin, 2016; PeakEwma.scala).
//
// The estimate jumps to a sample above it and decays towards one below it with a time constant of 10 s; read, it has
// decayed by the time since the last sample. Cost: estimate * (pending + 1). Of two members drawn at random the cheaper
// one goes first; the rest of the race in order of cost. How an attempt ended makes no difference, only how long it
// took: a server that refuses at once looks fast. A member without an estimate and with something pending costs a
// penalty, one without either costs nothing.
//
// With feedback the request is what is measured, without it the connect.
#include "sim/fleet/chooser.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace lbresolve::fleet {
namespace {

constexpr double decay_ns = 10e9;
constexpr double penalty_ns = 1e18;

class peak_ewma final : public chooser {
 public:
  explicit peak_ewma(core::random_source& random) : random_(&random) {}
  void on_answer(std::span<const server_id> addresses, time_point) override {
    addresses_.assign(addresses.begin(), addresses.end());
  }

  void plan(std::vector<server_id>& out, time_point now) override {
    out = addresses_;
    std::sort(out.begin(), out.end(), [&](server_id a, server_id b) {
      const auto ca = cost(a, now), cb = cost(b, now);
      return ca != cb ? ca < cb : a < b;
    });
    if (out.size() < 2) return;
    const auto a = random_->below(out.size());
    auto b = random_->below(out.size() - 1);
    b += b >= a ? 1 : 0;
    const auto ca = cost(out[a], now), cb = cost(out[b], now);
    const auto pick = static_cast<std::ptrdiff_t>(ca < cb || (ca == cb && random_->below(2) == 0) ? a : b);
    std::rotate(out.begin(), out.begin() + pick, out.begin() + pick + 1);
  }

  void on_started(server_id s, time_point) override { ++pending_[s]; }
  void on_connected(server_id s, duration took, time_point now) override { ended(s, took, now); }
  void on_failed(server_id s, duration took, time_point now) override { ended(s, took, now); }
  void on_cancelled(server_id s, duration waited, time_point now) override { ended(s, waited, now); }
  void on_request(server_id s, time_point) override { ++pending_[s]; }
  void on_response(server_id s, duration latency, time_point now) override { ended(s, latency, now); }

 private:
  void ended(server_id s, duration took, time_point now) {
    --pending_[s];
    const auto r = static_cast<double>(took.count());
    auto& e = estimates_[s];
    const double w = std::exp(-static_cast<double>((now - e.at).count()) / decay_ns);
    e.ns = !e.known || r > e.ns ? r : e.ns * w + r * (1 - w);
    e.at = now;
    e.known = true;
  }

  double cost(server_id s, time_point now) const {
    const auto& e = estimates_[s];
    if (!e.known) return pending_[s] > 0 ? penalty_ns + pending_[s] : 0;
    return e.ns * std::exp(-static_cast<double>((now - e.at).count()) / decay_ns) * (pending_[s] + 1);
  }

  struct estimate {
    double ns = 0;
    time_point at{};
    bool known = false;
  };
  core::random_source* random_;
  std::vector<server_id> addresses_;
  std::array<estimate, 64> estimates_{};
  std::array<int, 64> pending_{};
};

}  // namespace

std::unique_ptr<chooser> make_peak_ewma(core::random_source& random) { return std::make_unique<peak_ewma>(random); }

}  // namespace lbresolve::fleet
