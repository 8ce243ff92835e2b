// One call of a user under way: what the engine asks of it, and what it asks of the engine.
#pragma once

#include "core/answer.hpp"
#include "core/query.hpp"
#include "core/question.hpp"
#include "core/random.hpp"
#include "core/time.hpp"

#include <lbresolve/trace.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

namespace lbresolve::core {

/// The address this host would send from to reach `to`; nothing where there is no route. A fact of the host, so an
/// argument.
using source_lookup = std::function<std::optional<address>(const address& to)>;

struct operation_action {
  enum class kind : std::uint8_t {
    ask,    ///< `asked`, from the cache where nothing else is said
    open,   ///< start connecting `attempt` to `to`
    close,  ///< close the socket of `attempt`
    wait,   ///< nothing before `until` but what it is told
    done,   ///< it has its outcome
  };
  kind is = kind::wait;
  bool fresh = false;      ///< past the cache
  bool stale_too = false;  ///< from the cache also past its time
  bool elsewhere = false;  ///< fresh, and of another upstream first: the usual one may repeat its own cache
  bool join = false;       ///< the query under way for it, if there is one, before the cache
  question asked;
  std::size_t attempt = 0;
  endpoint to;
  time_point until = never;
};

/// An answer as an operation gets it.
struct delivery {
  std::shared_ptr<const answer> what;
  time_point expires = never;
  const query* by = nullptr;  ///< the query that brought it; null: it was in the cache
  bool shared = false;        ///< that query had been begun for somebody else
  bool stale = false;         ///< in the cache, past its time (RFC 8767)
};

/// How an attempt failed.
struct attempt_failure {
  std::error_code code;
  attempt_record::stage stage = attempt_record::stage::connect;
  std::string sentence{};  ///< where the code alone does not say it
};

/// Thread-safety: one thread at a time.
class operation {
 public:
  virtual ~operation() = default;

  /// Exactly one action. Repeat until it is wait or done.
  virtual operation_action next(time_point now, random_source& random) = 0;

  virtual void on_answer(const question& q, const delivery& d, time_point now) = 0;
  /// What was known of a question that is being asked again: past its time, and the answer is still to come.
  virtual void on_stale(const question&, const delivery&, time_point) {}
  /// A question this operation still waits for, with the query that works on it.
  virtual void on_unanswered(const query& q, time_point now) = 0;
  /// TCP is there, and the TLS handshake that was asked for begins.
  virtual void on_tls_started(std::size_t, time_point) {}
  virtual void on_connected(std::size_t attempt, time_point now) = 0;
  virtual void on_failed(std::size_t attempt, const attempt_failure& how, time_point now) = 0;
  virtual void cancel(time_point now) = 0;

  /// The attempt that won, once done; none for a failure, and for what opens no sockets.
  virtual std::optional<std::size_t> winner() const = 0;
  /// Questions asked and not answered.
  virtual std::vector<question> pending() const = 0;
  /// What is pending is to be joined or taken from the cache, and no reason to begin a query.
  virtual bool only_joins() const { return false; }
  /// Questions whose answers led nowhere: ask again before they are used once more (HE-59).
  virtual std::vector<question> distrusted() const = 0;
  /// Questions for which a stale answer was used, as no new one had come. Their queries go on.
  virtual std::vector<question> answered_stale() const { return {}; }
};

}  // namespace lbresolve::core
