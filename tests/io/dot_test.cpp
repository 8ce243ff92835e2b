#include "io/dot.hpp"

#include "core/wire_name.hpp"
#include "support/channel_user.hpp"
#include "support/fake_dns_server.hpp"
#include "support/message_builder.hpp"

#include <doctest/doctest.h>

namespace lbresolve::io {
namespace {

using namespace std::chrono_literals;
using core::reply_match;
using lbresolve::transport;
using test::answer_to;
using test::octets;
using test::operator+;
using test::query_for;

const std::vector<address> one_address{address::v4({192, 0, 2, 1})};

octets framed(const octets& message) { return test::u16(message.size()) + message; }

std::vector<octets> unframed(const octets& written) {
  std::vector<octets> out;
  for (auto at = written.begin(); at != written.end();) {
    const auto length = static_cast<std::ptrdiff_t>(core::load_u16(&*at));
    out.emplace_back(at + 2, at + 2 + length);
    at += 2 + length;
  }
  return out;
}

octets answer(const octets& query) { return framed(answer_to(query, one_address)); }

/// A dot, and what it told.
struct client {
  explicit client(core::duration idle_time = 20s, core::duration silence_time = longest_silence) {
    user.dialer.protocol = "dot";
    user.channel = std::make_unique<dot>(*user.loop, user.random, user.dialer, core::upstream{}, user,
                                         dot::settings{.idle_time = idle_time, .silence_time = silence_time});
  }
  void send(std::uint64_t exchange, const octets& query) { user.send(exchange, transport::tls, query); }
  test::memory_peer& peer(std::size_t i = 0) { return *user.dialer.peers.at(i); }
  octets reply_to_last() { return answer(unframed(peer(user.dialer.peers.size() - 1).received).back()); }

  test::channel_user user;
};

TEST_CASE("DNS-05: the first query dials, and its answer comes back with its ID") {
  client c;
  CHECK(c.user.dialer.dials == 0);
  const auto query = query_for(0x1234);
  c.send(1, query);
  c.user.settle();
  CHECK(c.user.dialer.dials == 1);
  CHECK(c.peer().received == framed(query));
  c.peer().send(answer(query));
  REQUIRE(c.user.run_until_events(1));
  CHECK(c.user.events[0].exchange == 1);
  CHECK(c.user.events[0].kind == reply_match::reply);
  CHECK(c.user.events[0].message == answer_to(query, one_address));
}

TEST_CASE("DNS-03: queries wait for the handshake, go out in one piece, and are answered in any order") {
  client c;
  c.user.dialer.is_held = true;
  for (std::uint64_t i = 0; i < 100; ++i) c.send(i, query_for(7));
  c.user.settle();
  CHECK(c.user.dialer.dials == 1);
  c.user.dialer.release();
  c.user.settle();
  CHECK(c.peer().writes == 1);
  auto sent = unframed(c.peer().received);
  REQUIRE(sent.size() == 100);
  octets stream;
  for (auto at = sent.rbegin(); at != sent.rend(); ++at) stream = std::move(stream) + answer(*at);
  c.peer().send(stream);
  REQUIRE(c.user.run_until_events(100));
  for (std::size_t i = 0; i < 100; ++i) {
    CHECK(c.user.events[i].exchange == 99 - i);
    CHECK(core::load_u16(c.user.events[i].message.data()) == 7);
  }
}

TEST_CASE("DNS-03: what is asked while answers are told goes out in one piece after them") {
  client c;
  for (std::uint64_t i = 0; i < 10; ++i) c.send(i, query_for(static_cast<std::uint16_t>(i)));
  c.user.settle();
  const auto before = c.peer().writes;
  c.user.then = [&](test::channel_event& e) { c.send(e.exchange + 100, query_for(9)); };
  octets stream;
  for (const auto& q : unframed(c.peer().received)) stream = std::move(stream) + answer(q);
  c.peer().send(stream);
  c.user.settle();
  CHECK(c.user.events.size() == 10);
  CHECK(c.peer().writes == before + 1);
  CHECK(unframed(c.peer().received).size() == 20);
}

// A server with Nagle's algorithm holds the second reply back until the first is acknowledged.
TEST_CASE("DNS-03: an answer is acknowledged at once while another one is waited for, and only then") {
  client c;
  c.send(1, query_for(1));
  c.send(2, query_for(2));
  c.user.settle();
  const auto queries = unframed(c.peer().received);
  c.peer().send(answer(queries[0]));
  c.user.settle();
  CHECK(c.peer().acknowledged == 1);
  c.peer().send(answer(queries[1]));
  c.user.settle();
  CHECK(c.peer().acknowledged == 1);
}

TEST_CASE("DNS-03: a connection that had answered and is closed: asking again at once is fair") {
  client c;
  c.send(1, query_for(1));
  c.user.settle();
  c.peer().send(c.reply_to_last());
  c.user.settle();
  c.send(2, query_for(2));
  c.send(3, query_for(3));
  c.peer().close();
  REQUIRE(c.user.run_until_events(3));
  CHECK(c.user.events[1].exchange == 2);
  CHECK(c.user.events[1].code == std::errc::connection_aborted);
  CHECK(c.user.events[2].code == std::errc::connection_aborted);
  CHECK(c.user.events[2].sentence == "it closed the connection before it answered");

  c.send(4, query_for(4));
  c.user.settle();
  CHECK(c.user.dialer.dials == 2);
  c.peer(1).send(c.reply_to_last());
  REQUIRE(c.user.run_until_events(4));
  CHECK(c.user.events[3].exchange == 4);
}

TEST_CASE("DNS-03: a server that closes after each answer is asked the rest on other connections") {
  client c;
  for (std::uint64_t i = 0; i < 4; ++i) c.send(i, query_for(static_cast<std::uint16_t>(i + 10)));
  for (std::uint64_t i = 0; i < 4; ++i) {
    c.user.settle();
    REQUIRE(c.user.dialer.dials == i + 1);
    const auto asked = unframed(c.peer(i).received);
    CHECK(asked.size() == 4 - i);
    c.peer(i).send(answer(asked.front()));
    c.peer(i).close();
  }
  REQUIRE(c.user.run_until_events(4));
  for (std::uint64_t i = 0; i < 4; ++i) {
    CHECK(c.user.events[i].exchange == i);
    CHECK(c.user.events[i].message == answer_to(query_for(static_cast<std::uint16_t>(i + 10)), one_address));
  }
  c.user.settle();
  CHECK(c.user.dialer.dials == 4);
}

TEST_CASE("DNS-03: a fresh connection that is closed unanswered is a reset; half a reply is none") {
  client c;
  c.send(1, query_for(1));
  c.user.settle();
  auto half = c.reply_to_last();
  half.pop_back();
  c.peer().send(half);
  c.peer().close();
  REQUIRE(c.user.run_until_events(1));
  CHECK(c.user.events[0].code == std::errc::connection_reset);
}

TEST_CASE("why no connection could be made is told with its code and its sentence") {
  client c;
  c.user.dialer.fails = error(make_error_code(std::errc::permission_denied), "its certificate is for other.example");
  c.send(1, query_for(1));
  REQUIRE(c.user.run_until_events(1));
  CHECK(c.user.events[0].code == std::errc::permission_denied);
  CHECK(c.user.events[0].sentence == "its certificate is for other.example");
  c.send(2, query_for(2));
  c.user.settle();
  CHECK(c.user.dialer.dials == 2);
  CHECK(unframed(c.peer().received).size() == 1);
}

TEST_CASE("an idle connection is closed after its time, and the next query dials again") {
  client c(20ms);
  c.send(1, query_for(1));
  c.user.settle();
  c.peer().send(c.reply_to_last());
  REQUIRE(c.user.run_until_events(1));
  CHECK_FALSE(c.peer().is_closed);
  CHECK(c.user.run_until([&] { return c.peer().is_closed; }));
  c.send(2, query_for(2));
  c.user.settle();
  CHECK(c.user.dialer.dials == 2);
}

TEST_CASE("an open exchange keeps the connection for longer than its idle time") {
  client c(20ms);
  c.send(1, query_for(1));
  c.user.run_until([] { return false; }, 100ms);
  CHECK_FALSE(c.peer().is_closed);
}

TEST_CASE("RFC 7828: the server's word on how long it keeps an idle connection counts, for that connection") {
  client c(10ms);
  const auto answer_saying = [&](std::size_t units) {
    auto b = test::message_builder(1).question("www.example.com", core::rr_type::a);
    b.opt(test::u16(11) + test::u16(2) + test::u16(units));
    return framed(b.bytes());
  };
  c.send(1, query_for(1));
  c.user.settle();
  c.peer().send(answer_saying(100));
  REQUIRE(c.user.run_until_events(1));
  c.user.run_until([] { return false; }, 60ms);
  CHECK_FALSE(c.peer().is_closed);
  c.send(2, query_for(1));
  c.user.settle();
  c.peer().send(answer_saying(0));
  REQUIRE(c.user.run_until_events(2));
  CHECK(c.user.run_until([&] { return c.peer().is_closed; }, 1s));
}

TEST_CASE("DNS-04: a connection that has fallen silent is not used again, and what is open on it is asked again") {
  client c(20s, 30ms);
  c.send(1, query_for(1));
  c.user.settle();
  c.peer().send(octets{0});  // and there the server stops, in the middle of an answer
  c.user.settle();
  c.user.run_until([] { return false; }, 20ms);
  c.send(2, query_for(2));
  c.user.abandon(2);
  CHECK_FALSE(c.peer().is_closed);  // so soon a server need not say anything
  c.send(3, query_for(3));
  c.user.run_until([] { return false; }, 20ms);
  c.user.abandon(1);
  CHECK(c.peer().is_closed);
  REQUIRE(c.user.run_until_events(1));
  CHECK(c.user.events[0].exchange == 3);
  CHECK(c.user.events[0].code == std::errc::connection_aborted);
  c.send(4, query_for(4));
  c.user.settle();
  CHECK(c.user.dialer.dials == 2);
}

TEST_CASE("a server that says something now and then keeps its connection, however slow it is") {
  client c(20s, 30ms);
  for (std::uint64_t i = 0; i < 4; ++i) {
    c.send(i, query_for(1));
    c.user.settle();
    c.user.run_until([] { return false; }, 20ms);
    c.peer().send(c.reply_to_last());
    c.user.settle();
    c.user.abandon(i);
  }
  CHECK_FALSE(c.peer().is_closed);
  CHECK(c.user.dialer.dials == 1);
}

TEST_CASE("what is given up before the connection is open never goes out; the dial goes on") {
  client c;
  c.user.dialer.is_held = true;
  c.send(1, query_for(1));
  c.user.abandon(1);
  c.user.settle();
  CHECK(c.user.dialer.cancelled == 0);
  c.user.dialer.release();
  c.user.settle();
  CHECK(c.peer().received.empty());
  c.send(2, query_for(2));
  c.user.settle();
  CHECK(c.user.dialer.dials == 1);
  CHECK(c.user.events.empty());
}

TEST_CASE("SEC-08: nothing but TLS is sent over it") {
  client c;
  c.user.send(1, transport::udp, query_for(1));
  c.user.send(2, transport::tcp, query_for(1));
  REQUIRE(c.user.run_until_events(2));
  CHECK(c.user.events[0].code == std::errc::operation_not_supported);
  CHECK(c.user.dialer.dials == 0);
}

TEST_CASE("a failure is not told after its exchange was abandoned") {
  client c;
  c.send(1, octets(3, 0));
  c.user.abandon(1);
  c.user.settle();
  CHECK(c.user.events.empty());
}

TEST_CASE("SEC-10: the channel may be destroyed inside every event, and while it dials") {
  client c;
  c.user.then = [&](test::channel_event&) { c.user.channel.reset(); };
  SUBCASE("a reply, with more behind it") {
    c.send(1, query_for(1));
    c.send(2, query_for(2));
    c.user.settle();
    octets stream;
    for (const auto& q : unframed(c.peer().received)) stream = std::move(stream) + answer(q);
    c.peer().send(stream);
    c.user.settle();
    CHECK(c.user.events.size() == 1);
    CHECK(c.peer().is_closed);
  }
  SUBCASE("an error, with more behind it") {
    c.send(1, query_for(1));
    c.send(2, query_for(2));
    c.user.settle();
    c.peer().close();
    c.user.settle();
    CHECK(c.user.events.size() == 1);
  }
  SUBCASE("a dial that is under way") {
    c.user.dialer.is_held = true;
    c.send(1, query_for(1));
    c.user.channel.reset();
    CHECK(c.user.dialer.cancelled == 1);
  }
  c.user.settle();
}

TEST_CASE("SEC-10: abandoning from inside an event: no further word on it") {
  client c;
  c.send(1, query_for(1));
  c.send(2, query_for(2));
  c.user.settle();
  c.user.then = [&](test::channel_event& e) { c.user.abandon(3 - e.exchange); };
  octets stream;
  for (const auto& q : unframed(c.peer().received)) stream = std::move(stream) + answer(q);
  c.peer().send(stream);
  c.user.settle();
  CHECK(c.user.events.size() == 1);
  CHECK_FALSE(c.peer().is_closed);
}

}  // namespace
}  // namespace lbresolve::io
