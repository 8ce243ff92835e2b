// The tests of lbresolve/asio.hpp, for the kind of Asio that the file which includes this has chosen.
#pragma once

#include "support/fake_dns_server.hpp"
#include "support/listener.hpp"
#include "support/tls_listener.hpp"

#include <lbresolve/asio.hpp>

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace lbresolve::test {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

/// Every name has this IPv4 address and no IPv6 one; the type is the pair of octets behind the name (RFC 1035).
fake_dns_server::handler always(const char* text, std::chrono::milliseconds after = 0ms) {
  return [only = *address::parse(text), after](const fake_dns_server::request& r) {
    std::size_t at = 12;
    while (r.query[at] != 0) at += 1U + r.query[at];
    const std::vector<address> answer(r.query[at + 2] == 1 ? 1 : 0, only);
    return std::vector<fake_dns_server::reply>{{answer_to(r.query, answer), after}};
  };
}

fake_dns_server::handler silent() {
  return [](const fake_dns_server::request&) { return std::vector<fake_dns_server::reply>{}; };
}

resolver make_resolver(const fake_dns_server& dns, loop how = loop::own_thread) {
  options o;
  o.servers = {dns.where().to_string()};
  o.hosts = "";
  o.loop = how;
  return std::move(resolver::create(o)).value();
}

std::string at_port(const listener& l) { return "example.test:" + std::to_string(l.where().port); }

/// A port of loopback on which nobody listens.
std::string refused() { return at_port(listener()); }

/// How a connect ended, and where.
struct ending {
  int calls = 0;
  net_error_code code;
  std::optional<connected> got;
  std::thread::id thread;

  auto note() {
    return [this](net_error_code c, connected made) {
      ++calls;
      code = c;
      got.emplace(std::move(made));
      thread = std::this_thread::get_id();
    };
  }
};

}  // namespace

TEST_CASE("USE-09: " ASIO_KIND
          ": a connect by name completes on the executor bound to its handler, with a socket there") {
  fake_dns_server dns(always("127.0.0.1"));
  listener l;
  resolver r = make_resolver(dns);
  net::io_context io;
  ending e;
  async_connect(r, at_port(l), net::bind_executor(io.get_executor(), e.note()));
  CHECK(e.calls == 0);
  io.run();  // returns when the call is over, not before
  REQUIRE(e.calls == 1);
  CHECK(e.thread == std::this_thread::get_id());
  CHECK(!e.code);
  CHECK(e.got->peer == l.where());
  CHECK(e.got->socket.remote_endpoint() == to_asio(l.where()));
  CHECK(&net::query(e.got->socket.get_executor(), net::execution::context) == &io);
  REQUIRE(e.got->story);
  CHECK(e.got->story->attempts.size() == 1);
  std::array<char, 1> octet{};
  bool read = false;
  e.got->socket.async_read_some(net::buffer(octet), [&](net_error_code c, std::size_t) {
    read = true;
    CHECK(c == net::error::eof);  // the listener accepts and closes
  });
  io.restart();
  io.run();
  CHECK(read);
}

TEST_CASE("USE-09: " ASIO_KIND ": an errno is one of Asio's own codes, and the whole error is at hand") {
  fake_dns_server dns(always("127.0.0.1"));
  resolver r = make_resolver(dns);
  net::io_context io;
  ending e;
  async_connect(r, refused(), {.timeout = 5s}, net::bind_executor(io.get_executor(), e.note()));
  io.run();
  REQUIRE(e.calls == 1);
  CHECK(e.code == net::error::connection_refused);
  CHECK(!e.got->socket.is_open());
  CHECK(e.got->why == std::errc::connection_refused);
  CHECK(e.got->why.message().find("refused") != std::string::npos);
  REQUIRE(e.got->story);
  CHECK(e.got->story->attempts.size() == 1);
}

TEST_CASE("USE-09: " ASIO_KIND ": a code of the library keeps its category and its words") {
  fake_dns_server dns([](const fake_dns_server::request& q) {
    return std::vector<fake_dns_server::reply>{{answer_to(q.query, {}, 3)}};
  });
  resolver r = make_resolver(dns);
  net::io_context io;
  net_error_code code;
  error why;
  async_resolve(r, "example.test", net::bind_executor(io.get_executor(), [&](net_error_code c, const resolved& found) {
                  code = c;
                  why = found.why;
                }));
  io.run();
  CHECK(code == errc::name_not_found);
  CHECK(code.category().name() == std::string("lbresolve"));
  CHECK(code.message() == make_error_code(errc::name_not_found).message());
  CHECK(why == errc::name_not_found);
  REQUIRE(why.story() != nullptr);
  CHECK(to_asio(std::error_code()) == net_error_code());
  CHECK(to_asio(make_error_code(errc::timed_out)) == to_asio(make_error_code(errc::timed_out)));
  CHECK(to_asio(make_error_code(errc::timed_out)) != code);
}

TEST_CASE("USE-09: " ASIO_KIND ": a malformed target is told to the handler, as everything else is") {
  fake_dns_server dns(silent());
  resolver r = make_resolver(dns);
  net::io_context io;
  ending e;
  async_connect(r, "no port", net::bind_executor(io.get_executor(), e.note()));
  CHECK(e.calls == 0);
  io.run();
  CHECK(e.calls == 1);
  CHECK(e.code == errc::invalid_target);
}

TEST_CASE("USE-09: " ASIO_KIND ": a future gets the value or an exception, and addresses are in the order of connect") {
  fake_dns_server dns(always("127.0.0.1"));
  listener l;
  resolver r = make_resolver(dns);
  net::io_context io;
  auto found = async_resolve(r, at_port(l), net::use_future);  // completes on the system's executor
  const resolved names = found.get();
  REQUIRE(names.tcp_endpoints().size() == 1);
  CHECK(names.tcp_endpoints()[0] == to_asio(l.where()));
  CHECK(async_connect(r, at_port(l), net::use_future).get().socket.is_open());
  CHECK_THROWS_AS(async_connect(r, refused(), net::use_future).get(), std::exception);
#if LBRESOLVE_ASIO_HAS_CANCELLATION  // before, bind_executor() took handlers only
  auto made = async_connect(r, at_port(l), net::bind_executor(io.get_executor(), net::use_future));
  io.run();
  CHECK(&net::query(made.get().socket.get_executor(), net::execution::context) == &io);
#endif
}

TEST_CASE("USE-09: " ASIO_KIND ": the library's own result comes whole") {
  fake_dns_server dns(always("127.0.0.1"));
  listener l;
  resolver r = make_resolver(dns);
  auto made = async_connect_result(r, at_port(l), {}, net::use_future).get();
  REQUIRE(made);
  CHECK(made.value().peer() == l.where());
  auto found = async_resolve_result(r, "example.invalid", {}, net::use_future).get();
  REQUIRE(!found);
  CHECK(found.error() == errc::name_not_found);
}

TEST_CASE("USE-09: " ASIO_KIND ": a TLS session comes with its socket, and waits with it") {
  const test_ca ca;
  const tls_listener server({.tls = tls_peer_settings{.with = ca.issue({.names = {"example.test"}})}});
  fake_dns_server dns(always("127.0.0.1"));
  resolver r = make_resolver(dns);
  connect_options settings;
  settings.ready = ready::tls;
  settings.tls.ca_file = ca.file();
  net::io_context io;
  std::optional<connected> session;
  std::string heard;
  const std::function<void()> listen = [&] {
    session->socket.async_wait(net::socket_base::wait_read, [&](net_error_code) {
      std::array<std::uint8_t, 16> some{};
      if (const auto count = session->tls.read(some))
        heard.assign(some.begin(), some.begin() + static_cast<std::ptrdiff_t>(count.value()));
      else if (count.error() == std::errc::operation_would_block)
        listen();  // something of TLS's own: a ticket (RFC 8446 section 4.6.1)
    });
  };
  const std::string target = "example.test:" + std::to_string(server.where().port);
  async_connect(r, target, settings, net::bind_executor(io.get_executor(), [&](net_error_code c, connected made) {
                  REQUIRE(!c);
                  session.emplace(std::move(made));
                  REQUIRE(session->tls.write(std::array<std::uint8_t, 4>{'p', 'i', 'n', 'g'}));
                  listen();
                }));
  io.run();
  CHECK(heard == "echo ping");
}

TEST_CASE("USE-09: " ASIO_KIND ": a resolver that is destroyed completes its calls as aborted") {
  fake_dns_server dns(silent());
  std::optional<resolver> r(make_resolver(dns));
  net::io_context io;
  ending e;
  async_connect(*r, "example.test:1", net::bind_executor(io.get_executor(), e.note()));
  r.reset();
  CHECK(e.calls == 0);
  io.run();
  CHECK(e.calls == 1);
  CHECK(e.code == net::error::operation_aborted);
  CHECK(e.got->why == errc::cancelled);
}

TEST_CASE("USE-09: " ASIO_KIND ": a context that is destroyed first drops its handlers, and the resolver goes on") {
  fake_dns_server dns(always("127.0.0.1", 100ms));
  resolver r = make_resolver(dns);
  auto witness = std::make_shared<int>();
  {
    net::io_context io;
    const auto strand =
        net::make_strand(io);  // executors of this kind reach into their context when they are destroyed
    async_resolve(r, "example.test",
                  net::bind_executor(strand, [witness](net_error_code, const resolved&) { *witness = 1; }));
    async_resolve(r, "127.0.0.1",
                  net::bind_executor(strand, [witness](net_error_code, const resolved&) { *witness = 1; }));
  }
  CHECK(witness.use_count() == 1);
  CHECK(r.resolve("example.test"));  // the same query: what waited for it has come back by now
  CHECK(*witness == 0);
}

TEST_CASE("USE-09: " ASIO_KIND ": a driver runs a resolver of the caller's loop, until it is stopped") {
  fake_dns_server dns(always("127.0.0.1"));
  listener l;
  resolver r = make_resolver(dns, loop::caller);
  net::io_context io;
  auto driver = asio_driver::create(io, r);
  REQUIRE(driver);
  ending e;
  async_connect(r, at_port(l), net::bind_executor(io.get_executor(), [&](net_error_code c, connected made) {
                  e.note()(c, std::move(made));
                  async_connect(r, at_port(l),
                                net::bind_executor(io.get_executor(), [&](net_error_code again, connected other) {
                                  e.note()(again, std::move(other));
                                  driver.value().stop();
                                }));
                }));
  io.run();
  CHECK(e.calls == 2);
  CHECK(!e.code);
  CHECK(e.thread == std::this_thread::get_id());
}

TEST_CASE("USE-09: " ASIO_KIND ": a driver may be destroyed inside a callback of the resolver it drives") {
  fake_dns_server dns(always("127.0.0.1"));
  resolver r = make_resolver(dns, loop::caller);
  net::io_context io;
  std::optional<asio_driver> driver(std::move(asio_driver::create(io, r)).value());
  bool done = false;
  r.async_resolve("example.test", {}, [&](const result<resolution>& found) {
    done = found.has_value();
    driver.reset();
  });
  io.run();
  CHECK(done);
}

TEST_CASE("USE-09: " ASIO_KIND ": a resolver with a thread of its own needs no driver") {
  fake_dns_server dns(silent());
  resolver r = make_resolver(dns);
  net::io_context io;
  auto driver = asio_driver::create(io, r);
  REQUIRE(!driver);
  CHECK(driver.error() == errc::unsupported);
}

TEST_CASE("USE-09: " ASIO_KIND ": calls from several threads each complete once") {
  fake_dns_server dns(always("127.0.0.1"));
  listener l;
  resolver r = make_resolver(dns);
  net::io_context io;
  std::atomic<int> done{0};
  constexpr int each = 100;
  auto ask = [&] {
    for (int i = 0; i < each; ++i) {
      async_connect(r, at_port(l), net::bind_executor(io.get_executor(), [&](net_error_code c, const connected&) {
                      if (!c) ++done;
                    }));
      async_resolve(r, "host" + std::to_string(i) + ".test",
                    net::bind_executor(net::make_strand(io), [&](net_error_code c, const resolved&) {
                      if (!c) ++done;
                    }));
    }
    io.run();
  };
  std::thread other(ask);
  ask();
  other.join();
  io.restart();
  io.run();
  CHECK(done == 4 * each);
}

#if defined(ASIO_HAS_CO_AWAIT) || defined(BOOST_ASIO_HAS_CO_AWAIT)
TEST_CASE("USE-09: " ASIO_KIND ": a coroutine awaits connects and lookups") {
  fake_dns_server dns(always("127.0.0.1"));
  listener l;
  resolver r = make_resolver(dns, loop::caller);
  net::io_context io;
  bool done = false;
  auto go = [&]() -> net::awaitable<void> {
    auto driver = asio_driver::create(co_await net::this_coro::executor, r);  // ends with the coroutine
    REQUIRE(driver);
    connected c = co_await async_connect(r, at_port(l), net::use_awaitable);
    CHECK(c.socket.is_open());
    const resolve_options hurried{.timeout = 2s};  // named: g++ 12 destroys what is braced inside co_await twice
    resolved found = co_await async_resolve(r, "example.test", hurried, net::use_awaitable);
    CHECK(found.endpoints.size() == 1);
    net_error_code failed;
    connected none = co_await async_connect(r, refused(), net::redirect_error(net::use_awaitable, failed));
    CHECK(failed == net::error::connection_refused);
    CHECK(none.why.story() != nullptr);
    const connect_options as_ever;
    result<connection> own = co_await async_connect_result(r, at_port(l), as_ever, net::use_awaitable);
    CHECK(own.has_value());
    done = true;
  };
  net::co_spawn(io, go(), [](const std::exception_ptr& thrown) { CHECK(!thrown); });
  io.run();
  CHECK(done);
}
#endif

#if LBRESOLVE_ASIO_HAS_CANCELLATION
TEST_CASE("USE-09: " ASIO_KIND ": a cancelled call completes at once as aborted, whatever kind of cancellation it is") {
  fake_dns_server dns(silent());
  listener l;
  for (const auto kind :
       {net::cancellation_type::terminal, net::cancellation_type::partial, net::cancellation_type::total}) {
    resolver r = make_resolver(dns);
    net::io_context io;
    net::cancellation_signal signal;
    ending e;
    auto token = net::bind_cancellation_slot(signal.slot(), net::bind_executor(io.get_executor(), e.note()));
    async_connect(r, at_port(l), std::move(token));
    io.run_for(20ms);
    CHECK(e.calls == 0);
    const auto before = steady::now();
    signal.emit(kind);
    CHECK(e.calls == 0);  // not inside emit()
    io.run();
    CHECK(steady::now() - before < 1s);
    CHECK(e.calls == 1);
    CHECK(e.code == net::error::operation_aborted);
    signal.emit(kind);  // nobody is there any more
    CHECK(e.calls == 1);
  }
  CHECK(l.accepted() == 0);
}

TEST_CASE("USE-09: " ASIO_KIND ": cancelled at the moment it ends, a call completes once all the same") {
  fake_dns_server dns(always("127.0.0.1"));
  listener l;
  resolver r = make_resolver(dns);
  for (int i = 0; i < 200; ++i) {
    net::io_context io;
    net::cancellation_signal signal;
    ending e;
    async_connect(r, at_port(l),
                  net::bind_cancellation_slot(signal.slot(), net::bind_executor(io.get_executor(), e.note())));
    std::this_thread::sleep_for(std::chrono::microseconds(2 * i));
    signal.emit(net::cancellation_type::terminal);
    io.run();
    REQUIRE(e.calls == 1);
    REQUIRE((e.code ? e.code == net::error::operation_aborted : e.got->socket.is_open()));
  }
}
#endif

}  // namespace lbresolve::test
