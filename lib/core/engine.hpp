// The whole of lbresolve under way, without I/O: operations, the queries they wait for, and their wake-ups.
//
// The driver performs what next() says (send this, open that) and feeds facts back (this arrived, that connected). The
// same engine runs in tests under virtual time with simulated servers.
#pragma once

#include "core/answer_store.hpp"
#include "core/deadlines.hpp"
#include "core/dns_client.hpp"
#include "core/operation.hpp"
#include "core/selection_store.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <system_error>
#include <unordered_map>
#include <vector>

namespace lbresolve::core {

/// Thread-safety: one thread at a time.
class engine {
 public:
  using operation_id = std::uint64_t;

  /// Marks the operations that the engine begins by itself. They are performed as all others are, and nobody waits for
  /// what comes of them.
  static constexpr operation_id own_id = operation_id{1} << 63;

  /// @param answers must outlive the engine
  /// @param late_answers how long a query that nobody waits for any more may still bring something for the cache
  /// @param memory whose probes are made; null: none are. Must outlive the engine
  engine(answer_store& answers, duration late_answers, selection_store* memory = nullptr)
      : answers_(&answers), late_answers_(late_answers), memory_(memory) {}

  /// New queries go to these upstreams, by their names. @param groups the first one has the root
  void use(std::vector<upstream_group> groups) { client_.use(std::move(groups)); }

  /// Another network: what upstreams have designated there (RFC 9462) does not hold here.
  void forget_designations() { client_.forget_designations(); }
  /// Those in use: by use(), and by what has been found since.
  const std::vector<upstream_group>& groups() const noexcept { return client_.groups(); }
  /// Whether they are others since the last call.
  bool take_changed() noexcept { return client_.take_changed(); }

  /// Takes `work` as it is: questions it has already asked are asked of the upstreams.
  /// @param id not in use, and without `own_id`
  void start(operation_id id, std::unique_ptr<operation> work, time_point now);
  /// Asks `q` in the background, for the cache: what a hit with cache::hit::refresh is worth.
  void refresh(const question& q, time_point now) { client_.refresh(q, now); }
  /// Makes the operation end as cancelled. Its sockets are closed by the actions that follow.
  void cancel(operation_id id, time_point now);

  void on_reply(std::uint64_t exchange, reply_match match, std::span<const std::uint8_t> bytes, time_point now) {
    client_.on_reply(exchange, match, bytes, now);
  }
  void on_error(std::uint64_t exchange, const error& why, time_point now, random_source& random) {
    client_.on_error(exchange, why, now, random);
  }
  void on_connected(operation_id id, std::size_t attempt, time_point now);
  void on_tls_started(operation_id id, std::size_t attempt, time_point now);
  void on_failed(operation_id id, std::size_t attempt, const attempt_failure& how, time_point now);

  struct action {
    enum class kind : std::uint8_t {
      send,     ///< dns.message to dns.server, as dns.exchange
      abandon,  ///< dns.exchange at dns.server
      open,     ///< connect `attempt` of `id` to `to`
      close,    ///< the socket of `attempt` of `id`
      finish,   ///< `id` is done; `work` has its outcome
      wait,     ///< nothing before `until`
    };
    kind is = kind::wait;
    dns_client::action dns;
    operation_id id = 0;
    std::size_t attempt = 0;
    endpoint to;
    std::unique_ptr<operation> work;
    time_point until = never;
  };
  /// Exactly one action. Repeat until it is wait.
  action next(time_point now, random_source& random);

 private:
  struct entry {
    std::unique_ptr<operation> work;
    deadlines<operation_id>::handle wake;
    bool queued = false;
  };
  void wake(operation_id id, entry& e);
  void ask(operation_id id, entry& e, const operation_action& a, time_point now);
  void deliver(const dns_client::action& done, time_point now);
  action finish(operation_id id, entry& e, time_point now);
  bool start_probe(time_point now);

  answer_store* answers_;
  duration late_answers_;
  selection_store* memory_;
  operation_id last_own_ = own_id;
  dns_client client_;
  std::unordered_map<operation_id, entry> operations_;
  std::deque<operation_id> ready_;
  deadlines<operation_id> wakes_;
};

}  // namespace lbresolve::core
