// The address that connected fastest so far: what resolvers of browsers and mobile apps do ("fastest-address").
//
// srtt as in RFC 6298 (1/8 of each sample). An address never measured goes first, so that each is measured once. A
// failed or abandoned attempt counts with the time it took, doubled: otherwise it would stay the fastest for ever.
#include "sim/fleet/chooser.hpp"

#include <algorithm>
#include <array>

namespace lbresolve::fleet {
namespace {

class fastest final : public chooser {
 public:
  explicit fastest(core::random_source& random) : random_(&random) {}
  void on_answer(std::span<const server_id> addresses, time_point) override {
    addresses_.assign(addresses.begin(), addresses.end());
  }
  void plan(std::vector<server_id>& out, time_point) override {
    out = addresses_;
    core::shuffle(out.begin(), out.end(), *random_);
    std::stable_sort(out.begin(), out.end(), [this](server_id a, server_id b) { return srtt_[a] < srtt_[b]; });
  }
  void on_connected(server_id s, duration took, time_point) override { learn(s, took); }
  void on_failed(server_id s, duration took, time_point) override { learn(s, std::max(2 * took, 2 * srtt_[s])); }
  void on_cancelled(server_id s, duration waited, time_point) override {
    if (waited > srtt_[s]) learn(s, 2 * waited);
  }

 private:
  void learn(server_id s, duration r) { srtt_[s] = srtt_[s] == duration::zero() ? r : srtt_[s] + (r - srtt_[s]) / 8; }

  core::random_source* random_;
  std::vector<server_id> addresses_;
  std::array<duration, 64> srtt_{};  // 0: never measured
};

}  // namespace

std::unique_ptr<chooser> make_fastest(core::random_source& random) { return std::make_unique<fastest>(random); }

}  // namespace lbresolve::fleet
