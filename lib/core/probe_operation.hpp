// A probe under way: one attempt at one endpoint, closed as soon as it is known how it went.
#pragma once

#include "core/operation.hpp"
#include "core/selection_store.hpp"

#include <chrono>
#include <optional>
#include <vector>

namespace lbresolve::core {

/// Thread-safety: one thread at a time.
class probe_operation final : public operation {
 public:
  /// No answer for so long is a failure: one lost SYN is sent again after a second and may still be answered.
  static constexpr duration patience = std::chrono::seconds{2};

  /// @param memory is told what came of it; must outlive this
  probe_operation(const endpoint& to, selection_store& memory, time_point now)
      : to_(to), memory_(&memory), deadline_(now + patience) {}

  operation_action next(time_point now, random_source& random) override;
  void on_answer(const question&, const delivery&, time_point) override {}
  void on_unanswered(const query&, time_point) override {}
  void on_connected(std::size_t, time_point now) override { end(attempt_fact::kind::connected, {}, now); }
  void on_failed(std::size_t, const attempt_failure& how, time_point now) override;
  void cancel(time_point now) override { end(attempt_fact::kind::given_up, {}, now); }
  std::optional<std::size_t> winner() const override { return std::nullopt; }
  std::vector<question> pending() const override { return {}; }
  std::vector<question> distrusted() const override { return {}; }

  const std::optional<attempt_fact>& outcome() const noexcept { return fact_; }

 private:
  void end(attempt_fact::kind how, std::error_code code, time_point now);

  endpoint to_;
  selection_store* memory_;
  time_point deadline_;
  std::optional<time_point> started_;
  bool open_ = false;
  bool told_ = false;
  std::optional<attempt_fact> fact_;
};

}  // namespace lbresolve::core
