// What one endpoint's opinion must not do to the set it belongs to.
#include "core/guards.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <vector>

namespace lbresolve::test {
namespace {

using namespace std::chrono_literals;
using core::duration;
using core::health_view;
using core::time_point;
using state = endpoint_state;
using views = std::vector<health_view>;

constexpr time_point now{std::chrono::hours{1}};

health_view healthy(duration ago = 1s) { return {.state = state::healthy, .last_success = now - ago}; }

health_view failing(duration ago = 1s) {
  return {.state = state::suspect,
          .consecutive_failures = 1,
          .last_success = now - 30min,
          .last_failure = now - ago,
          .failing_since = now - ago};
}

health_view waited_for(duration ago = 1s) {
  return {.state = state::suspect, .last_failure = now - ago, .failing_since = now - ago};
}

health_view ejected(duration ago = 10s) {
  return {.state = state::ejected,
          .consecutive_failures = 3,
          .last_failure = now - ago,
          .failing_since = now - ago,
          .ejected_at = now - ago,
          .ejected_until = now + 20s};
}

health_view demoted(health_view v) {
  v.demoted = true;
  return v;
}

std::size_t count(const views& set, state s) {
  std::size_t n = 0;
  for (const health_view& v : set) n += v.state == s ? 1U : 0U;
  return n;
}

TEST_CASE("MEM-06: more than half failing, and nothing has succeeded since they began to, is a panic") {
  CHECK(core::is_panic(views{failing(), failing(), {}}));
  CHECK_FALSE(core::is_panic(views{failing(), failing(), {}, {}}));  // half is not more than half
  CHECK(core::is_panic(views{failing(), failing()}));
  CHECK_FALSE(core::is_panic(views{}));
}

TEST_CASE("MEM-06: a success after they began to fail speaks against a panic, one before it does not") {
  CHECK_FALSE(core::is_panic(views{failing(2s), failing(2s), failing(2s), healthy(1s)}));
  CHECK(core::is_panic(views{failing(2s), failing(2s), failing(2s), healthy(3s)}));
}

TEST_CASE("MEM-06: addresses that never worked are no sign that the network does not") {
  health_view never = failing();
  never.last_success = time_point::min();
  CHECK_FALSE(core::is_panic(views{never, never, healthy(2s)}));
  CHECK(core::is_panic(views{never, never}));
}

TEST_CASE("MEM-06: a success that a failure at the same endpoint has followed is none") {
  health_view turned = failing(1s);
  turned.last_success = now - 2s;
  CHECK(core::is_panic(views{turned, failing(), failing()}));
  turned.last_success = now;
  turned.state = state::healthy;
  turned.consecutive_failures = 0;
  turned.failing_since = time_point::min();
  CHECK_FALSE(core::is_panic(views{turned, failing(), failing()}));
}

TEST_CASE("MEM-06: however seldom a client connects, a network that has been down for long is still down") {
  CHECK(core::is_panic(views{failing(10min), failing(1s)}));
}

TEST_CASE("MEM-06: an endpoint that was waited for in vain fails too: a dead network refuses nothing") {
  CHECK(core::is_panic(views{waited_for(), waited_for(), {}}));
  CHECK_FALSE(core::is_panic(views{waited_for(6s), waited_for(6s), healthy(1s)}));
}

TEST_CASE("SEL-05: one address alone is no panic") { CHECK_FALSE(core::is_panic(views{failing()})); }

TEST_CASE("MEM-09: a family that does not work is left out of the counts") {
  CHECK_FALSE(core::is_panic(views{demoted(failing()), demoted(failing()), demoted(failing()), {}, {}}));
  CHECK(core::is_panic(views{demoted(healthy()), failing(), failing()}));
  views set{demoted(ejected()), demoted(ejected()), demoted(ejected()), ejected(), healthy()};
  CHECK_FALSE(core::apply_guards(set));
  CHECK(count(set, state::ejected) == 4);  // one of two, and those that do not count
}

TEST_CASE("MEM-06: in a panic every ejection is taken back") {
  views set{ejected(2s), ejected(3s), failing()};
  CHECK(core::apply_guards(set));
  CHECK(count(set, state::ejected) == 0);
  CHECK(count(set, state::suspect) == 3);
}

TEST_CASE("MEM-07: at most half of a set is ejected, rounded down, and the latest ejections are taken back") {
  for (std::size_t n = 1; n <= 9; ++n) {
    CAPTURE(n);
    for (std::size_t out = 0; out <= n; ++out) {
      views set;
      for (std::size_t i = 0; i < n; ++i) set.push_back(i < out ? ejected(10s + 1s * static_cast<int>(i)) : healthy());
      const bool all = out == n && n > 1;  // then it is a panic, and nobody is out
      CHECK(core::apply_guards(set) == all);
      const std::size_t most = all ? 0 : n / 2;
      CHECK(count(set, state::ejected) == std::min(out, most));
      CHECK(count(set, state::suspect) == out - std::min(out, most));
    }
  }
  views set{ejected(10s), ejected(30s), ejected(20s), healthy()};
  core::apply_guards(set);
  CHECK(set[0].state == state::suspect);
  CHECK(set[1].state == state::ejected);
  CHECK(set[2].state == state::ejected);
}

TEST_CASE("MEM-07, SEL-05: an only member is never ejected") {
  views set{ejected()};
  CHECK_FALSE(core::apply_guards(set));
  CHECK(set[0].state == state::suspect);
}

TEST_CASE("guards leave alone what works") {
  views set{healthy(), healthy(), ejected(), failing(20s)};
  CHECK_FALSE(core::apply_guards(set));
  CHECK(set[0].state == state::healthy);
  CHECK(set[2].state == state::ejected);
  CHECK(set[3].state == state::suspect);
}

TEST_CASE("times at either end of the clock do no harm") {
  views set{{.state = state::suspect, .consecutive_failures = 1, .last_failure = time_point::min()},
            {.state = state::suspect, .consecutive_failures = 1, .last_failure = time_point::min() + 1ns},
            {.state = state::healthy, .last_success = time_point::max()}};
  CHECK_FALSE(core::is_panic(set));
  CHECK_FALSE(core::apply_guards(set));
}

}  // namespace
}  // namespace lbresolve::test
