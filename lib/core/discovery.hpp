// Which encrypted resolvers the listed ones designate (RFC 9462), for how long that holds, and when to ask again.
//
// A designation holds for the TTL of its answer. In its last tenth it is asked for anew, and while that fails the old
// one stays in use: whoever answers there still has to prove that it may. An answer that there is none, or none that
// can be used, ends it. What has failed is asked again after a growing while. Nobody is asked whom no lookup has needed
// lately.
#pragma once

#include "core/query.hpp"
#include "core/random.hpp"
#include "core/time.hpp"
#include "core/upstream.hpp"
#include "core/upstream_group.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lbresolve::core {

/// Thread-safety: one thread at a time.
class discovery {
 public:
  /// Those in use from now on. What was known of them stays, and is asked for anew.
  void use(const std::vector<upstream_group>& groups);
  /// Another network: "the same IP address may be used for different servers" (section 4.1.1).
  void forget();

  /// A lookup needs the servers of this group: from now on what is due is asked, for a while.
  void want(const upstream_group& group, time_point now);
  /// A query for one whose designation is to be asked for; from now on it is under way. Null: none is due.
  std::shared_ptr<query> begin_due(time_point now);
  /// When begin_due() will have something.
  time_point next_due(time_point now) const noexcept;
  /// A query of begin_due() has its result.
  void on_done(const query& done, time_point now, random_source& random);

  /// Gives the group what is known of the servers it lists. A server that is there before and after keeps what is known
  /// of it.
  struct settled {
    bool ready = true;     ///< there is somebody to ask, or a reason why there is nobody
    bool changed = false;  ///< others are asked than before
  };
  settled settle(upstream_group& group, time_point now) const;
  /// The queries that `group` waits for.
  std::vector<std::shared_ptr<const query>> under_way(const upstream_group& group) const;

  static constexpr duration least_life = std::chrono::seconds{10};  ///< a TTL of 0 must not mean a query all the time
  static constexpr duration most_life = std::chrono::hours{24};
  static constexpr duration least_wait = std::chrono::seconds{5};  ///< after an answer without a usable designation
  static constexpr duration most_wait = std::chrono::minutes{5};   ///< and after any number of failures

 private:
  struct resolver {
    upstream is;  ///< as it is listed
    std::shared_ptr<upstreams> itself;
    std::shared_ptr<const discovered> group;  ///< how it is asked
    std::vector<upstream> found;
    std::string why;  ///< why there is nothing in `found`
    time_point expires{};
    time_point ask_at{};
    int failures = 0;                  ///< in a row
    std::optional<time_point> wanted;  ///< when a lookup last needed it
    std::shared_ptr<query> asked;
  };
  static bool is_in_use(const resolver& r, time_point now) noexcept;
  static bool is_open(const resolver& r, time_point now) noexcept;
  static void take_failure(resolver& r, const answer& a, time_point now, random_source& random);
  const resolver& at(const endpoint& e) const;

  std::vector<resolver> resolvers_;
};

}  // namespace lbresolve::core
