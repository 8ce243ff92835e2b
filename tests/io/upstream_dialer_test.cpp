// Streams to encrypted upstreams, over real sockets on loopback.
#include "io/upstream_dialer.hpp"

#include "support/fake_dns_server.hpp"
#include "support/listener.hpp"
#include "support/tls_listener.hpp"

#include <lbresolve/tls_error.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lbresolve::io {
namespace {

using namespace std::chrono_literals;
using test::fake_dns_server;
using test::tls_listener;
using test::tls_peer_settings;
using dialed = std::optional<result<std::unique_ptr<byte_stream>>>;

const test::test_ca& authority() {
  static const test::test_ca ca;
  return ca;
}

tls_peer_settings dns_server(std::vector<std::string> alpn = {"dot", "h2"}) {
  return {.with = authority().issue({.names = {"dns.test"}, .addresses = {"127.0.0.1"}}), .alpn = std::move(alpn)};
}

/// Everything that a stream tells.
struct listening final : byte_stream::events {
  void on_data(std::span<const std::uint8_t> bytes) override { heard.append(bytes.begin(), bytes.end()); }
  void on_closed(const error& why) override { closed = why; }

  std::string heard;
  std::optional<error> closed;
};

struct lab {
  std::unique_ptr<event_loop> loop = event_loop::create().value();
  std::unique_ptr<upstream_dialer> dialer;

  explicit lab(std::vector<core::upstream> bootstrap = {}, core::duration timeout = 5s) {
    dialer_settings s;
    s.ask_aaaa = false;
    s.ca_file = authority().file();
    s.timeout = timeout;
    s.source_of = [](const address& to) { return std::optional<address>(to); };
    dialer = std::make_unique<upstream_dialer>(*loop, std::move(s));
    if (bootstrap.empty()) return;
    const auto servers = std::make_shared<core::upstreams>(std::move(bootstrap), core::upstream_rules{});
    dialer->use({{core::name(), servers, {}}});
  }

  void run_until(const std::function<bool()>& condition, core::duration most = 5s) {
    const auto end = std::chrono::steady_clock::now() + most;
    while (!condition() && std::chrono::steady_clock::now() < end) loop->run_once(10ms);
  }

  result<std::unique_ptr<byte_stream>> dial(const core::upstream& to) {
    dialed outcome;
    dialer->dial(to, [&](auto r) { outcome = std::move(r); });
    CHECK_FALSE(outcome);  // never inside the call
    run_until([&] { return outcome.has_value(); });
    REQUIRE(outcome);
    return std::move(*outcome);
  }
};

core::upstream tls_upstream(const endpoint& at, transport over = transport::tls) {
  core::upstream u = core::make_upstream(at, over);
  u.identity.name = "dns.test";
  return u;
}

core::upstream by_name(std::uint16_t port) {
  core::upstream u = tls_upstream({address(), port});
  u.host = "dns.test";
  return u;
}

std::span<const std::uint8_t> octets(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

TEST_CASE("DNS-05: an upstream with an address is dialed without DNS, and both sides are heard") {
  const tls_listener server({.tls = dns_server(), .greeting = "good day"});
  lab l;
  auto made = l.dial(tls_upstream(server.where()));
  REQUIRE_MESSAGE(made, made.error().message());
  byte_stream& stream = *made.value();
  CHECK(stream.protocol() == "dot");
  listening heard;
  stream.listen(heard);
  stream.write(octets("hello"));
  l.run_until([&] { return heard.heard.size() >= 18; });
  CHECK(heard.heard == "good dayecho hello");
  CHECK(stream.unsent() == 0);
  CHECK_FALSE(heard.closed);
}

TEST_CASE("DNS-06: for https h2 is insisted on") {
  const tls_listener server({.tls = dns_server()});
  const tls_listener without({.tls = dns_server({})});
  lab l;
  CHECK(l.dial(tls_upstream(server.where(), transport::https)).value()->protocol() == "h2");
  CHECK(l.dial(tls_upstream(without.where())));
  const auto refused = l.dial(tls_upstream(without.where(), transport::https));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == make_error_code(tls_errc::no_protocol));
}

TEST_CASE("DNS-05: a name is looked up through a bootstrap server, or stands for the addresses given with it") {
  const fake_dns_server dns([](const fake_dns_server::request& r) -> std::vector<fake_dns_server::reply> {
    return {{.bytes = test::answer_to(r.query, std::vector{*address::parse("127.0.0.1")})}};
  });
  const tls_listener server({.tls = dns_server()});
  lab with({core::make_upstream(dns.where())});
  CHECK(with.dial(by_name(server.where().port)));
  CHECK(dns.request_count() == 1);
  CHECK(with.dial(by_name(server.where().port)));
  CHECK(dns.request_count() == 1);  // cached

  lab without;
  core::upstream known = by_name(server.where().port);
  known.known = {*address::parse("127.0.0.1")};
  CHECK(without.dial(known));
  const auto unknown = without.dial(by_name(server.where().port));
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error() == errc::upstream_failed);
}

TEST_CASE("DNS-13: a designated upstream is looked up by who designated it, and not by the bootstrap servers") {
  const tls_listener server({.tls = dns_server()});
  const fake_dns_server usual([](const fake_dns_server::request&) { return std::vector<fake_dns_server::reply>{}; });
  const fake_dns_server designating([](const fake_dns_server::request& r) -> std::vector<fake_dns_server::reply> {
    return {{.bytes = test::answer_to(r.query, std::vector{*address::parse("127.0.0.1")})}};
  });
  core::upstream to = core::make_upstream({address(), server.where().port}, transport::tls);
  to.host = "dns.test";
  to.identity.address = address::v4({127, 0, 0, 1});
  to.designated_by = designating.where();
  lab l({core::make_upstream(usual.where())});
  CHECK(l.dial(to));
  CHECK(l.dial(to));
  CHECK(usual.request_count() == 0);
  CHECK(designating.request_count() == 1);
  to.identity.address = address::v4({192, 0, 2, 53});
  const auto refused = l.dial(to);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == make_error_code(tls_errc::wrong_address));
}

TEST_CASE("SEC-08: a server with the wrong certificate is not spoken to, and the error has the reason") {
  const tls_listener server(
      {.tls = tls_peer_settings{.with = authority().issue({.names = {"other.test"}}), .alpn = {"dot"}}});
  lab l;
  const auto refused = l.dial(tls_upstream(server.where()));
  REQUIRE_FALSE(refused);
  CHECK(refused.error() == errc::certificate_rejected);
  CHECK(refused.error().message().find(R"(is for "other.test", not for "dns.test")") != std::string::npos);
  CHECK(server.heard().empty());
  CHECK(server.first_octets().substr(0, 1) == "\x16");
}

TEST_CASE("DNS-08: a reconnect resumes the TLS session") {
  const tls_listener server({.tls = dns_server(), .greeting = "good day"});
  lab l;
  for (const bool resumed : {false, true, true}) {
    auto made = l.dial(tls_upstream(server.where()));
    REQUIRE(made);
    CHECK(made.value()->is_resumed() == resumed);
    listening heard;
    made.value()->listen(heard);
    l.run_until([&] { return !heard.heard.empty(); });
  }
}

TEST_CASE("DNS-09: while nobody is there every dial fails with a reason, and the first one after that succeeds") {
  std::optional<tls_listener> server;
  server.emplace(test::tls_listener_settings{.tls = dns_server()});
  const endpoint at = server->where();
  server.reset();
  lab l;
  for (int i = 0; i < 3; ++i) {
    const auto refused = l.dial(tls_upstream(at));
    REQUIRE_FALSE(refused);
    CHECK(refused.error() == std::errc::connection_refused);
  }
  server.emplace(test::tls_listener_settings{.port = at.port, .tls = dns_server()});
  CHECK(l.dial(tls_upstream(at)));
}

TEST_CASE("DNS-09: a server that accepts and stays mute costs a dial its time, and no more") {
  const tls_listener mute({});
  lab l({}, 200ms);
  const auto began = std::chrono::steady_clock::now();
  const auto r = l.dial(tls_upstream(mute.where()));
  REQUIRE_FALSE(r);
  CHECK(r.error() == errc::timed_out);
  CHECK(std::chrono::steady_clock::now() - began < 2s);
}

TEST_CASE("DNS-03: the end of a stream is told once, announced or not, and destruction inside an event is safe") {
  std::optional<tls_listener> server;
  server.emplace(test::tls_listener_settings{.tls = dns_server(), .greeting = "good day"});
  lab l;
  auto made = l.dial(tls_upstream(server->where()));
  REQUIRE(made);
  listening heard;
  made.value()->listen(heard);
  l.run_until([&] { return !heard.heard.empty(); });
  auto second = l.dial(tls_upstream(server->where()));
  REQUIRE(second);
  struct suicidal final : byte_stream::events {
    void on_data(std::span<const std::uint8_t>) override { mine.reset(); }
    void on_closed(const error&) override { FAIL("closed after destruction"); }
    std::unique_ptr<byte_stream> mine;
  } dies;
  dies.mine = std::move(second).value();
  dies.mine->listen(dies);
  l.run_until([&] { return dies.mine == nullptr; });
  CHECK(dies.mine == nullptr);

  server.reset();
  l.run_until([&] { return heard.closed.has_value(); });
  REQUIRE(heard.closed);
  CHECK(*heard.closed == std::errc::connection_reset);
  made.value()->write(octets("too late"));
  l.run_until([] { return false; }, 30ms);
}

TEST_CASE("DNS-04: a cancelled dial is never told, and a dialer may go while dials are open") {
  const tls_listener mute({});
  const tls_listener server({.tls = dns_server()});
  const std::size_t before = test::open_descriptors();
  bool told = false;
  std::optional<lab> l(std::in_place);
  const auto which = l->dialer->dial(tls_upstream(mute.where()), [&](auto) { told = true; });
  l->run_until([] { return false; }, 30ms);
  l->dialer->cancel(which);
  l->dialer->cancel(which);
  l->dialer->dial(tls_upstream(mute.where()), [&](auto) { told = true; });
  l->run_until([] { return false; }, 30ms);
  l->dialer->dial(tls_upstream(endpoint{*address::parse("127.0.0.1"), 1}), [&](auto) { told = true; });
  l->dialer.reset();
  l->run_until([] { return false; }, 30ms);
  CHECK_FALSE(told);
  l.reset();
  for (int i = 0; i < 100 && test::open_descriptors() > before; ++i) std::this_thread::sleep_for(5ms);
  CHECK(test::open_descriptors() <= before);

  // From inside the outcome.
  lab other;
  bool gone = false;
  other.dialer->dial(tls_upstream(server.where()), [&](auto) {
    other.dialer.reset();
    gone = true;
  });
  other.run_until([&] { return gone; });
  CHECK(gone);
}

TEST_CASE("DNS-03: a long write goes out in parts while the event loop goes on") {
  const tls_listener server({.tls = dns_server()});
  lab l;
  auto made = l.dial(tls_upstream(server.where()));
  REQUIRE(made);
  listening heard;
  made.value()->listen(heard);
  const std::string text(3'000'000, 'x');
  made.value()->write(octets(text));
  l.run_until([&] { return server.heard().size() == text.size(); });
  CHECK(server.heard().size() == text.size());
}

TEST_CASE("DNS-03: a long answer arrives whole, in records that fill the room for them to the last octet") {
  const tls_listener server({.tls = dns_server(), .greeting = std::string(100'000, 'y')});
  lab l;
  auto made = l.dial(tls_upstream(server.where()));
  REQUIRE(made);
  listening heard;
  made.value()->listen(heard);
  l.run_until([&] { return heard.heard.size() == 100'000 || heard.closed; });
  CHECK(heard.heard.size() == 100'000);
  CHECK_FALSE(heard.closed);
}

}  // namespace
}  // namespace lbresolve::io
