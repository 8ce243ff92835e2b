// What an observer is told of an operation.
#include "core/events.hpp"

#include <lbresolve/error.hpp>
#include <lbresolve/tls_error.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <system_error>

namespace lbresolve::core {
namespace {

using namespace std::chrono_literals;

std::error_code of_errno(int value) { return {value, std::system_category()}; }

query_record query(query_record::outcome how, int rcode = -1, std::error_code code = {}) {
  query_record q;
  q.name = "www.example";
  q.type = 1;
  q.upstream = "tls://[2001:db8::53]:853#dns.example";
  q.over = transport::tls;
  q.started = 1ms;
  q.ended = 4ms;
  q.ended_as = how;
  q.rcode = rcode;
  q.code = code;
  return q;
}

std::string error_type(const query_record& q) {
  trace t;
  t.queries = {q};
  return lookups_of(t).at(0).error_type;
}

attempt_record attempt(const char* to, attempt_record::outcome how, std::error_code code = {}) {
  attempt_record a;
  a.endpoint = {*address::parse(to), 443};
  a.started = 10ms;
  a.ended = 30ms;
  a.ended_as = how;
  a.code = code;
  a.detail = "why " + std::string(to);
  return a;
}

}  // namespace

TEST_CASE("the place of an upstream is read from what a trace calls it") {
  const auto is = [](const char* text, const char* host, int port) {
    CAPTURE(text);
    const upstream_place p = place_of(text);
    CHECK(p.host == host);
    CHECK(p.port == port);
  };
  is("192.0.2.53:53", "192.0.2.53", 53);
  is("tcp://192.0.2.53:5353", "192.0.2.53", 5353);
  is("[2001:db8::53]:53", "2001:db8::53", 53);
  is("tls://192.0.2.60:853#dns.example.test", "192.0.2.60", 853);
  is("https://dns.example:443/dns-query?get", "dns.example", 443);
  is("https://dns.example/dns-query", "dns.example", 0);
  is("[2001:db8::53]", "2001:db8::53", 0);
  is("", "", 0);
}

TEST_CASE("a lookup event has OpenTelemetry's attributes") {
  trace t;
  t.target = "www.example:443";
  t.took = 9ms;
  t.queries = {query(query_record::outcome::answered)};
  query_record cached = query(query_record::outcome::nxdomain);
  cached.from = query_record::source::cache;
  cached.upstream.clear();
  query_record slow = query(query_record::outcome::pending);
  slow.ended.reset();
  t.queries.push_back(cached);
  t.queries.push_back(slow);
  const auto events = lookups_of(t);
  REQUIRE(events.size() == 3);
  CHECK(events[0].target == "www.example:443");
  CHECK(events[0].query.name == "www.example");
  CHECK(events[0].duration == 3ms);
  CHECK(events[0].server_address == "2001:db8::53");
  CHECK(events[0].server_port == 853);
  CHECK(events[0].network_transport == "tcp");
  CHECK(events[0].error_type.empty());
  CHECK(events[1].server_address.empty());
  CHECK(events[1].network_transport.empty());
  CHECK(events[1].error_type == "nxdomain");
  CHECK(events[2].duration == 8ms);
  CHECK(events[2].error_type == "timeout");
}

TEST_CASE("an error type is a word out of a bounded set") {
  using outcome = query_record::outcome;
  CHECK(error_type(query(outcome::nodata)).empty());
  CHECK(error_type(query(outcome::abandoned)).empty());
  CHECK(error_type(query(outcome::timed_out)) == "timeout");
  CHECK(error_type(query(outcome::failed, 2)) == "servfail");
  CHECK(error_type(query(outcome::failed, 5)) == "refused");
  CHECK(error_type(query(outcome::failed, 23)) == "badcookie");
  CHECK(error_type(query(outcome::failed, 3000)) == "rcode_3000");
  CHECK(error_type(query(outcome::failed)) == "malformed");
  CHECK(error_type(query(outcome::unreachable, -1, of_errno(ECONNREFUSED))) == "connection_refused");
  CHECK(error_type_of(std::error_code()).empty());
  CHECK(error_type_of(make_error_code(errc::timed_out)) == "timeout");
  CHECK(error_type_of(make_error_code(tls_errc::expired)) == "certificate_rejected");
  CHECK(error_type_of(make_error_code(tls_errc::alert)) == "tls_failed");
  CHECK(error_type_of(of_errno(ETIMEDOUT)) == "timeout");
  CHECK(error_type_of(of_errno(EBADF)) == "system_9");
}

TEST_CASE("a choice tells which address was come to, after how many others, and why") {
  trace t;
  t.target = "www.example:443";
  t.took = 40ms;
  t.attempts = {attempt("2001:db8::1", attempt_record::outcome::skipped),
                attempt("192.0.2.1", attempt_record::outcome::failed, of_errno(ECONNREFUSED)),
                attempt("192.0.2.2", attempt_record::outcome::won)};
  const choice_event c = choice_of(t, policy::fastest, selection_mode::client, {});
  REQUIRE(c.chosen);
  CHECK(c.chosen->to_string() == "192.0.2.2:443");
  CHECK(c.place == 1);
  CHECK(c.reason == "why 192.0.2.2");
  CHECK(c.policy == policy::fastest);
  CHECK(c.mode == selection_mode::client);
  CHECK(c.duration == 40ms);
  CHECK(c.error_type.empty());
  const auto attempts = attempts_of(t);
  REQUIRE(attempts.size() == 2);  // what was skipped was not tried
  CHECK(attempts[0].error_type == "connection_refused");
  CHECK(attempts[0].duration == 20ms);
  CHECK(attempts[1].error_type.empty());

  t.attempts.pop_back();
  const choice_event none = choice_of(t, policy::balanced, selection_mode::hybrid, of_errno(ECONNREFUSED));
  CHECK_FALSE(none.chosen);
  CHECK(none.place == 1);
  CHECK(none.error_type == "connection_refused");
}

TEST_CASE("an ejection is told, also one upon another, and each change once") {
  const endpoint at{*address::parse("192.0.2.1"), 443};
  const time_point now{100s};
  const auto change = [&](const health_view& before, const health_view& after) {
    return health_change_of(at, before, after, now);
  };
  health_view well, suspect, out, back;
  well.state = endpoint_state::healthy;
  suspect.state = endpoint_state::suspect;
  suspect.consecutive_failures = 1;
  out.state = endpoint_state::ejected;
  out.consecutive_failures = 3;
  out.ejected_until = now + 5s;
  back.state = endpoint_state::ramping;
  CHECK_FALSE(change(well, well));
  CHECK(change(well, suspect)->change == member_change::kind::suspect);
  CHECK_FALSE(change(suspect, suspect));
  const auto ejected = change(suspect, out);
  REQUIRE(ejected);
  CHECK(ejected->endpoint == at);
  CHECK(ejected->change == member_change::kind::ejected);
  CHECK(ejected->comes_back == 5s);
  CHECK(ejected->consecutive_failures == 3);
  health_view half = out;
  half.state = endpoint_state::half_open;
  CHECK_FALSE(change(out, half));
  health_view again = out;
  again.ejected_until = now + 10s;
  CHECK(change(half, again)->change == member_change::kind::ejected);
  CHECK_FALSE(change(out, out));
  CHECK(change(half, back)->change == member_change::kind::back);
}

TEST_CASE("probes are told with what came of them") {
  const endpoint at{*address::parse("192.0.2.1"), 443};
  const probe_event good = probe_of({.at = at, .is = attempt_fact::kind::connected, .took = 2ms});
  CHECK(good.endpoint == at);
  CHECK(good.background);
  CHECK(good.duration == 2ms);
  CHECK(good.error_type.empty());
  CHECK(probe_of({.at = at, .is = attempt_fact::kind::failed, .code = of_errno(ECONNREFUSED)}).error_type ==
        "connection_refused");
  const auto asked = probes_of({attempt("192.0.2.1", attempt_record::outcome::won),
                                attempt("192.0.2.2", attempt_record::outcome::failed, of_errno(ENETUNREACH)),
                                attempt("192.0.2.3", attempt_record::outcome::cancelled)});
  REQUIRE(asked.size() == 3);
  CHECK_FALSE(asked[0].background);
  CHECK(asked[0].error_type.empty());
  CHECK(asked[1].error_type == "network_unreachable");
  CHECK(asked[2].error_type == "timeout");
}

}  // namespace lbresolve::core
