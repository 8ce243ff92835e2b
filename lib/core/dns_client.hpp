// Questions in, answers out: one query in flight per question, however many wait for it.
#pragma once

#include "core/cache.hpp"
#include "core/deadlines.hpp"
#include "core/discovery.hpp"
#include "core/query.hpp"
#include "core/upstream_group.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

namespace lbresolve::core {

/// The queries under way (TTL-08: a thousand callers for one cold name make one query). The cache is the caller's, as
/// it is shared with paths that need no query.
///
/// Upstreams that have failed are probed with a small query of its own, when their backoff is over and somebody has
/// asked something lately: nobody's lookup has to be the one that finds out. What is to be asked of upstreams that are
/// not found yet (RFC 9462) waits.
/// Thread-safety: one thread at a time.
class dns_client {
 public:
  /// New queries go to these; those under way end with the ones they began with.
  /// @param groups the first one has the root
  void use(std::vector<upstream_group> groups);
  /// Another network: what upstreams have designated there does not hold here.
  void forget_designations();
  const std::vector<upstream_group>& groups() const noexcept { return groups_; }
  /// Whether others are in use since the last call.
  bool take_changed() noexcept { return std::exchange(changed_, false); }

  /// Joins the query for `q`, or begins one.
  /// @param elsewhere a new query asks the usual upstream last: it may repeat what it has in its cache
  void ask(const question& q, std::uint64_t operation, time_point now, bool elsewhere = false);

  /// The same for nobody: the answer is for the cache.
  void refresh(const question& q, time_point now) { begin(q, now, false); }

  /// `operation` waits no longer. A query nobody waits for ends by `grace` at the latest.
  void forget(const question& q, std::uint64_t operation, time_point grace);

  /// The query under way for `q`, or null.
  const query* under_way(const question& q) const;

  void on_reply(std::uint64_t exchange, reply_match match, std::span<const std::uint8_t> bytes, time_point now);
  void on_error(std::uint64_t exchange, const error& why, time_point now, random_source& random);

  struct action {
    enum class kind : std::uint8_t {
      send,     ///< `message` to `server` over `over`, as `exchange`
      abandon,  ///< `exchange` at `server`
      deliver,  ///< `done` has its result: for the cache, and for everyone in `waiters`
      wait,     ///< nothing before `until`
    };
    kind is = kind::wait;
    std::uint64_t exchange = 0;
    const upstream* server = nullptr;  ///< valid until the next call of next()
    transport over = transport::udp;
    std::vector<std::uint8_t> message;
    std::shared_ptr<query> done;
    std::vector<std::uint64_t> waiters;  ///< operations, each once; the first one began the query
    time_point until = never;
  };
  /// Exactly one action. Repeat until it is wait.
  action next(time_point now, random_source& random);

 private:
  using id = std::uint64_t;
  struct entry {
    std::shared_ptr<query> work;
    std::vector<std::uint64_t> waiters;
    std::vector<std::uint64_t> exchanges;  // by try
    deadlines<id>::handle wake;
    bool queued = false;
    std::optional<std::size_t> probed;  // the upstream; nobody waits, and nothing is delivered
    bool discovers = false;             // likewise; what comes of it is for `discovery_`
  };
  struct exchange_of {
    id query = 0;
    std::size_t index = 0;
  };

  entry& begin(const question& q, time_point now, bool elsewhere);
  void wake(id which, entry& e);
  entry* find(std::uint64_t exchange, std::size_t& index);
  action perform(id which, entry& e, const query::action& a, random_source& random);
  std::shared_ptr<query> take_off(id which, entry& e);
  void begin_probes(time_point now);
  time_point next_probe_at() const;
  bool is_in_use(time_point now) const noexcept;
  std::shared_ptr<query> begin_query(const question& q, time_point now, bool elsewhere);
  void begin_discoveries(time_point now);
  void settle(time_point now);

  std::vector<upstream_group> groups_;
  discovery discovery_;
  bool unsettled_ = false;  // something about designations has changed
  bool changed_ = false;
  std::optional<time_point> last_use_;
  std::unordered_map<question, id> by_question_;
  std::unordered_map<id, entry> queries_;
  std::unordered_map<std::uint64_t, exchange_of> exchanges_;
  std::deque<id> ready_;
  deadlines<id> wakes_;
  std::uint64_t next_id_ = 1;
};

}  // namespace lbresolve::core
