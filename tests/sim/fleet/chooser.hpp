// A way to choose an address, as one client uses it. Each competitor is one small file in choosers/.
#pragma once

#include "core/balance.hpp"
#include "core/health.hpp"
#include "core/probe_plan.hpp"
#include "core/random.hpp"
#include "core/time.hpp"
#include "sim/fleet/server_model.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lbresolve::fleet {

/// The Connection Attempt Delay of RFC 8305 section 5.
inline constexpr duration usual_attempt_delay = std::chrono::milliseconds{250};

/// How one attempt ended: by itself, or given up after `took`.
struct attempt_result {
  server_id server = 0;
  bool connected = false;
  bool failed = false;
  duration took{};
};

/// Thread-safety: none. All times go forward. Servers are named by number.
class chooser {
 public:
  virtual ~chooser() = default;

  /// What the newest DNS answer holds, in its order.
  virtual void on_answer(std::span<const server_id> addresses, time_point now) = 0;

  /// In which order one connect tries the addresses: fills `out`, which comes empty.
  virtual void plan(std::vector<server_id>& out, time_point now) = 0;

  /// How long an attempt may go unanswered before the next one starts; nothing: until it fails.
  virtual std::optional<duration> attempt_delay(server_id) const { return usual_attempt_delay; }

  // Facts about attempts.
  virtual void on_started(server_id, time_point) {}
  virtual void on_connected(server_id, duration /*took*/, time_point) {}
  virtual void on_failed(server_id, duration /*took*/, time_point) {}
  /// Its delay is over, and the next one is started beside it.
  virtual void on_overdue(server_id, duration /*waited*/, time_point) {}
  virtual void on_cancelled(server_id, duration /*waited*/, time_point) {}

  /// All attempts of one connect, when it has ended.
  virtual void on_race_end(std::span<const attempt_result>, time_point) {}

  // Facts about requests, where the application reports them.
  virtual void on_request(server_id, time_point) {}
  virtual void on_response(server_id, duration /*latency*/, time_point) {}

  /// Whether it keeps away from the server, believing it dead.
  virtual bool is_ejected(server_id, time_point) { return false; }

  // Connects that nobody waits for.
  virtual time_point next_probe(time_point) { return core::never; }
  virtual std::optional<server_id> take_probe(time_point) { return std::nullopt; }
  /// A probe that has taken so long has failed.
  virtual duration probe_timeout() const { return std::chrono::seconds{5}; }
  virtual void on_probe_ended(server_id, bool /*connected*/, duration /*took*/, time_point) {}
};

/// What a chooser is told about the servers before the run: what DNS would tell.
struct server_facts {
  double weight = 1;
  bool ipv6 = false;
};

/// `random` outlives the chooser.
using chooser_factory =
    std::function<std::unique_ptr<chooser>(std::span<const server_facts> servers, core::random_source& random)>;

std::unique_ptr<chooser> make_round_robin(core::random_source& random);
std::unique_ptr<chooser> make_random(core::random_source& random);
std::unique_ptr<chooser> make_fastest(core::random_source& random);
/// getaddrinfo where RFC 6724 rule 9 has decided: for all clients of one network the same order. The addresses one
/// after the other, the next when one has failed; nothing remembered.
std::unique_ptr<chooser> make_glibc();
/// The order of the answer, raced; nothing remembered.
std::unique_ptr<chooser> make_in_order();
std::unique_ptr<chooser> make_peak_ewma(core::random_source& random);
std::unique_ptr<chooser> make_k_failures(core::random_source& random);

/// The constants of the real thing, to be swept.
struct balanced_rules {
  core::health_rules health;
  core::balance_rules balance;
  core::probe_rules probes;
};
/// @param rules outlive the chooser
std::unique_ptr<chooser> make_balanced(const balanced_rules& rules, std::span<const server_facts> servers,
                                       core::random_source& random);

}  // namespace lbresolve::fleet
