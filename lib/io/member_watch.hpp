// Keeps an eye on targets, for watches and pickers: looks them up again before their answers expire, and looks at what
// is known of their members when that changes.
#pragma once

#include "core/candidate.hpp"
#include "core/deadlines.hpp"
#include "core/race_memory.hpp"
#include "core/resolve_operation.hpp"
#include "io/driver.hpp"
#include "io/event_loop.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

namespace lbresolve::io {

/// Everything here runs on the thread of its event loop.
class member_watch final : private event_loop::timer_handler {
 public:
  using id = std::uint64_t;

  /// One target to observe.
  struct subject {
    /// A new lookup of it. @param use_cache false: the cache has nothing newer
    std::function<std::unique_ptr<core::resolve_operation>(bool use_cache)> look_up;
    /// What is known of members; each look counts as use of the target.
    core::race_memory memory;
    /// Whether it is still worth looking up. False lets it lapse when its answers expire.
    std::function<bool()> is_wanted;
    /// The members now, each with what is known of it. None: there are no such, or it has lapsed.
    std::function<void(const std::vector<core::candidate>&)> on_update;
    /// A lookup has failed, and nothing is known from an earlier one. It is tried again.
    std::function<void(const error&)> on_failure;
    /// How each lookup ended; may be empty.
    std::function<void(const result<resolution>&)> on_looked_up;
  };

  /// @param next_id for operations of its own, apart from all others
  member_watch(event_loop& loop, driver& with, std::function<driver::operation_id()> next_id);
  ~member_watch();
  member_watch(const member_watch&) = delete;
  member_watch& operator=(const member_watch&) = delete;

  void add(id which, subject s);
  void remove(id which);
  bool empty() const noexcept { return subjects_.empty(); }

  /// Something has been learned of an endpoint.
  void on_learned(const endpoint& learned);

  /// Answers are renewed when so much of their life is left, never sooner than `soonest` and not later than `latest`.
  static constexpr int renew_at_tenths = 9;
  static constexpr core::duration soonest = std::chrono::seconds{1};
  static constexpr core::duration latest = std::chrono::minutes{5};
  static constexpr core::duration retry_after = std::chrono::seconds{5};
  /// What changes by time alone (ramps, ejections that end, knowledge that fades) is looked at so often.
  static constexpr core::duration look_every = std::chrono::seconds{1};

 private:
  struct observed {
    subject what;
    std::vector<core::candidate> members;
    core::time_point expires = core::never;
    core::time_point renew_at = core::never;
    core::time_point look_at = core::never;
    bool renewing = false;
    bool known = false;  ///< looked up at least once
    core::deadlines<id>::handle wake;
  };

  void on_timer() override;
  void renew(id which, bool use_cache);
  void on_renewed(id which, core::resolve_operation& work);
  void look(observed& o);
  void lapse(id which, observed& o);
  void index(id which, const observed& o);
  void unindex(id which, const observed& o);
  void plan(id which, observed& o);
  void rearm();

  driver& driver_;
  std::function<driver::operation_id()> next_id_;
  event_loop::timer timer_;
  system_random random_;
  std::unordered_map<id, observed> subjects_;
  std::unordered_multimap<endpoint, id> by_member_;
  core::deadlines<id> wakes_;
};

}  // namespace lbresolve::io
