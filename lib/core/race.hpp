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
#include <span>
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
  selection_mode mode = selection_mode::hybrid;
  balance_rules balance{};
  std::uint64_t turn = 0;      ///< policy `round_robin`
  std::uint64_t hash_key = 0;  ///< policy `hash`
  /// The attempt delay follows what is known of the endpoint it waits for (RFC 8305 section 5).
  bool adapt_delay = false;
  /// That a connection as it is wanted takes: 2 with TLS (RFC 8446 section 2).
  int round_trips = 1;
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
    duration patience{};  ///< start: a longer wait that ends without an answer says that something is wrong there
  };

  race(const race_settings& settings, time_point start);

  /// A question is under way. Call it for each question of host 0 before the first answer is told, and for those of
  /// another host once a service record has named it.
  /// @param priority the best that the host is wanted for; a later call may change it
  void expect(origin from, std::uint32_t priority = 0);

  /// A usable answer: addresses, or the hints of service records (may be empty). A later call for the same question
  /// replaces what the earlier one brought and has not been started, as when an HTTPS record moves the port.
  void on_candidates(origin from, std::vector<candidate> found, time_point now, random_source& random);

  /// The answer is negative, or failed, or is not waited for any longer.
  void on_no_candidates(origin from, time_point now);

  /// What was told of `from` last is past its time, and is being asked for again (HE-17): the race need not wait for
  /// that, but is not lost before it. Ends with on_candidates() or on_no_candidates().
  void expect_refresh(origin from);

  /// What was told of `from` is no longer so: what has not been started of it is dropped.
  void withdraw(origin from) { withdraw(from, {}); }

  /// The attempt is what was wanted: a connection, with its TLS handshake where that decides.
  void on_connected(attempt_id which, time_point now);

  /// The attempt failed by itself and its socket is gone.
  /// @param sentence where `why` alone does not say it
  void on_failed(attempt_id which, std::error_code why, attempt_record::stage stage, time_point now,
                 std::string sentence = {});

  /// TCP is there, and the TLS handshake that is wanted too begins.
  void on_tls_started(attempt_id which, time_point now);

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
    bool companion = false;
  };

  /// What DNS has said about one host.
  struct host_state {
    std::array<asked, 3> questions{};     // service records, aaaa, a
    std::array<bool, 2> has_addresses{};  // of this family, from its own question: hints are no longer wanted
    bool has_candidates = false;
    std::uint32_t priority = 0;

    bool is_pending(rr_type type) const noexcept { return questions[index_of(type)] == asked::pending; }
    bool wants_addresses() const noexcept { return is_pending(rr_type::aaaa) || is_pending(rr_type::a); }
  };

  static std::size_t index_of(rr_type type) noexcept;
  void settle(origin from) noexcept;
  std::span<const host_state> hosts() const noexcept { return std::span(hosts_).first(host_count_); }
  bool any_pending() const noexcept;
  bool any_refreshing() const noexcept;
  bool nothing_left() const noexcept { return open_.empty() && next_waiting_ == waiting_.size(); }

  void withdraw(origin from, const std::vector<candidate>& found);
  void drop_known(std::vector<candidate>& found, origin from) const;
  void record_skipped(std::vector<candidate>& found, time_point now);

  bool is_over(time_point now) const noexcept;
  bool heard_enough() const noexcept;
  time_point first_start_due() const noexcept;
  time_point tier_due() const noexcept;
  time_point start_due() const noexcept;
  duration expected_time(const health_view& known) const noexcept { return settings_.round_trips * known.srtt; }
  duration delay_for(const health_view& known) const noexcept;
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
  std::optional<std::size_t> due_companion() const noexcept;
  action start_companion(std::size_t at, time_point now);
  action start(const candidate& c, std::string reason, bool companion, time_point now);
  order_settings ordering() const;
  action ask_again();
  elapsed since_start(time_point now) const noexcept { return now - start_; }

  race_settings settings_;
  time_point start_;

  // What DNS brought.
  std::array<host_state, most_other_hosts + 1> hosts_{};
  std::size_t host_count_ = 1;              // those that have been heard of
  std::optional<time_point> first_usable_;  // when the first candidate that may be started was told
  std::vector<candidate> waiting_;          // in the order of trying
  std::size_t next_waiting_ = 0;            // before it: started, moved from

  // What was started.
  std::vector<attempt_record> attempts_;
  std::vector<open_attempt> open_;  // sockets that exist, oldest first
  interleaving started_;
  std::optional<time_point> last_start_;
  duration last_delay_{};  // how long the last one is given before the next one joins it
  bool had_companion_ = false;
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
