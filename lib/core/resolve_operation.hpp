// A resolve under way: lookups whose answers are collected and put in order.
#pragma once

#include "core/operation.hpp"
#include "core/order.hpp"
#include "core/race_memory.hpp"
#include "core/service_lookup.hpp"

#include <lbresolve/error.hpp>
#include <lbresolve/explanation.hpp>
#include <lbresolve/resolver.hpp>
#include <lbresolve/trace.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace lbresolve::core {

/// Serve-stale (RFC 8767).
struct stale_rules {
  duration ttl = std::chrono::seconds{30};            ///< of what is told (section 4)
  duration after = std::chrono::milliseconds{1'800};  ///< the client response timer (section 5)
};

struct resolve_request {
  lookup_request lookup;
  order_settings ordering;
  race_memory memory;    ///< of endpoints, only looked at
  bool members = false;  ///< as a connect finds them: in mode `client` with those of earlier answers
  bool use_cache = true;
  time_point deadline = never;
  duration sibling_wait = std::chrono::milliseconds{500};  ///< for the others, once one has answered
  std::optional<stale_rules> stale;                        ///< unset: nothing past its time is used
  source_lookup source_of;                                 ///< required
  std::chrono::system_clock::time_point began;             ///< for people
  std::vector<std::string> notes;                          ///< what the story begins with
};

/// Thread-safety: one thread at a time.
class resolve_operation final : public operation {
 public:
  resolve_operation(resolve_request request, std::shared_ptr<const system_settings> system, time_point now);

  operation_action next(time_point now, random_source& random) override;
  void on_answer(const question& q, const delivery& d, time_point now) override;
  void on_stale(const question& q, const delivery& d, time_point now) override;
  void on_unanswered(const query& q, time_point now) override;
  void on_connected(std::size_t, time_point) override {}
  void on_failed(std::size_t, const attempt_failure&, time_point) override {}
  void cancel(time_point) override { cancelled_ = true; }
  std::optional<std::size_t> winner() const override { return std::nullopt; }
  std::vector<question> pending() const override { return lookup_.pending(); }
  std::vector<question> distrusted() const override { return {}; }
  std::vector<question> answered_stale() const override { return answered_stale_; }

  /// What was found, or why nothing was. Call once, when done.
  result<resolution> outcome();
  /// The same with the reasons. Call once, when done.
  result<explanation> explained(random_source& random);
  /// Everything found, with what is known of it, in no order; once done.
  const std::vector<candidate>& candidates() const noexcept { return found_; }
  /// When the first of the answers stops being true; never: none will.
  time_point expires() const noexcept { return lookup_.expires(); }

 private:
  time_point next_event() const;
  void take_stale(const question& q, const delivery& d, time_point now);
  bool take_all_stale(time_point now);
  void collect(service_lookup::action found, time_point now);
  operation_action finish(time_point now, random_source& random);
  error failure() const;

  resolve_request request_;
  time_point start_;
  service_lookup lookup_;
  std::vector<candidate> found_;
  std::optional<time_point> first_found_;
  std::vector<std::pair<question, delivery>> stale_;  // in case no new answer comes
  std::vector<question> answered_stale_;
  bool cancelled_ = false;
  bool timed_out_ = false;
  bool used_stale_ = false;
  bool panic_ = false;
  std::vector<endpoint> ordered_;
  std::shared_ptr<trace> story_;
};

}  // namespace lbresolve::core
