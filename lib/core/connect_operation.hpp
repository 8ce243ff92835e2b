// A connect by name under way: a lookup that feeds a race.
//
// The lookup's answers become candidates as they come, the race decides what to try when, and when everything known
// has failed the name is asked once more, past the cache (HE-59).
#pragma once

#include "core/candidate.hpp"
#include "core/lookup.hpp"
#include "core/operation.hpp"
#include "core/race.hpp"

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
  source_lookup source_of;                      ///< required
  std::chrono::system_clock::time_point began;  ///< for people
};

/// Thread-safety: one thread at a time.
class connect_operation final : public operation {
 public:
  connect_operation(connect_request request, std::shared_ptr<const system_settings> system, time_point now);

  operation_action next(time_point now, random_source& random) override;
  void on_answer(const question& q, const delivery& d, time_point now) override;
  void on_stale(const question& q, const delivery& d, time_point now) override;
  void on_unanswered(const query& q, time_point now) override;
  void on_connected(std::size_t attempt, time_point now) override { race_.on_connected(attempt, now); }
  void on_failed(std::size_t attempt, std::error_code code, attempt_record::stage stage, time_point now) override {
    race_.on_failed(attempt, code, stage, now);
  }
  void cancel(time_point now) override { race_.cancel(now); }
  std::optional<std::size_t> winner() const override { return winner_; }
  std::vector<question> pending() const override { return lookup_->pending(); }
  std::vector<question> distrusted() const override { return distrusted_; }
  std::vector<question> answered_stale() const override { return answered_stale_; }

  /// Why it failed, as a code.
  const std::error_code& code() const noexcept { return code_; }
  /// The whole story. Call once, when done.
  std::shared_ptr<const trace> story();
  /// The failure as one sentence, with the story.
  error failure();

 private:
  void begin_lookup();
  void feed_stale(time_point now, random_source& random);
  void feed(rr_type type, const answer& what, time_point now, random_source& random);
  void take_binding(const answer& what, time_point now, random_source& random);
  void offer(rr_type type, time_point now, random_source& random);
  candidate make_candidate(const address& given, bool hint) const;
  void resolve_again(time_point now);
  std::string sentence() const;

  connect_request request_;
  std::shared_ptr<const system_settings> system_;
  time_point start_;
  std::unique_ptr<lookup> lookup_;
  race race_;
  std::vector<std::pair<rr_type, std::vector<address>>> found_;
  std::optional<std::uint16_t> bound_port_;  // from an HTTPS record
  bool from_cache_ = false;                  // some answer was not fresh
  bool resolved_again_ = false;
  std::vector<std::pair<question, std::shared_ptr<const answer>>> stale_;  // not yet fed to the race
  std::vector<question> answered_stale_;                                   // fed, and no new answer yet
  std::vector<question> distrusted_;
  std::optional<std::size_t> winner_;
  std::error_code code_;
  std::shared_ptr<trace> story_;
};

}  // namespace lbresolve::core
