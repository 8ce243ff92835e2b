// A look at every address of a target under way: all are connected to, some at a time, and closed again.
#pragma once

#include "core/operation.hpp"
#include "core/race_memory.hpp"
#include "core/service_lookup.hpp"

#include <lbresolve/error.hpp>
#include <lbresolve/explanation.hpp>
#include <lbresolve/trace.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

namespace lbresolve::core {

struct measure_request {
  lookup_request lookup;
  race_memory memory;  ///< is told what came of it
  bool use_cache = true;
  duration patience = std::chrono::seconds{2};  ///< with each address: a lost SYN is sent again after one second
  std::size_t most_at_once = 16;
  source_lookup source_of;  ///< required
  time_point deadline = never;
  std::chrono::system_clock::time_point began;  ///< for people
  std::vector<std::string> notes;               ///< what the story begins with
};

/// Thread-safety: one thread at a time.
class measure_operation final : public operation {
 public:
  measure_operation(measure_request request, std::shared_ptr<const system_settings> system, time_point now);

  operation_action next(time_point now, random_source& random) override;
  void on_answer(const question& q, const delivery& d, time_point now) override;
  void on_unanswered(const query& q, time_point now) override;
  void on_connected(std::size_t attempt, time_point now) override;
  void on_failed(std::size_t attempt, const attempt_failure& how, time_point now) override;
  void cancel(time_point) override { cancelled_ = true; }
  std::optional<std::size_t> winner() const override { return std::nullopt; }
  std::vector<question> pending() const override { return lookup_.pending(); }
  std::vector<question> distrusted() const override { return {}; }

  /// What was found, or why there was nothing to look at. Call once, when done.
  result<probe_report> outcome();

 private:
  struct look {
    candidate what;
    attempt_record record;
    bool open = false;     ///< a socket is
    bool settled = false;  ///< it is known how it went
  };

  void take(const service_lookup::action& found);
  void belong_together(time_point now, random_source& random);
  void settle(look& l, attempt_record::outcome how, time_point now);
  std::optional<operation_action> next_socket(time_point now);
  bool is_over(time_point now) const noexcept { return cancelled_ || now >= request_.deadline; }

  measure_request request_;
  time_point start_;
  service_lookup lookup_;
  bool looked_up_ = false;
  std::vector<look> looks_;
  std::size_t live_ = 0;
  bool cancelled_ = false;
  bool timed_out_ = false;
  std::shared_ptr<trace> story_;
};

}  // namespace lbresolve::core
