// The connections below DNS over HTTPS: limits, GOAWAY, losses, rest.
#ifdef LBRESOLVE_TEST_NGHTTP2
#include "support/doh_client.hpp"
#include "support/message_builder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string_view>

namespace lbresolve::io {
namespace {

using namespace std::chrono_literals;
using core::reply_match;
using lbresolve::transport;
using test::doh_client;
using test::http2_peer;
using test::octets;
using test::query_for;
using request = http2_peer::request;

std::size_t replies(const doh_client& c) {
  return static_cast<std::size_t>(
      std::count_if(c.user.events.begin(), c.user.events.end(), [](const auto& e) { return e.kind.has_value(); }));
}

TEST_CASE("DNS-07: the server's limit of streams is kept: what is too many waits for its turn") {
  doh_client c;
  c.settings = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1}};
  c.handler = nullptr;
  c.send(0, query_for(1));
  c.user.settle();  // now the limit is known
  for (std::uint64_t i = 1; i < 20; ++i) c.send(i, query_for(1));
  c.user.settle();
  CHECK(c.server().requests.size() == 1);
  c.handler = doh_client::answer_well;
  doh_client::answer_well(c.server(), c.server().requests[0]);
  c.server().flush();
  REQUIRE(c.user.run_until_events(20));
  CHECK(replies(c) == 20);
  CHECK(c.server().most_open == 1);
}

TEST_CASE("DNS-07: requests that cross with the limit and are refused go out again by themselves") {
  doh_client c;
  c.settings = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1}};
  for (std::uint64_t i = 0; i < 20; ++i) c.send(i, query_for(1));
  REQUIRE(c.user.run_until_events(20));
  CHECK(replies(c) == 20);
  CHECK(c.user.dialer.dials == 1);
}

TEST_CASE("DNS-07: a limit of 0 holds everything back until there is room") {
  doh_client c;
  c.settings = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0}};
  c.send(1, query_for(1));
  c.send(2, query_for(2));
  c.user.settle();
  CHECK(c.user.events.empty());
  c.user.abandon(2);
  const nghttp2_settings_entry more{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 100};
  nghttp2_submit_settings(c.server().session, NGHTTP2_FLAG_NONE, &more, 1);
  c.server().flush();
  REQUIRE(c.user.run_until_events(1));
  c.user.settle();
  CHECK(c.user.events.size() == 1);
  CHECK(c.user.events[0].kind == reply_match::reply);
}

TEST_CASE("DNS-07: a server that refuses a stream twice is not asked a third time") {
  doh_client c;
  std::size_t refused = 0;
  c.handler = [&](http2_peer& s, const request& r) {
    ++refused;
    nghttp2_submit_rst_stream(s.session, NGHTTP2_FLAG_NONE, r.stream, NGHTTP2_REFUSED_STREAM);
  };
  c.send(1, query_for(1));
  REQUIRE(c.user.run_until_events(1));
  CHECK(c.user.events[0].sentence == "it refused the HTTP/2 stream twice");
  CHECK(refused == 2);
}

TEST_CASE("DNS-07: GOAWAY: what was not looked at goes to another connection") {
  doh_client c;
  c.handler = nullptr;
  for (std::uint64_t i = 0; i < 3; ++i) c.send(i, query_for(1));
  c.user.settle();
  REQUIRE(c.server().requests.size() == 3);
  c.handler = doh_client::answer_well;
  // The first one is still answered.
  nghttp2_submit_goaway(c.server().session, NGHTTP2_FLAG_NONE, c.server().requests[0].stream, NGHTTP2_NO_ERROR, nullptr,
                        0);
  c.server().flush();
  REQUIRE(c.user.run_until_events(2));
  for (const auto& e : c.user.events) {
    CHECK(e.exchange != 0);
    CHECK(e.kind == reply_match::reply);
  }
  c.send(3, query_for(1));
  REQUIRE(c.user.run_until_events(3));
  CHECK(c.user.events[2].exchange == 3);
  CHECK(c.user.dialer.dials == 2);
  CHECK_FALSE(c.user.dialer.peers[0]->is_closed);
  doh_client::answer_well(c.server(), c.server().requests[0]);
  c.server().flush();
  REQUIRE(c.user.run_until_events(4));
  CHECK(c.user.events[3].exchange == 0);
  CHECK(c.user.events[3].kind == reply_match::reply);
  c.user.settle();
  CHECK(c.user.dialer.peers[0]->is_closed);
  CHECK_FALSE(c.user.dialer.peers[1]->is_closed);
}

TEST_CASE("DNS-07: GOAWAY before anything was looked at: what was asked may be asked again at once, by who asked") {
  doh_client c;
  c.handler = nullptr;
  for (std::uint64_t i = 0; i < 3; ++i) c.send(i, query_for(1));
  c.user.settle();
  nghttp2_submit_goaway(c.server().session, NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, nullptr, 0);
  c.server().flush();
  REQUIRE(c.user.run_until_events(3));
  for (const auto& e : c.user.events) CHECK(e.code == std::errc::connection_aborted);
  CHECK(c.user.dialer.dials == 1);
}

TEST_CASE("DNS-07: GOAWAY while requests wait for their turn: they go to another connection") {
  doh_client c;
  c.settings = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1}};
  c.handler = nullptr;
  c.send(0, query_for(1));
  c.user.settle();
  c.send(1, query_for(0x1234));
  c.user.settle();
  c.handler = doh_client::answer_well;
  nghttp2_submit_goaway(c.server().session, NGHTTP2_FLAG_NONE, c.server().requests[0].stream, NGHTTP2_NO_ERROR, nullptr,
                        0);
  c.server().flush();
  REQUIRE(c.user.run_until_events(1));
  CHECK(c.user.events[0].exchange == 1);
  CHECK(c.user.events[0].kind == reply_match::reply);
  CHECK(c.user.events[0].message == test::answer_to(query_for(0x1234), test::doh_addresses));
  CHECK(c.user.dialer.dials == 2);
}

TEST_CASE("DNS-07: a server that tires of a connection after each answer costs no query") {
  doh_client c;
  c.handler = [](http2_peer& s, const request& r) {
    doh_client::answer_well(s, r);
    nghttp2_submit_goaway(s.session, NGHTTP2_FLAG_NONE, r.stream, NGHTTP2_NO_ERROR, nullptr, 0);
  };
  for (std::uint64_t i = 0; i < 5; ++i) {
    c.send(i, query_for(1));
    REQUIRE(c.user.run_until_events(i + 1));
    CHECK(c.user.events.back().kind == reply_match::reply);
    c.user.settle();
  }
  CHECK(c.user.dialer.dials == 5);
}

TEST_CASE("DNS-03: a connection that is closed in the middle of a response: asking again is fair if it had answered") {
  doh_client c;
  c.handler = [](http2_peer& s, const request& r) {
    s.respond(r.stream, test::good_head({{"content-length", "500"}}), octets(1, 0));
    s.flush();
    s.stream->close();
  };
  SUBCASE("it had not") {
    c.send(1, query_for(1));
    REQUIRE(c.user.run_until_events(1));
    CHECK(c.user.events[0].kind == std::nullopt);
  }
  SUBCASE("it had") {
    c.handler = doh_client::answer_well;
    c.send(1, query_for(1));
    REQUIRE(c.user.run_until_events(1));
    c.handler = [](http2_peer& s, const request&) { s.stream->close(); };
    c.send(2, query_for(2));
    REQUIRE(c.user.run_until_events(2));
    CHECK(c.user.events[1].code == std::errc::connection_aborted);
    c.handler = doh_client::answer_well;
    c.send(3, query_for(3));
    REQUIRE(c.user.run_until_events(3));
    CHECK(c.user.events[2].kind == reply_match::reply);
  }
}

TEST_CASE("DNS-03: a fresh connection that is closed unanswered is a reset") {
  doh_client c;
  c.handler = [](http2_peer& s, const request&) { s.stream->close(); };
  c.send(1, query_for(1));
  REQUIRE(c.user.run_until_events(1));
  CHECK(c.user.events[0].code == std::errc::connection_reset);
  CHECK(c.user.events[0].sentence == "it closed the connection before it answered");
}

TEST_CASE("server push is switched off, and a server that pushes all the same has broken a rule") {
  doh_client c;
  c.handler = nullptr;
  c.send(1, query_for(1));
  c.user.settle();
  CHECK(c.server().client_setting(NGHTTP2_SETTINGS_ENABLE_PUSH) == 0);
  CHECK(c.server().client_setting(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE) == 16'384);
  // PUSH_PROMISE on stream 1, of stream 2, with one field (":method: GET", index 2): nghttp2 would not send it.
  c.server().stream->send(octets{0, 0, 5, 5, 4, 0, 0, 0, 1, 0, 0, 0, 2, 0x82});
  REQUIRE(c.user.run_until_events(1));
  CHECK(c.user.events[0].code == std::errc::protocol_error);
  CHECK(c.user.events[0].sentence.find("broke the rules of HTTP/2") != std::string::npos);
  CHECK(c.user.dialer.peers[0]->is_closed);
}

TEST_CASE("what is not HTTP/2 at all is an error that says so") {
  doh_client c;
  c.user.dialer.on_accept = nullptr;
  c.send(1, query_for(1));
  c.user.settle();
  constexpr std::string_view page = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
  c.user.dialer.peers.at(0)->send(octets(page.begin(), page.end()));
  REQUIRE(c.user.run_until_events(1));
  CHECK(c.user.events[0].code == std::errc::protocol_error);
}

TEST_CASE("a server that did not agree on h2 is not spoken to") {
  doh_client c;
  c.user.dialer.protocol = "http/1.1";
  c.user.dialer.on_accept = nullptr;
  c.send(1, query_for(1));
  REQUIRE(c.user.run_until_events(1));
  CHECK(c.user.events[0].code == std::errc::protocol_not_supported);
  CHECK(c.user.dialer.peers.at(0)->received.empty());
}

TEST_CASE("a PING is answered") {
  doh_client c;
  c.send(1, query_for(1));
  c.user.settle();
  nghttp2_submit_ping(c.server().session, NGHTTP2_FLAG_NONE, nullptr);
  c.server().flush();
  c.user.settle();
  CHECK(c.server().pongs == 1);
}

TEST_CASE("an abandoned exchange is cancelled at the server, and its answer is nobody's") {
  doh_client c;
  c.handler = nullptr;
  c.send(1, query_for(1));
  c.send(2, query_for(2));
  c.user.settle();
  c.user.abandon(1);
  c.user.settle();
  CHECK(c.server().resets.size() == 1);
  CHECK(c.server().resets.begin()->second == NGHTTP2_CANCEL);
  doh_client::answer_well(c.server(), c.server().requests[1]);
  c.server().flush();
  REQUIRE(c.user.run_until_events(1));
  CHECK(c.user.events[0].exchange == 2);
}

TEST_CASE("DNS-03: a response is acknowledged at once while another one is waited for") {
  doh_client c;
  c.handler = nullptr;
  c.send(1, query_for(1));
  c.send(2, query_for(2));
  c.user.settle();
  const test::memory_peer& peer = *c.user.dialer.peers[0];
  const std::size_t before = peer.acknowledged;
  doh_client::answer_well(c.server(), c.server().requests[0]);
  c.server().flush();
  c.user.settle();
  CHECK(c.user.events.size() == 1);
  CHECK(peer.acknowledged > before);
}

TEST_CASE("an idle connection is closed after its time, one that went silent at once") {
  doh_client c(false, 20ms, 0s);
  SUBCASE("idle") {
    c.send(1, query_for(1));
    REQUIRE(c.user.run_until_events(1));
    CHECK(c.user.run_until([&] { return c.user.dialer.peers[0]->is_closed; }));
  }
  SUBCASE("silent") {
    c.user.dialer.on_accept = nullptr;
    c.send(1, query_for(1));
    c.user.settle();
    c.user.abandon(1);
    CHECK(c.user.dialer.peers.at(0)->is_closed);
  }
  c.send(2, query_for(2));
  c.user.settle();
  CHECK(c.user.dialer.dials == 2);
}

TEST_CASE("why no connection could be made is told for DNS over HTTPS too") {
  doh_client c;
  c.user.dialer.fails = error(make_error_code(std::errc::permission_denied), "its certificate has expired");
  c.send(1, query_for(1));
  REQUIRE(c.user.run_until_events(1));
  CHECK(c.user.events[0].code == std::errc::permission_denied);
  CHECK(c.user.events[0].sentence == "its certificate has expired");
  c.send(2, query_for(2));
  REQUIRE(c.user.run_until_events(2));
  CHECK(c.user.events[1].kind == reply_match::reply);
}

TEST_CASE("SEC-08: nothing but HTTPS is sent over it, and nothing that is no query") {
  doh_client c;
  c.user.send(1, transport::udp, query_for(1));
  c.send(2, octets(11, 0));
  c.send(3, octets(65'536, 0));
  REQUIRE(c.user.run_until_events(3));
  CHECK(c.user.events[0].code == std::errc::operation_not_supported);
  CHECK(c.user.events[1].code == std::errc::invalid_argument);
  CHECK(c.user.dialer.dials == 0);
}

}  // namespace
}  // namespace lbresolve::io
#endif
