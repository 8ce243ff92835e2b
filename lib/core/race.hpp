// Happy Eyeballs: which attempt to start when, which to close, and when it is won or lost.
#pragma once

#include "core/candidate.hpp"
#include "core/order.hpp"
#include "core/question.hpp"
#include "core/random.hpp"
#include "core/time.hpp"

#include <lbresolve/options.hpp>
#include <lbresolve/trace.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace lbresolve::core {

struct race_settings {
  duration resolution_delay = std::chrono::milliseconds{50};
  duration attempt_delay = std::chrono::milliseconds{250};  ///< under 10 ms: 10 ms (RFC 8305 section 5)
  int first_family_count = 1;
  std::size_t max_live_attempts = 6;
  duration replace_after = std::chrono::seconds{1};
  lbresolve::policy policy = policy::random;
  /// The family whose answer is worth the resolution delay: IPv4 on a host that has no IPv6 source address.
  family awaited = family::ipv6;
  time_point deadline = never;
};

/// One race for one connection. Told what happens, it says what to do: after each fact call next() until it says wait,
/// won or lost. Reads no clock; all facts must come with times that do not go backwards.
class race {
 public:
  using attempt_id = std::size_t;  ///< the index into attempts()

  struct action {
    enum class kind : std::uint8_t {
      start,          ///< connect `to`; call it `attempt` from now on
      close,          ///< close the socket of `attempt`: no fact about it is wanted any more
      resolve_again,  ///< ask DNS past the cache: expect() and on_candidates(), or on_nothing_new(). Once in a race
      wait,           ///< nothing to do before `until`, unless a fact comes in
      won,            ///< `attempt` is the connection, and yours
      lost,           ///< `why`; everything is closed
    };
    kind what = kind::wait;
    attempt_id attempt = 0;
    lbresolve::endpoint to{};
    time_point until = never;
    std::error_code why{};
  };

  race(const race_settings& settings, time_point start);

  /// A question is under way: https, aaaa or a. Call it for each before the first answer is told.
  void expect(rr_type type);

  /// A usable answer: addresses, or the hints of HTTPS records (may be empty). A later call for the same type replaces
  /// what the earlier one brought and has not been started, as when an HTTPS record moves the port.
  void on_candidates(rr_type type, std::vector<candidate> found, time_point now, random_source& random);

  /// The answer is negative, or failed, or is not waited for any longer.
  void on_no_candidates(rr_type type, time_point now);

  /// What was told of `type` last is past its time, and is being asked for again (HE-17): the race need not wait for
  /// that, but is not lost before it. Ends with on_candidates() or on_no_candidates().
  void expect_refresh(rr_type type) { question(type) = asked::refreshing; }

  /// What was told of `type` is no longer so: what has not been started of it is dropped.
  void withdraw(rr_type type) { withdraw(type, {}); }

  /// The attempt is what was wanted: a connection (and, one day, its TLS handshake).
  void on_connected(attempt_id which, time_point now);

  /// The attempt failed by itself and its socket is gone.
  void on_failed(attempt_id which, std::error_code why, attempt_record::stage stage, time_point now);

  /// What resolve_again asked for brought nothing, or is not done.
  void on_nothing_new(time_point now);

  /// From here on: close for everything that is open, then lost with errc::cancelled. Nothing after won or lost.
  void cancel(time_point now);

  action next(time_point now);

  /// Every attempt so far, skipped candidates among them. Times count from the start.
  const std::vector<attempt_record>& attempts() const noexcept { return attempts_; }
  std::vector<attempt_record> take_attempts() noexcept { return std::move(attempts_); }

 private:
  enum class asked : std::uint8_t { no, pending, refreshing, settled };
  struct open_attempt {
    attempt_id id = 0;
    time_point started{};
  };

  asked& question(rr_type type) noexcept { return questions_[index_of(type)]; }
  asked question(rr_type type) const noexcept { return questions_[index_of(type)]; }
  static std::size_t index_of(rr_type type) noexcept;
  bool is_pending(rr_type type) const noexcept { return question(type) == asked::pending; }
  bool any_pending() const noexcept;
  bool any_refreshing() const noexcept;
  bool nothing_left() const noexcept { return open_.empty() && next_waiting_ == waiting_.size(); }

  void withdraw(rr_type type, const std::vector<candidate>& found);
  void drop_known(std::vector<candidate>& found, rr_type type) const;
  void record_skipped(std::vector<candidate>& found, time_point now);

  bool is_over(time_point now) const noexcept;
  time_point first_start_due() const noexcept;
  time_point start_due() const noexcept;
  duration delay_after_last_start() const noexcept;
  std::optional<attempt_id> must_close(time_point now) const noexcept;
  std::optional<std::error_code> lost_because(time_point now) const;
  bool cut_short() const noexcept;
  std::error_code common_failure() const noexcept;
  std::string reason_to_start(time_point now) const;

  action close(attempt_id which, time_point now);
  action hand_over();
  action lose(std::error_code why);
  action start_next(time_point now);
  action ask_again();
  elapsed since_start(time_point now) const noexcept { return now - start_; }

  race_settings settings_;
  time_point start_;

  // What DNS brought.
  std::array<asked, 3> questions_{};        // https, aaaa, a
  std::array<bool, 2> has_addresses_{};     // of this family, from its own question: hints are no longer wanted
  std::optional<time_point> first_usable_;  // when the first candidate that may be started was told
  std::vector<candidate> waiting_;          // in the order of trying
  std::size_t next_waiting_ = 0;            // before it: started, moved from

  // What was started.
  std::vector<attempt_record> attempts_;
  std::vector<open_attempt> open_;  // sockets that exist, oldest first
  interleaving started_;
  std::optional<time_point> last_start_;
  std::optional<attempt_id> failed_since_;  // the last to fail since the last start

  // What was decided.
  std::optional<attempt_id> winner_;
  bool handed_over_ = false;
  bool cancelled_ = false;
  bool asked_again_ = false;
  bool again_answered_ = false;
  std::optional<std::error_code> lost_;
};

}  // namespace lbresolve::core
