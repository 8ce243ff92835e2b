// What TLS with one name has shown at its endpoints.
//
// The health of an endpoint is shared by all names, and a certificate for the wrong name, or a server that does not
// know the name, says nothing about the others there. So the endpoint is remembered by its TCP connects alone, and what
// TLS made of them is kept with the target. It is the same kind of opinion, by the same rules: three failures in a row
// eject, and time brings back. Nothing probes TLS in the background; what is overdue is tried beside a connect.
#pragma once

#include "core/health.hpp"
#include "core/random.hpp"
#include "core/selection_store.hpp"
#include "core/time.hpp"

#include <lbresolve/endpoint.hpp>

#include <span>
#include <utility>
#include <vector>

namespace lbresolve::core {

/// Of one target. Endpoints at which TLS has always succeeded cost nothing.
class tls_memory {
 public:
  /// @param set the members of the target: others are forgotten
  void learn(const attempt_fact& fact, std::span<const endpoint> set, time_point now, const health_rules& rules,
             random_source& random);
  /// Puts what is known of `at` over what is known of the endpoint, where it is the worse.
  void add_to(health_view& known, const endpoint& at, time_point now, const health_rules& rules) const;

 private:
  using entry = std::pair<endpoint, endpoint_health>;

  bool may_eject(const endpoint& at, std::span<const endpoint> set, time_point now, const health_rules& rules) const;

  std::vector<entry> known_;  // few: those where TLS has failed
};

}  // namespace lbresolve::core
