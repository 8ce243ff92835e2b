#include "io/do53.hpp"

#include "io/clock.hpp"
#include "io/system_random.hpp"
#include "support/chi_square.hpp"
#include "support/fake_dns_server.hpp"
#include "support/test_random.hpp"

#include <doctest/doctest.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LBRESOLVE_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define LBRESOLVE_TEST_SANITIZED 1
#endif
#endif

namespace lbresolve::io {
namespace {

using namespace std::chrono_literals;
using core::reply_match;
using lbresolve::transport;
using test::answer_to;
using test::fake_dns_server;
using bytes = std::vector<std::uint8_t>;
using replies = std::vector<fake_dns_server::reply>;
using request = fake_dns_server::request;

const std::vector<address> one_address{address::v4({192, 0, 2, 1})};

struct event {
  std::uint64_t exchange = 0;
  std::optional<reply_match> kind;
  bytes message;
  std::error_code code;
};

/// A do53 on a loop, and what it told.
struct client final : transport_events {
  explicit client(const endpoint& server) { open(server); }

  void open(const endpoint& server) { channel = std::make_unique<do53>(*loop, random, server, *this); }

  void on_reply(std::uint64_t exchange, reply_match kind, std::span<const std::uint8_t> message) override {
    CHECK_FALSE(busy);
    events.push_back({exchange, kind, bytes(message.begin(), message.end()), {}});
    if (then) then(events.back());
  }
  void on_error(std::uint64_t exchange, const error& why) override {
    CHECK_FALSE(busy);
    events.push_back({exchange, std::nullopt, {}, why.code()});
    if (then) then(events.back());
  }

  void send(std::uint64_t exchange, const bytes& query, transport over = transport::udp) {
    busy = true;  // no event may come inside send()
    channel->send(exchange, over, query);
    busy = false;
  }
  void abandon(std::uint64_t exchange) {
    const bool was = std::exchange(busy, true);
    channel->abandon(exchange);
    busy = was;
  }

  bool run_until(const std::function<bool()>& done, core::duration limit = 10s) {
    const auto deadline = now() + limit;
    while (!done()) {
      if (now() >= deadline) return false;
      loop->run_once(10ms);
    }
    return true;
  }
  bool run_until_events(std::size_t count, core::duration limit = 10s) {
    return run_until([&] { return events.size() >= count; }, limit);
  }
  void run_for(core::duration time) {
    run_until([] { return false; }, time);
  }

  std::unique_ptr<event_loop> loop = event_loop::create().value();
  system_random random;
  std::deque<event> events;
  std::function<void(event&)> then;
  bool busy = false;
  std::unique_ptr<do53> channel;
};

bytes make_query(std::uint16_t id, const std::string& name = "www.example.com", core::rr_type type = core::rr_type::a) {
  test::test_random random(id + 1U);
  core::query_settings settings;
  settings.randomize_case = true;
  return core::make_query(id, {core::name::from_text(name).value(), type}, settings, random);
}

std::uint16_t id_of(const bytes& message) { return static_cast<std::uint16_t>(message.at(0) << 8 | message.at(1)); }

replies answer(const request& r) { return {{.bytes = answer_to(r.query, one_address)}}; }
replies nothing(const request&) { return {}; }

std::size_t descriptor_count() {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator()));
}

/// A port on loopback where nobody listens.
endpoint dead_end() {
  const fake_dns_server gone(nothing);
  return gone.where();
}

bytes with_bad_address_record(const bytes& query) {
  bytes out = answer_to(query, one_address);
  out[out.size() - 5] = 3;  // RDLENGTH of an A record
  out.pop_back();
  return out;
}

// ------------------------------------------------------------------------------------------ the plain way

TEST_CASE("a query is sent as given and its reply comes back whole, over UDP and TCP, IPv4 and IPv6") {
  for (const bool ipv6 : {false, true}) {
    fake_dns_server server(answer, ipv6);
    client c(server.where());
    const auto query = make_query(0xABCD);
    c.send(7, query);
    REQUIRE(c.run_until_events(1));
    c.send(8, query, transport::tcp);
    REQUIRE(c.run_until_events(2));
    for (const auto& e : c.events) {
      CHECK(e.kind == reply_match::reply);
      CHECK(e.message == answer_to(query, one_address));
    }
    CHECK(c.events[0].exchange == 7);
    CHECK(c.events[1].exchange == 8);
    const auto seen = server.requests();
    CHECK(seen.at(0).query == query);
    CHECK_FALSE(seen.at(0).tcp);
    CHECK(seen.at(1).tcp);
    CHECK(bytes(seen.at(1).query.begin() + 2, seen.at(1).query.end()) == bytes(query.begin() + 2, query.end()));
    CHECK(c.channel->open_exchanges() == 0);
    CHECK(c.channel->discarded() == 0);
  }
}

TEST_CASE("DNS-01: TC over UDP is reported as it is, and the same query over TCP brings everything") {
  const std::vector<address> many(200, address::v4({192, 0, 2, 7}));
  fake_dns_server server([&](const request& r) -> replies {
    if (r.tcp) return {{.bytes = answer_to(r.query, many)}};
    return {{.bytes = answer_to(r.query, {}, 0, true)}};
  });
  client c(server.where());
  const auto query = make_query(1);
  c.send(1, query);
  REQUIRE(c.run_until_events(1));
  CHECK(c.events[0].kind == reply_match::reply);
  CHECK((c.events[0].message.at(2) & 0x02) != 0);
  c.send(1, query, transport::tcp);
  REQUIRE(c.run_until_events(2));
  CHECK(c.events[1].kind == reply_match::reply);
  CHECK(c.events[1].message.size() > 3200);
  CHECK(server.request_count() == 2);  // nobody but us resends
}

TEST_CASE("UDP replies over 512 octets, and RCODEs of every kind, come back untouched") {
  std::atomic<std::uint8_t> rcode{0};
  const std::vector<address> many(100, address::v4({192, 0, 2, 7}));
  fake_dns_server server([&](const request& r) -> replies { return {{.bytes = answer_to(r.query, many, rcode)}}; });
  client c(server.where());
  for (std::uint8_t wanted = 0; wanted < 16; ++wanted) {
    rcode = wanted;
    const auto query = make_query(wanted);
    c.send(wanted, query);
    REQUIRE(c.run_until_events(wanted + 1U));
    CHECK(c.events.back().kind == reply_match::reply);
    CHECK(c.events.back().message == answer_to(query, many, wanted));
  }
  CHECK(server.request_count() == 16);
}

TEST_CASE("a query over 512 octets goes out over UDP") {
  fake_dns_server server(answer);
  client c(server.where());
  auto query = make_query(1);
  query.resize(query.size() + 600);  // more OPT data
  query[query.size() - 600 - 2] = 600 >> 8;
  query[query.size() - 600 - 1] = 600 & 0xFF;
  query[query.size() - 600 + 2] = 596 >> 8;
  query[query.size() - 600 + 3] = 596 & 0xFF;
  c.send(1, query);
  REQUIRE(c.run_until_events(1));
  CHECK(c.events[0].kind == reply_match::reply);
  CHECK(server.requests().at(0).query == query);
  CHECK_FALSE(server.requests().at(0).tcp);
}

// ------------------------------------------------------------------------------------------ hostile replies

TEST_CASE("SEC-06: what is not the answer is discarded, and the true answer 50 ms later is accepted") {
  struct forgery {
    const char* what;
    std::function<bytes(const bytes& query)> make;
  };
  const std::vector<forgery> forgeries{
      {"wrong ID",
       [](const bytes& q) {
         auto r = answer_to(q, one_address);
         r[1] ^= 1;
         return r;
       }},
      {"wrong question",
       [](const bytes& q) {
         auto r = answer_to(q, one_address);
         r[13] = r[13] == 'x' ? 'y' : 'x';
         return r;
       }},
      {"wrong type",
       [](const bytes& q) {
         auto r = answer_to(q);
         r[r.size() - 3] ^= 0x1D;
         return r;
       }},
      {"QR=0",
       [](const bytes& q) {
         auto r = answer_to(q, one_address);
         r[2] &= 0x7F;
         return r;
       }},
      {"our own query", [](const bytes& q) { return q; }},
      {"garbage",
       [](const bytes&) { return bytes{0xDE, 0xAD, 0xBE, 0xEF, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13}; }},
      {"empty datagram", [](const bytes&) { return bytes{}; }},
      {"one octet", [](const bytes& q) { return bytes{q[0]}; }},
      {"header-only NOERROR",
       [](const bytes& q) {
         auto r = answer_to(q);
         r.resize(12);
         r[5] = 0;
         return r;
       }},
      {"wrong opcode",
       [](const bytes& q) {
         auto r = answer_to(q, one_address);
         r[2] |= 0x20;
         return r;
       }},
  };
  for (const auto& f : forgeries) {
    CAPTURE(f.what);
    fake_dns_server server([&](const request& r) -> replies {
      return {{.bytes = f.make(r.query)},
              {.bytes = f.make(r.query), .after = 10ms},
              {.bytes = answer_to(r.query, one_address), .after = 50ms}};
    });
    client c(server.where());
    const auto query = make_query(0x4242);
    const auto start = now();
    c.send(1, query);
    REQUIRE(c.run_until_events(1));
    CHECK(now() - start >= 50ms);
    CHECK(c.events[0].kind == reply_match::reply);
    CHECK(c.events[0].message == answer_to(query, one_address));
    CHECK(c.channel->discarded() == 2);
    c.run_for(20ms);
    CHECK(c.events.size() == 1);
  }
}

TEST_CASE("SEC-06: an answer right behind a forgery is found, when both had come before anyone looked") {
  fake_dns_server server([](const request& r) -> replies {
    auto forged = answer_to(r.query, one_address);
    forged[1] ^= 1;
    return {{.bytes = forged}, {.bytes = forged}, {.bytes = answer_to(r.query, one_address)}};
  });
  client c(server.where());
  c.send(1, make_query(1));
  std::this_thread::sleep_for(50ms);
  REQUIRE(c.run_until_events(1));
  CHECK(c.events[0].kind == reply_match::reply);
  CHECK(c.channel->discarded() == 2);
}

TEST_CASE("SEC-06: one malformed reply is told of its own query, and the 99 others in flight go on") {
  // c-ares 1.34 fails all of them when its parser dislikes one.
  for (const auto over : {transport::udp, transport::tcp}) {
    fake_dns_server server([](const request& r) -> replies {
      if (r.query.at(13) == 'b') return {{.bytes = with_bad_address_record(r.query)}};
      return {{.bytes = answer_to(r.query, one_address), .after = 30ms}};
    });
    client c(server.where());
    for (std::uint16_t i = 0; i < 100; ++i) {
      test::test_random random(i);
      core::query_settings settings;
      const auto name = core::name::from_text(i == 50 ? "bad.example" : "good.example").value();
      c.send(i, core::make_query(i, {name, core::rr_type::a}, settings, random), over);
    }
    REQUIRE(c.run_until_events(100));
    for (const auto& e : c.events) {
      CHECK(e.kind == (e.exchange == 50 ? reply_match::malformed : reply_match::reply));
    }
  }
}

TEST_CASE("a header-only FORMERR is reported as a refusal, at once, and nothing is resent") {
  for (const auto over : {transport::udp, transport::tcp}) {
    fake_dns_server server([](const request& r) -> replies {
      auto out = answer_to(r.query, {}, 1);
      out.resize(12);
      out[5] = 0;
      return {{.bytes = out}};
    });
    client c(server.where());
    c.send(1, make_query(1), over);
    REQUIRE(c.run_until_events(1));
    CHECK(c.events[0].kind == reply_match::refusal);
    c.run_for(30ms);
    CHECK(server.request_count() == 1);
  }
}

TEST_CASE("a reply in other letter case is told once and leaves the exchange open for the true one") {
  for (const auto over : {transport::udp, transport::tcp}) {
    fake_dns_server server([](const request& r) -> replies {
      auto folded = r.query;
      for (std::size_t i = 13; i < 16; ++i) folded[i] ^= 0x20;
      return {{.bytes = answer_to(folded, one_address)},
              {.bytes = answer_to(folded, one_address), .after = 5ms},
              {.bytes = answer_to(r.query, one_address), .after = 20ms}};
    });
    client c(server.where());
    c.send(1, make_query(1), over);
    REQUIRE(c.run_until_events(2));
    CHECK(c.events[0].kind == reply_match::other_case);
    CHECK(c.events[1].kind == reply_match::reply);
    CHECK(c.channel->discarded() == 1);
  }
}

TEST_CASE("over TCP too, messages that answer nothing are discarded and the connection lives on") {
  fake_dns_server server([](const request& r) -> replies {
    auto question = r.query;
    auto other = answer_to(r.query, one_address);
    other[1] ^= 1;
    return {{.bytes = question},
            {.bytes = other},
            {.bytes = {}},
            {.bytes = {1}},
            {.bytes = bytes(60'000, 0x55)},
            {.bytes = answer_to(r.query, one_address), .after = 20ms}};
  });
  client c(server.where());
  c.send(1, make_query(1), transport::tcp);
  c.send(2, make_query(2), transport::tcp);
  REQUIRE(c.run_until_events(2));
  CHECK(c.events[0].kind == reply_match::reply);
  CHECK(c.events[1].kind == reply_match::reply);
  CHECK(server.connection_count() == 1);
  CHECK(c.channel->discarded() == 10);
}

// ------------------------------------------------------------------------------------------ ports and IDs

TEST_CASE("SEC-07: 200 concurrent queries leave from 200 ports") {
  fake_dns_server server(
      [](const request& r) -> replies { return {{.bytes = answer_to(r.query, one_address), .after = 200ms}}; });
  client c(server.where());
  for (std::uint16_t i = 0; i < 200; ++i) c.send(i, make_query(i));
  CHECK(c.channel->open_exchanges() == 200);
  REQUIRE(c.run_until_events(200));
  std::set<std::uint16_t> ports;
  for (const auto& r : server.requests()) ports.insert(r.source_port);
  CHECK(ports.size() == 200);
  for (const auto& e : c.events) CHECK(e.kind == reply_match::reply);
}

TEST_CASE("SEC-07: the ports of 100,000 queries are uniform by chi-square, and so are their steps") {
  unsigned low = 0;
  unsigned high = 0;
  std::ifstream("/proc/sys/net/ipv4/ip_local_port_range") >> low >> high;
  REQUIRE(high > low + 10'000);
  fake_dns_server server(answer);
  client c(server.where());
  constexpr std::size_t total = 100'000;
  constexpr std::size_t window = 32;
  const auto query = make_query(9);
  std::size_t sent = 0;
  std::size_t replied = 0;
  c.then = [&](event& e) {
    CHECK(e.kind == reply_match::reply);
    c.events.clear();
    ++replied;
    if (sent < total) c.send(sent++, query);
  };
  while (sent < window) c.send(sent++, query);
  REQUIRE(c.run_until([&] { return replied == total; }, 120s));

  constexpr std::size_t width = 32;
  const std::size_t span = high - low + 1;
  std::vector<std::size_t> cells(span / width);
  std::vector<std::size_t> steps(span / width);
  std::size_t last = 0;
  for (const auto& r : server.requests()) {
    REQUIRE(r.source_port >= low);
    REQUIRE(r.source_port <= high);
    const std::size_t at = r.source_port - low;
    if (at / width < cells.size()) ++cells[at / width];
    const std::size_t step = (at + span - last) % span;
    if (step / width < steps.size()) ++steps[step / width];
    last = at;
  }
  CHECK(test::uniform_p(cells) > 1e-6);
  CHECK(test::uniform_p(steps) > 1e-6);
}

// ------------------------------------------------------------------------------------------ TCP

TEST_CASE("DNS-03: queries are pipelined on one connection with unique IDs, and replies match out of order") {
  constexpr std::size_t count = 200;
  std::vector<request> waiting;
  fake_dns_server server([&](const request& r) -> replies {
    waiting.push_back(r);
    if (waiting.size() < count) return {};
    replies out;  // the last first
    for (auto w = waiting.rbegin(); w != waiting.rend(); ++w) {
      out.push_back({.bytes = answer_to(w->query, one_address)});
    }
    return out;
  });
  client c(server.where());
  std::vector<bytes> queries;
  for (std::uint16_t i = 0; i < count; ++i) {
    queries.push_back(make_query(0x7777, "host" + std::to_string(i) + ".example.com"));  // the same ID for all
    c.send(i, queries.back(), transport::tcp);
  }
  REQUIRE(c.run_until_events(count));
  CHECK(server.connection_count() == 1);
  std::set<std::uint16_t> ids;
  for (const auto& r : server.requests()) ids.insert(id_of(r.query));
  CHECK(ids.size() == count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto& e = c.events[i];
    CHECK(e.exchange == count - 1 - i);
    CHECK(e.kind == reply_match::reply);
    CHECK(e.message == answer_to(queries[e.exchange], one_address));  // with the ID as given
  }
}

TEST_CASE("DNS-03: a connection that closed after an answer says so, and the next query opens another") {
  fake_dns_server server([](const request& r) -> replies {
    if (r.query.at(13) == 'k') return {{.bytes = answer_to(r.query, one_address)}};
    return {{.bytes = {}, .then_close = true, .framed = false}};
  });
  client c(server.where());
  c.send(1, make_query(1, "1"), transport::tcp);
  REQUIRE(c.run_until_events(1));
  CHECK(c.events[0].code == std::errc::connection_reset);  // nothing had ever come over it

  const auto keep =
      core::make_query(2, {core::name::from_text("keep").value(), core::rr_type::a}, core::query_settings{}, c.random);
  c.send(2, keep, transport::tcp);
  REQUIRE(c.run_until_events(2));
  CHECK(c.events[1].kind == reply_match::reply);
  c.send(3, make_query(3, "3"), transport::tcp);
  c.send(4, make_query(4, "4"), transport::tcp);
  REQUIRE(c.run_until_events(4));
  CHECK(c.events[2].code == std::errc::connection_aborted);  // a used one: asking again is fair
  CHECK(c.events[3].code == std::errc::connection_aborted);
  CHECK(c.events[2].exchange == 3);
  CHECK(c.events[3].exchange == 4);
  c.send(5, keep, transport::tcp);
  REQUIRE(c.run_until_events(5));
  CHECK(c.events[4].kind == reply_match::reply);
  CHECK(server.connection_count() == 3);
}

TEST_CASE("DNS-03: an idle connection that the server closed is opened again") {
  fake_dns_server server(
      [](const request& r) -> replies { return {{.bytes = answer_to(r.query, one_address), .then_close = true}}; });
  client c(server.where());
  for (std::uint16_t i = 0; i < 5; ++i) {
    c.send(i, make_query(i), transport::tcp);
    REQUIRE(c.run_until_events(i + 1U));
    CHECK(c.events.back().kind == reply_match::reply);
    c.run_for(20ms);
    CHECK(c.events.size() == i + 1U);
  }
  CHECK(server.connection_count() == 5);
}

TEST_CASE("DNS-04: a query that is never answered on a busy connection can be abandoned, and the rest goes on") {
  fake_dns_server server([](const request& r) -> replies {
    if (r.query.at(13) == 'm') return {};
    return answer(r);
  });
  client c(server.where());
  core::query_settings settings;
  const auto mute = core::make_query(1, {core::name::from_text("mute").value(), core::rr_type::a}, settings, c.random);
  c.send(1000, mute, transport::tcp);
  for (std::uint16_t i = 0; i < 100; ++i) {
    c.send(i, make_query(i, "example.com"), transport::tcp);
    if (i == 50) {
      REQUIRE(c.run_until_events(51));
      c.abandon(1000);
    }
  }
  REQUIRE(c.run_until_events(100));
  CHECK(server.connection_count() == 1);
  CHECK(c.channel->open_exchanges() == 0);
}

TEST_CASE("TCP replies are put together from single octets and taken apart from one segment, up to 65,535 octets") {
  std::vector<address> most(4092, address::v4({192, 0, 2, 7}));
  fake_dns_server server([&](const request& r) -> replies {
    bytes stream = answer_to(r.query, most);
    const auto size = stream.size();
    stream.insert(stream.begin(), {static_cast<std::uint8_t>(size >> 8), static_cast<std::uint8_t>(size & 0xFF)});
    if (r.query.at(13) == 's') {  // slowly
      replies out;
      for (std::size_t i = 0; i < 20; ++i) {
        out.push_back({.bytes = {stream[i]}, .after = std::chrono::milliseconds(i), .framed = false});
      }
      out.push_back({.bytes = bytes(stream.begin() + 20, stream.end()), .after = 21ms, .framed = false});
      return out;
    }
    auto twice = stream;  // a second copy: nobody waits for that one
    twice.insert(twice.end(), stream.begin(), stream.end());
    return {{.bytes = twice, .framed = false}};
  });
  client c(server.where());
  core::query_settings settings;
  for (const char* name : {"slow.example", "fast.example"}) {
    const auto query = core::make_query(1, {core::name::from_text(name).value(), core::rr_type::a}, settings, c.random);
    c.events.clear();
    c.send(1, query, transport::tcp);
    REQUIRE(c.run_until_events(1));
    CHECK(c.events[0].kind == reply_match::reply);
    CHECK(c.events[0].message == answer_to(query, most));
    CHECK(c.events[0].message.size() > 65'400);
  }
  CHECK(c.run_until([&] { return c.channel->discarded() == 1; }));
}

// ------------------------------------------------------------------------------------------ failures

TEST_CASE("a port where nobody listens is an error at once, over UDP and TCP") {
  for (const auto over : {transport::udp, transport::tcp}) {
    client c(dead_end());
    const auto start = now();
    for (std::uint16_t i = 0; i < 20; ++i) c.send(i, make_query(i), over);
    REQUIRE(c.run_until_events(20));
    CHECK(now() - start < 1s);
    for (const auto& e : c.events) CHECK(e.code == std::errc::connection_refused);
    CHECK(c.channel->open_exchanges() == 0);
  }
}

TEST_CASE("an address with no route, a transport that is not ours and a query that is none are errors") {
  client c({address::parse("fe80::1%999999").value(), 53});  // no such interface
  c.send(1, make_query(1), transport::udp);
  c.send(2, make_query(2), transport::tcp);
  c.send(3, make_query(3), transport::tls);
  c.send(4, bytes(5), transport::udp);
  c.send(5, bytes(5), transport::tcp);
  c.send(6, make_query(6), transport::udp);
  CHECK(c.events.empty());
  c.abandon(6);  // also what has failed and was not told yet
  REQUIRE(c.run_until_events(5));
  c.run_for(20ms);
  REQUIRE(c.events.size() == 5);
  CHECK(c.events[0].code != std::error_code{});
  CHECK(c.events[1].code != std::error_code{});
  CHECK(c.events[2].code == std::errc::operation_not_supported);
  CHECK(c.events[3].code == std::errc::invalid_argument);
  CHECK(c.events[4].code == std::errc::invalid_argument);
}

TEST_CASE("a failing query takes no other with it") {
  // c-ares 1.18.1 and 1.34 fail every query on a server when a socket call fails for one.
  fake_dns_server server(
      [](const request& r) -> replies { return {{.bytes = answer_to(r.query, one_address), .after = 50ms}}; });
  client c(server.where());
  c.send(1, make_query(1));
  auto too_long = make_query(2);
  too_long.resize(70'000);  // no datagram is as long as that
  c.send(2, too_long);
  c.send(3, make_query(3));
  REQUIRE(c.run_until_events(3));
  CHECK(c.events[0].exchange == 2);
  CHECK(c.events[0].code == std::errc::message_size);
  CHECK(c.events[1].kind == reply_match::reply);
  CHECK(c.events[2].kind == reply_match::reply);
}

TEST_CASE("a shortage of descriptors fails the query that meets it, with its own errno, and no other") {
  fake_dns_server server(
      [](const request& r) -> replies { return {{.bytes = answer_to(r.query, one_address), .after = 50ms}}; });
  client c(server.where());
  c.send(1, make_query(1));
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const rlimit none{3, limit.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  c.send(2, make_query(2));
  c.send(3, make_query(3), transport::tcp);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  c.send(4, make_query(4), transport::tcp);
  REQUIRE(c.run_until_events(4));
  for (const auto& e : c.events) {
    if (e.exchange == 2 || e.exchange == 3) {
      CHECK(e.code == std::errc::too_many_files_open);
    } else {
      CHECK(e.kind == reply_match::reply);
    }
  }
}

TEST_CASE("more open exchanges than are sane are refused, and the others are answered") {
  fake_dns_server server(answer);
  server.only_count();
  client c(server.where());
  std::size_t refused = 0;
  std::size_t answered = 0;
  c.then = [&](event& e) {
    refused += e.code == std::errc::no_buffer_space ? 1U : 0U;
    answered += e.kind == reply_match::reply ? 1U : 0U;
  };
  const auto query = make_query(1);
  constexpr std::size_t limit = 16'384;  // over TCP, where an exchange costs no descriptor
  for (std::uint64_t i = 0; i < limit + 100; ++i) c.send(i, query, transport::tcp);
  REQUIRE(c.run_until([&] { return refused + answered == limit + 100; }, 60s));
  CHECK(refused == 100);
  CHECK(server.connection_count() == 1);
}

TEST_CASE("a slow answer after many fast ones is waited for") {
  // c-ares 1.34 would time out after 5 times the mean, at least 250 ms.
  fake_dns_server server([](const request& r) -> replies {
    const bool slow = r.query.at(13) == 's';
    return {{.bytes = answer_to(r.query, one_address), .after = slow ? 700ms : 0ms}};
  });
  client c(server.where());
  core::query_settings settings;
  const auto slow = core::make_query(1, {core::name::from_text("slow").value(), core::rr_type::a}, settings, c.random);
  std::size_t fast = 0;
  c.then = [&](event& e) {
    CHECK(e.kind == reply_match::reply);
    fast += e.exchange < 1000 ? 1U : 0U;
  };
  c.send(1000, slow, transport::udp);
  c.send(1001, slow, transport::tcp);
  for (std::uint16_t i = 0; i < 80; ++i) {
    c.send(i, make_query(i, "f.example"), i % 2 == 0 ? transport::udp : transport::tcp);
    REQUIRE(c.run_until([&] { return fast > i; }));
    c.run_for(10ms);
  }
  REQUIRE(c.run_until_events(82));
  CHECK(server.request_count() == 82);
}

TEST_CASE("a TCP connection without a query is closed after its idle time, and opened again when needed") {
  fake_dns_server server(answer);
  client c(server.where());
  c.channel = std::make_unique<do53>(*c.loop, c.random, server.where(), c, do53::settings{.tcp_idle_time = 500ms});
  const auto before = descriptor_count();
  for (std::uint16_t i = 0; i < 3; ++i) {
    c.send(i, make_query(i), transport::tcp);
    REQUIRE(c.run_until_events(i + 1U));
    c.run_for(5ms);
    CHECK(server.connection_count() == 1);
  }
  CHECK(descriptor_count() == before + 2);  // both ends
  CHECK(c.run_until([&] { return descriptor_count() == before; }));
  c.send(3, make_query(3), transport::tcp);
  REQUIRE(c.run_until_events(4));
  CHECK(c.events.back().kind == reply_match::reply);
  CHECK(server.connection_count() == 2);
}

// ------------------------------------------------------------------------------------------ abandoning, ending

TEST_CASE("an abandoned exchange is silent, also when its reply is already there") {
  for (const auto over : {transport::udp, transport::tcp}) {
    fake_dns_server server(answer);
    client c(server.where());
    c.send(1, make_query(1), over);
    c.send(2, make_query(2), over);
    if (over == transport::tcp) c.loop->run_once(100ms);  // connected, sent
    const auto deadline = now() + 5s;
    while (over == transport::udp && server.request_count() < 2 && now() < deadline) std::this_thread::sleep_for(1ms);
    std::this_thread::sleep_for(20ms);
    c.abandon(1);
    c.abandon(1);
    c.abandon(99);
    REQUIRE(c.run_until_events(1));
    c.run_for(50ms);
    CHECK(c.events.size() == 1);
    CHECK(c.events[0].exchange == 2);
    CHECK(c.channel->open_exchanges() == 0);
  }
}

TEST_CASE("descriptors are as many as before after 10,000 queries") {
  const auto outside = descriptor_count();
  {
    fake_dns_server server(answer);
    server.only_count();
    client c(server.where());
    c.send(0, make_query(0), transport::tcp);
    REQUIRE(c.run_until_events(1));
    const auto before = descriptor_count();
    std::size_t sent = 0;
    std::size_t over = 0;
    c.then = [&](event&) {
      c.events.clear();
      ++over;
      if (sent < 10'000) {
        ++sent;
        c.send(sent, make_query(static_cast<std::uint16_t>(sent)), sent % 4 == 0 ? transport::tcp : transport::udp);
      }
    };
    for (; sent < 32; ++sent) c.send(sent, make_query(static_cast<std::uint16_t>(sent)));
    REQUIRE(c.run_until([&] { return over == 10'000; }, 60s));
    CHECK(descriptor_count() == before);
  }
  CHECK(descriptor_count() == outside);
}

TEST_CASE("an exchange abandoned before its query could go out holds the connection no longer than the others") {
  fake_dns_server server(answer);
  client c(server.where());
  c.channel = std::make_unique<do53>(*c.loop, c.random, server.where(), c, do53::settings{.tcp_idle_time = 50ms});
  const auto before = descriptor_count();
  c.send(1, make_query(1), transport::tcp);
  c.send(2, make_query(2), transport::tcp);
  c.abandon(1);
  REQUIRE(c.run_until_events(1));
  CHECK(c.events[0].exchange == 2);
  CHECK(c.run_until([&] { return c.channel->discarded() == 1; }));  // the server has answered both
  CHECK(c.run_until([&] { return descriptor_count() == before; }));
}

TEST_CASE("100,000 abandoned queries leave neither descriptors nor memory behind") {
  for (const auto over : {transport::udp, transport::tcp}) {
    CAPTURE(over);
    fake_dns_server server([](const request& r) -> replies {
      if (r.query.at(13) == 'l') return answer(r);  // "live"
      return {};
    });
    server.only_count();
    client c(server.where());
    core::query_settings settings;
    const auto live =
        core::make_query(1, {core::name::from_text("live").value(), core::rr_type::a}, settings, c.random);
    const auto dead =
        core::make_query(2, {core::name::from_text("dead").value(), core::rr_type::a}, settings, c.random);
    // A live query now and then keeps the TCP connection from being taken for dead.
    const auto run = [&](std::size_t first, std::size_t count) {
      for (std::size_t i = first; i < first + count; ++i) {
        const bool wanted = i % 1000 == 0;
        c.send(i, wanted ? live : dead, over);
        if (wanted) {
          REQUIRE(c.run_until_events(1));
          c.events.clear();
        }
        if (i % 16 == 15) c.loop->run_once(core::duration::zero());
        if (i >= first + 40) c.abandon(i - 40);
      }
      for (std::size_t i = first + count - 40; i < first + count; ++i) c.abandon(i);
      CHECK(c.channel->open_exchanges() == 0);
    };
    run(0, 3'000);
    const auto descriptors = descriptor_count();
    [[maybe_unused]] const auto used = ::mallinfo2().uordblks;
    run(3'000, 100'000);
    CHECK(descriptor_count() <= descriptors + 1);
#if !defined(LBRESOLVE_TEST_SANITIZED)
    CHECK(::mallinfo2().uordblks < used + 500'000);  // five octets each would be too many; the server's are in it
#endif
  }
}

TEST_CASE("abandoned queries that never went out leave no memory behind either") {
  // 192.0.2.1 (RFC 5737) answers nothing; the connection stays where it began. Where there is no route at all, every
  // query fails instead, and that must hold nothing either.
  client c({address::v4({192, 0, 2, 1}), 53});
  const auto query = make_query(1);
  const auto run = [&](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      c.send(2 * i, query, transport::tcp);
      c.send(2 * i + 1, query, transport::tcp);
      c.loop->run_once(core::duration::zero());
      c.abandon(2 * i);
      c.abandon(2 * i + 1);
      c.events.clear();
    }
  };
  run(100);
  const auto descriptors = descriptor_count();
  [[maybe_unused]] const auto used = ::mallinfo2().uordblks;
  run(2'000);
  CHECK(descriptor_count() <= descriptors);
#if !defined(LBRESOLVE_TEST_SANITIZED)
  CHECK(::mallinfo2().uordblks < used + 50'000);
#endif
}

TEST_CASE("part of USE-06: a forked child that keeps the descriptors does not keep the parent's loop busy") {
  fake_dns_server server([](const request& r) -> replies {
    return {{.bytes = answer_to(r.query, one_address), .after = 50ms},
            {.bytes = answer_to(r.query, one_address), .after = 60ms}};
  });
  client c(server.where());
  c.send(1, make_query(1));
  const auto child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  REQUIRE(child > 0);
  CHECK(c.run_until_events(1));
  // The second answer goes to a socket that is closed here and open there: still in the epoll set, and readable.
  c.run_for(50ms);
  const auto deadline = now() + 100ms;
  int rounds = 0;
  for (; now() < deadline; ++rounds) c.loop->run_once(20ms);
  CHECK(rounds < 20);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

// ------------------------------------------------------------------------------------------ SEC-10

/// Sends one query of each kind to a server that gives every kind of event, and does `act` in the first event of
/// `kind` (no kind: the first error).
void act_inside(std::optional<reply_match> kind, transport over, const std::function<void(client&, event&)>& act) {
  fake_dns_server server([&](const request& r) -> replies {
    auto header_only = answer_to(r.query, {}, 1);
    header_only.resize(12);
    header_only[5] = 0;
    auto folded = r.query;
    for (std::size_t i = 13; i < 16; ++i) folded[i] ^= 0x20;
    const auto whole = answer_to(r.query, one_address);
    if (!kind) return {{.bytes = {}, .then_close = true, .framed = false}};
    if (kind == reply_match::other_case) return {{.bytes = answer_to(folded, one_address)}, {.bytes = whole}};
    if (kind == reply_match::refusal) return {{.bytes = header_only}, {.bytes = whole}};
    if (kind == reply_match::malformed) return {{.bytes = with_bad_address_record(r.query)}, {.bytes = whole}};
    return {{.bytes = whole}, {.bytes = whole}};
  });
  client c(!kind && over == transport::udp ? dead_end() : server.where());
  bool acted = false;
  c.then = [&](event& e) {
    if (std::exchange(acted, true)) return;
    CHECK(e.kind == kind);
    act(c, e);
  };
  for (std::uint16_t i = 0; i < 8; ++i) c.send(i, make_query(i), over);
  REQUIRE(c.run_until([&] { return acted; }));
  c.run_for(20ms);
}

constexpr std::optional<reply_match> kinds[] = {reply_match::reply, reply_match::other_case, reply_match::refusal,
                                                reply_match::malformed, std::nullopt};

TEST_CASE("SEC-10: the channel may be destroyed inside every event, and then says nothing more") {
  for (const auto over : {transport::udp, transport::tcp}) {
    for (const auto& kind : kinds) {
      std::size_t at_end = 0;
      const auto descriptors = descriptor_count();
      act_inside(kind, over, [&](client& c, event& e) {
        const auto message = e.message;
        c.channel.reset();
        CHECK(e.message == message);
        at_end = c.events.size();
        c.then = [&](event&) { ++at_end; };
      });
      CHECK(at_end == 1);
      CHECK(descriptor_count() == descriptors);
    }
  }
}

TEST_CASE("SEC-10: the channel may be replaced inside every event, and the new one works") {
  for (const auto over : {transport::udp, transport::tcp}) {
    for (const auto& kind : kinds) {
      fake_dns_server other(answer);
      std::size_t told = 0;
      act_inside(kind, over, [&](client& c, event&) {
        c.open(other.where());
        c.channel->send(100, over, make_query(100));
        c.then = [&](event& e) {
          CHECK(e.exchange == 100);
          CHECK(e.kind == reply_match::reply);
          ++told;
        };
      });
      CHECK(told == 1);
    }
  }
}

TEST_CASE("SEC-10: every exchange, its own included, may be abandoned inside every event, and none is told after") {
  for (const auto over : {transport::udp, transport::tcp}) {
    for (const auto& kind : kinds) {
      act_inside(kind, over, [&](client& c, event&) {
        for (std::uint64_t i = 0; i < 8; ++i) c.abandon(i);
        CHECK(c.channel->open_exchanges() == 0);
        c.then = [](event&) { FAIL("told of an abandoned exchange"); };
      });
    }
  }
}

TEST_CASE("SEC-10: queries may be sent inside every event, under the same name too") {
  for (const auto over : {transport::udp, transport::tcp}) {
    for (const auto& kind : kinds) {
      act_inside(kind, over, [&](client& c, event& e) {
        c.abandon(e.exchange);  // still open after other_case
        c.channel->send(e.exchange, over, make_query(0x5555));
        c.channel->send(1000, over == transport::udp ? transport::tcp : transport::udp, make_query(0x5556));
      });
    }
  }
}

TEST_CASE("SEC-10: a channel may be destroyed with everything in flight, between any two rounds") {
  fake_dns_server server([](const request& r) -> replies {
    return {{.bytes = answer_to(r.query, one_address), .after = std::chrono::milliseconds(r.query[1] % 4)}};
  });
  for (int rounds = 0; rounds < 40; ++rounds) {
    client c(server.where());
    for (std::uint16_t i = 0; i < 8; ++i) c.send(i, make_query(i), i % 2 == 0 ? transport::udp : transport::tcp);
    for (int i = 0; i < rounds % 10; ++i) c.loop->run_once(1ms);
    c.channel.reset();
    const auto count = c.events.size();
    c.run_for(2ms);
    CHECK(c.events.size() == count);
  }
}

}  // namespace
}  // namespace lbresolve::io
