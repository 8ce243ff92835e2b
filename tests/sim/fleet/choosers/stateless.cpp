// Choices that remember nothing about the servers.
#include "sim/fleet/chooser.hpp"

#include <algorithm>

namespace lbresolve::fleet {
namespace {

class without_memory : public chooser {
 public:
  void on_answer(std::span<const server_id> addresses, time_point) override {
    addresses_.assign(addresses.begin(), addresses.end());
  }

 protected:
  std::vector<server_id> addresses_;
};

/// Each connect begins one address further; the first one anywhere, or all clients would march in step.
class round_robin final : public without_memory {
 public:
  explicit round_robin(core::random_source& random) : turn_(random.below(1 << 16)) {}
  void on_answer(std::span<const server_id> addresses, time_point now) override {
    without_memory::on_answer(addresses, now);
    std::sort(addresses_.begin(), addresses_.end());
  }
  void plan(std::vector<server_id>& out, time_point) override {
    const auto first = static_cast<std::ptrdiff_t>(turn_++ % addresses_.size());
    out.insert(out.end(), addresses_.begin() + first, addresses_.end());
    out.insert(out.end(), addresses_.begin(), addresses_.begin() + first);
  }

 private:
  std::size_t turn_;
};

class random_choice final : public without_memory {
 public:
  explicit random_choice(core::random_source& random) : random_(&random) {}
  void plan(std::vector<server_id>& out, time_point) override {
    out = addresses_;
    core::shuffle(out.begin(), out.end(), *random_);
  }

 private:
  core::random_source* random_;
};

class glibc final : public without_memory {
 public:
  void plan(std::vector<server_id>& out, time_point) override {
    out = addresses_;
    std::sort(out.begin(), out.end());
  }
  std::optional<duration> attempt_delay(server_id) const override { return std::nullopt; }
};

class in_order final : public without_memory {
 public:
  void plan(std::vector<server_id>& out, time_point) override { out = addresses_; }
};

}  // namespace

std::unique_ptr<chooser> make_round_robin(core::random_source& random) { return std::make_unique<round_robin>(random); }
std::unique_ptr<chooser> make_random(core::random_source& random) { return std::make_unique<random_choice>(random); }
std::unique_ptr<chooser> make_glibc() { return std::make_unique<glibc>(); }
std::unique_ptr<chooser> make_in_order() { return std::make_unique<in_order>(); }

}  // namespace lbresolve::fleet
