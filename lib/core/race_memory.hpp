// What one race takes out of the memory of choices, and what it gives back.
#pragma once

#include "core/candidate.hpp"
#include "core/question.hpp"
#include "core/random.hpp"
#include "core/roster.hpp"
#include "core/selection_store.hpp"
#include "core/time.hpp"

#include <lbresolve/endpoint.hpp>

#include <cstddef>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace lbresolve::core {

/// The memory as one race for one target sees it. A default one remembers nothing and knows nothing.
/// Thread-safety: one thread at a time; the store behind it has rules of its own.
class race_memory {
 public:
  race_memory() = default;
  /// @param store must outlive this
  race_memory(selection_store& store, std::string target, const roster_rules& rules)
      : store_(&store), target_(std::move(target)), rules_(rules) {}

  /// Takes an answer about the target's own name, and adds the members that it does not have (mode `client`) to
  /// `found`, its candidates. Tells all of them what was learned of their weights.
  /// @param expires, ttl of the answer
  void join_kept(origin from, std::vector<candidate>& found, time_point expires, duration ttl, time_point now);
  /// Tells each candidate what is known of it. Those of earlier calls belong to the same set.
  /// @return whether most members fail and none succeeds
  bool look_up(std::vector<candidate>& found, time_point now, random_source& random);
  /// The same for whoever only looks.
  bool peek(std::vector<candidate>& found, time_point now) const;
  std::uint64_t take_turn(time_point now) { return store_ == nullptr ? 0 : store_->take_turn(target_, now); }
  name_behaviour behaviour() const {
    return store_ == nullptr ? name_behaviour::unknown : store_->behaviour_of(target_);
  }
  bool may_ask_again(time_point now) { return store_ == nullptr || store_->may_ask_again(target_, now); }

  /// @param patience a longer wait that ends without an answer says that something is wrong there
  void on_started(std::size_t number, const endpoint& to, duration patience, time_point now);
  /// TCP came about, and that is what is remembered of the endpoint. What TLS brings is remembered of this name there.
  void on_tls_started(std::size_t number, time_point now);
  void on_connected(std::size_t attempt, time_point now) { settle(attempt, attempt_fact::kind::connected, {}, now); }
  void on_failed(std::size_t attempt, std::error_code code, time_point now) {
    settle(attempt, attempt_fact::kind::failed, code, now);
  }
  void on_closed(std::size_t attempt, time_point now) { settle(attempt, attempt_fact::kind::given_up, {}, now); }
  /// The caller gave up: what is still open says nothing by being closed.
  void on_cancelled();
  /// Passes on what has been settled, or is late, since the last call.
  void tell(time_point now, random_source& random);
  /// The race is over: what it has shown of the families.
  void on_end(time_point now);

 private:
  struct tried {
    std::size_t number = 0;
    attempt_fact fact;
    time_point started{};
    time_point tls_began = never;
    time_point ended = never;
    bool told_connected = false;
    bool told = false;
    bool told_late = false;
  };

  void settle(std::size_t number, attempt_fact::kind how, std::error_code code, time_point now);

  selection_store* store_ = nullptr;
  std::string target_;
  roster_rules rules_;
  std::vector<endpoint> set_;  // sorted
  std::vector<tried> attempts_;
};

}  // namespace lbresolve::core
