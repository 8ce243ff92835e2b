// A connect by name under way: lookups that feed a race.
//
// The lookup's answers become candidates as they come, the race decides what to try when, and when everything known
// has failed the name is asked once more, past the cache (HE-59).
#pragma once

#include "core/candidate.hpp"
#include "core/operation.hpp"
#include "core/race.hpp"
#include "core/race_memory.hpp"
#include "core/service_lookup.hpp"

#include <lbresolve/error.hpp>
#include <lbresolve/trace.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lbresolve::core {

struct connect_request {
  lookup_request lookup;
  race_settings racing;
  bool use_cache = true;
  bool use_stale = false;  ///< addresses past their time start the race, while the name is asked again (RFC 8767)
  std::optional<address> source_address;
  race_memory memory;                           ///< of the target; by default nothing is remembered
  source_lookup source_of;                      ///< required
  std::chrono::system_clock::time_point began;  ///< for people
  std::vector<std::string> notes;               ///< what the story begins with
};

/// Thread-safety: one thread at a time.
class connect_operation final : public operation {
 public:
  connect_operation(connect_request request, std::shared_ptr<const system_settings> system, time_point now);

  operation_action next(time_point now, random_source& random) override;
  void on_answer(const question& q, const delivery& d, time_point now) override;
  void on_stale(const question& q, const delivery& d, time_point now) override;
  void on_unanswered(const query& q, time_point now) override;
  void on_connected(std::size_t attempt, time_point now) override;
  void on_tls_started(std::size_t attempt, time_point now) override;
  void on_failed(std::size_t attempt, const attempt_failure& how, time_point now) override;
  void cancel(time_point now) override {
    request_.memory.on_cancelled();
    race_.cancel(now);
  }
  std::optional<std::size_t> winner() const override { return winner_; }
  std::vector<question> pending() const override { return lookup_->pending(); }
  std::vector<question> distrusted() const override { return distrusted_; }
  std::vector<question> answered_stale() const override { return answered_stale_; }
  bool only_joins() const override { return asking_ == asking_again::joined; }

  /// Why it failed, as a code.
  const std::error_code& code() const noexcept { return code_; }
  /// The whole story. Call once, when done.
  std::shared_ptr<const trace> story();
  /// The failure as one sentence, with the story.
  error failure();

 private:
  void begin_lookup();
  bool may_be_stale(const question& q) const;
  void feed_stale(time_point now, random_source& random);
  void feed(service_lookup::action found, time_point now, random_source& random);
  void complete(candidate& c);
  void resolve_again(time_point now);
  std::string sentence() const;

  connect_request request_;
  std::shared_ptr<const system_settings> system_;
  time_point start_;
  std::optional<service_lookup> lookup_;
  race race_;
  bool from_cache_ = false;  // some answer was not fresh
  enum class asking_again : std::uint8_t { no, past_the_cache, joined };
  asking_again asking_ = asking_again::no;
  bool panic_ = false;                                                     // noted
  std::vector<std::pair<question, std::shared_ptr<const answer>>> stale_;  // not yet fed to the race
  std::vector<question> answered_stale_;                                   // fed, and no new answer yet
  std::vector<question> distrusted_;
  std::optional<std::size_t> winner_;
  std::error_code code_;
  std::shared_ptr<trace> story_;
};

}  // namespace lbresolve::core
