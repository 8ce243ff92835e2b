// Races that TLS decides, and what is remembered of them, in virtual time.
#include "support/simulated_world.hpp"

#include <lbresolve/tls_error.hpp>

#include <doctest/doctest.h>

#include <algorithm>

namespace lbresolve::test {
namespace {

using state = endpoint_state;

const char* const first = "192.0.2.1";
const char* const second = "192.0.2.2";

/// Two names with the same addresses, IPv4 only, tried in order.
struct tls_world {
  simulated_world w;

  tls_world() {
    w.chosen.selection.policy = policy::in_order;
    w.chosen.selection.probing = false;
    w.has_ipv6 = false;
    zone z;
    z.addresses["a.test"] = z.addresses["b.test"] = {first, second};
    w.server(0, z);
  }

  static connect_options tls() {
    connect_options o;
    o.ready = ready::tls;
    return o;
  }

  core::health_view known(const std::string& target, const std::string& address) {
    const endpoint at{*address::parse(address), 443};
    core::health_view out;
    w.memory().peek(target, {&at, 1}, {&out, 1}, w.now());
    return out;
  }
};

std::string port(const char* address) { return std::string(address) + ":443"; }

TEST_CASE("HE-51: TCP accepted and TLS mute: the next attempt starts at the attempt delay, and wins") {
  tls_world t;
  t.w.endpoint_is(port(first), then_mute(connects(10ms)));
  t.w.endpoint_is(port(second), then_tls(connects(10ms), 20ms));
  const auto r = t.w.connected("a.test:443", tls_world::tls());
  REQUIRE(r.connected);
  CHECK(r.peer.to_string() == port(second));
  REQUIRE(r.story->attempts.size() == 2);
  const attempt_record& mute = r.story->attempts[0];
  CHECK(mute.ended_as == attempt_record::outcome::cancelled);
  CHECK(mute.reached == attempt_record::stage::tls);
  CHECK(*mute.tls_started - mute.started == 10ms);
  CHECK(r.story->attempts[1].started - mute.started == 250ms);
  CHECK(r.story->took == r.story->attempts[1].started + 30ms);
  CHECK(t.w.open_sockets() <= 1);
}

TEST_CASE("HE-52: TLS that fails starts the next attempt at once, and attempts that are open stay in the race") {
  tls_world t;
  t.w.endpoint_is(port(first), then_tls(connects(100ms), 200ms, make_error_code(tls_errc::expired)));
  t.w.endpoint_is(port(second), then_tls(connects(100ms), 200ms));
  const auto r = t.w.connected("a.test:443", tls_world::tls());
  REQUIRE(r.connected);
  CHECK(r.story->attempts[1].started - r.story->attempts[0].started == 250ms);  // open when the first one fails
  CHECK(r.story->attempts[0].failure == "because the certificate has expired");
  CHECK(*r.story->attempts[1].ended - r.story->attempts[1].started == 300ms);
}

TEST_CASE("MEM-01: what TLS shows at an address is remembered of this name there, and of no other name") {
  tls_world t;
  t.w.endpoint_is(port(first), then_tls(connects(10ms), 10ms, make_error_code(tls_errc::wrong_name)));
  t.w.endpoint_is(port(second), then_tls(connects(10ms), 10ms));
  CHECK(t.w.connected("a.test:443", tls_world::tls()).story->attempts.size() == 2);
  CHECK(t.known("a.test:443", first).state == state::suspect);
  CHECK(t.known("b.test:443", first).state == state::healthy);
  CHECK(t.known("b.test:443", first).srtt == 10ms);  // the way there is fine, and this is how long it is
  CHECK(t.w.connected("a.test:443", tls_world::tls()).story->attempts.size() == 1);
  t.w.endpoint_is(port(first), then_tls(connects(10ms), 10ms));
  CHECK(t.w.connected("b.test:443", tls_world::tls()).peer.to_string() == port(first));
}

TEST_CASE(
    "MEM-01: a server that is mute in TLS is tried last by the next connect, and first again once it has answered") {
  tls_world t;
  t.w.endpoint_is(port(first), then_mute(connects(10ms)));
  t.w.endpoint_is(port(second), then_tls(connects(10ms), 10ms));
  CHECK(t.w.connected("a.test:443", tls_world::tls()).story->attempts.size() == 2);
  CHECK(t.known("a.test:443", first).state == state::suspect);
  CHECK(t.w.connected("a.test:443", tls_world::tls()).peer.to_string() == port(second));
  // What is overdue is tried beside the first choice.
  t.w.endpoint_is(port(first), then_tls(connects(1ms), 1ms));
  t.w.pass(31s);
  CHECK(t.w.connected("a.test:443", tls_world::tls()).peer.to_string() == port(first));
  CHECK(t.known("a.test:443", first).state == state::healthy);
}

TEST_CASE("MEM-07: an only address is never ejected for what TLS shows there") {
  simulated_world w;
  w.has_ipv6 = false;
  zone z;
  z.addresses["a.test"] = {first};
  w.server(0, z);
  w.endpoint_is(port(first), then_tls(connects(10ms), 10ms, make_error_code(tls_errc::expired)));
  for (int i = 0; i < 5; ++i) {
    const auto r = w.connected("a.test:443", tls_world::tls());
    REQUIRE(r.failed);
    CHECK(r.failed->code() == make_error_code(tls_errc::expired));
    CHECK(r.failed->message().find("because the certificate has expired") != std::string::npos);
  }
  const endpoint at{*address::parse(first), 443};
  core::health_view out;
  w.memory().peek("a.test:443", {&at, 1}, {&out, 1}, w.now());
  CHECK(out.state == state::suspect);
}

TEST_CASE("HE-41: the attempt delay counts the round trip of TLS too") {
  tls_world t;
  t.w.endpoint_is(port(first), then_tls(connects(200ms), 200ms));
  t.w.endpoint_is(port(second), then_tls(connects(200ms), 200ms));
  for (int i = 0; i < 12; ++i) t.w.connected("a.test:443", tls_world::tls());
  const auto r = t.w.connected("a.test:443", tls_world::tls());
  CHECK(r.story->attempts.size() == 1);  // 400 ms and more were given to it
}

}  // namespace
}  // namespace lbresolve::test
