// What comes back over DNS over HTTPS, and what is made of it. Its connections: doh_connection_test.cpp.
#ifdef LBRESOLVE_TEST_NGHTTP2
#include "core/doh_message.hpp"
#include "core/wire_name.hpp"
#include "support/doh_client.hpp"
#include "support/message_builder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

namespace lbresolve::io {
namespace {

using namespace std::chrono_literals;
using core::reply_match;
using lbresolve::transport;
using test::answer_to;
using test::doh_addresses;
using test::doh_client;
using test::good_head;
using test::http2_peer;
using test::octets;
using test::query_for;
using request = http2_peer::request;

octets with_id(octets message, std::uint16_t id) {
  message[0] = static_cast<std::uint8_t>(id >> 8);
  message[1] = static_cast<std::uint8_t>(id & 0xFF);
  return message;
}

/// What one query comes to, where the server answers it so.
test::channel_event outcome_of(const std::function<void(http2_peer&, const request&)>& handler) {
  doh_client c;
  c.handler = handler;
  c.send(1, query_for(0x1234));
  REQUIRE(c.user.run_until_events(1));
  c.user.settle();
  CHECK(c.user.events.size() == 1);
  return c.user.events[0];
}

test::channel_event outcome_of(const http2_peer::fields& head, const octets& content) {
  return outcome_of([&](http2_peer& s, const request& r) { s.respond(r.stream, head, content); });
}

TEST_CASE("DNS-06: POST: the query with ID 0 as content; the reply has the query's ID again") {
  doh_client c;
  const auto query = query_for(0x1234);
  c.send(1, query);
  REQUIRE(c.user.run_until_events(1));
  CHECK(c.user.events[0].kind == reply_match::reply);
  CHECK(c.user.events[0].message == answer_to(query, doh_addresses));
  REQUIRE(c.server().requests.size() == 1);
  const auto& r = c.server().requests[0];
  CHECK(r.content == with_id(query, 0));
  const std::map<std::string, std::string> expected{{":method", "POST"},
                                                    {":scheme", "https"},
                                                    {":authority", "dns.example"},
                                                    {":path", "/dns-query"},
                                                    {"accept", "application/dns-message"},
                                                    {"content-type", "application/dns-message"},
                                                    {"content-length", std::to_string(query.size())}};
  CHECK(r.fields == expected);  // no user agent, nor anything else that tells one client from another
}

TEST_CASE("DNS-06: GET: the query stands in the path, and there is no content") {
  doh_client c(true);
  const auto query = query_for(0x1234);
  c.handler = [&](http2_peer& s, const request& r) {
    s.respond(r.stream, good_head(), answer_to(with_id(query, 0), doh_addresses));
  };
  c.send(1, query);
  REQUIRE(c.user.run_until_events(1));
  CHECK(c.user.events[0].message == answer_to(query, doh_addresses));
  const auto& r = c.server().requests[0];
  CHECK(r.content.empty());
  const std::map<std::string, std::string> expected{{":method", "GET"},
                                                    {":scheme", "https"},
                                                    {":authority", "dns.example"},
                                                    {":path", core::doh_get_path("/dns-query", with_id(query, 0))},
                                                    {"accept", "application/dns-message"}};
  CHECK(r.fields == expected);
}

TEST_CASE("DNS-06: the time that an HTTP cache has kept the answer is taken off its TTLs") {
  const auto told = outcome_of([](http2_peer& s, const request& r) {
    s.respond(r.stream, good_head({{"age", "20"}}), answer_to(r.content, doh_addresses));
  });
  CHECK(core::message::parse(told.message).value().records()[0].ttl == 40);
}

TEST_CASE("DNS-03: answers come in any order, each for its own query") {
  doh_client c;
  std::vector<request> asked;
  c.handler = [&](http2_peer& s, const request& r) {
    asked.push_back(r);
    if (asked.size() < 50) return;
    for (auto at = asked.rbegin(); at != asked.rend(); ++at) {
      s.respond(at->stream, good_head(), answer_to(at->content, doh_addresses));
    }
  };
  for (std::uint16_t i = 0; i < 50; ++i) c.send(i, query_for(i, "n" + std::to_string(i) + ".example.com"));
  REQUIRE(c.user.run_until_events(50));
  std::set<std::uint64_t> seen;
  for (const auto& e : c.user.events) {
    CHECK(e.kind == reply_match::reply);
    CHECK(core::load_u16(e.message.data()) == e.exchange);
    seen.insert(e.exchange);
  }
  CHECK(seen.size() == 50);
  CHECK(c.user.dialer.dials == 1);
}

TEST_CASE("DNS-07: a redirect is refused, named, and not followed") {
  const auto told = outcome_of({{":status", "302"}, {"location", "https://elsewhere.example/"}}, {});
  CHECK(told.code == std::errc::protocol_error);
  CHECK(
      told.sentence ==
      "it answered with HTTP status 302, a redirect to \"https://elsewhere.example/\", and redirects are not followed");
}

TEST_CASE("DNS-07: other statuses than 200 are refused and named, with or without a page") {
  for (const char* status : {"204", "400", "404", "429", "500", "503"}) {
    CAPTURE(status);
    const auto told = outcome_of({{":status", status}, {"content-type", "text/html"}}, octets(200'000, 'x'));
    CHECK(told.code == std::errc::protocol_error);
    CHECK(told.sentence.find(std::string("HTTP status ") + status) != std::string::npos);
  }
}

TEST_CASE("DNS-07: the wrong content type is refused and named") {
  const auto told = outcome_of({{":status", "200"}, {"content-type", "text/html"}}, octets(100, 'x'));
  CHECK(told.code == std::errc::protocol_error);
  CHECK(told.sentence.find("the content type \"text/html\"") != std::string::npos);
}

TEST_CASE("DNS-07: 65,535 octets are an answer, one more is not") {
  const auto of_size = [](std::size_t size) {
    return outcome_of([size](http2_peer& s, const request& r) {
      auto content = answer_to(r.content, doh_addresses);
      content.resize(size);
      s.respond(r.stream, good_head(), content);
    });
  };
  CHECK(of_size(65'535).kind == reply_match::malformed);  // octets behind the message
  const auto longer = of_size(65'536);
  CHECK(longer.code == std::errc::message_size);
  CHECK(longer.sentence == "its answer is longer than 65,535 octets");
  CHECK(of_size(2'000'000).code == std::errc::message_size);
}

TEST_CASE("DNS-07: a header section without end is refused") {
  http2_peer::fields head = good_head();
  for (int i = 0; i < 40; ++i) head.emplace_back("x-" + std::to_string(i), std::string(1000, 'x'));
  CHECK(outcome_of(head, octets(1, 0)).code == std::errc::message_size);
}

TEST_CASE("DNS-07: an interim response and trailers are passed over") {
  const auto told = outcome_of([](http2_peer& s, const request& r) {
    const nghttp2_nv field = http2_peer::field(":status", "103");
    nghttp2_submit_headers(s.session, NGHTTP2_FLAG_NONE, r.stream, nullptr, &field, 1, nullptr);
    s.respond(r.stream, good_head(), answer_to(r.content, doh_addresses));
  });
  CHECK(told.kind == reply_match::reply);
}

TEST_CASE("SEC-06: content that does not answer the question is an error, as nothing else will come") {
  CHECK(outcome_of(good_head(), {}).sentence == "its answer is none to the question");
  CHECK(outcome_of(good_head(), octets(20, 0)).code == std::errc::protocol_error);
  CHECK(outcome_of(good_head(), answer_to(query_for(0, "www.example.org"), doh_addresses)).code ==
        std::errc::protocol_error);
  const auto told = outcome_of([](http2_peer& s, const request& r) {
    auto folded = answer_to(r.content, doh_addresses);
    folded[13] = 'W';
    s.respond(r.stream, good_head(), folded);
  });
  CHECK(told.kind == reply_match::other_case);
}

TEST_CASE("DNS-07: a stream that is reset before its answer is whole is an error that says so") {
  const auto told = outcome_of([](http2_peer& s, const request& r) {
    nghttp2_submit_rst_stream(s.session, NGHTTP2_FLAG_NONE, r.stream, NGHTTP2_ENHANCE_YOUR_CALM);
  });
  CHECK(told.code == std::errc::protocol_error);
  CHECK(told.sentence == "it ended the HTTP/2 stream with ENHANCE_YOUR_CALM before the answer was whole");
}

TEST_CASE("DNS-07: content of another length than announced is no answer") {
  const auto told = outcome_of([](http2_peer& s, const request& r) {
    const auto whole = answer_to(r.content, doh_addresses);
    s.respond(r.stream, good_head({{"content-length", std::to_string(whole.size() + 1)}}), whole);
  });
  CHECK(told.code == std::errc::protocol_error);
}

TEST_CASE("SEC-10: a doh may be destroyed inside every event, and while it dials") {
  doh_client c;
  c.user.then = [&](test::channel_event&) { c.user.channel.reset(); };
  SUBCASE("a reply, with more behind it") {
    for (std::uint64_t i = 0; i < 5; ++i) c.send(i, query_for(1));
    REQUIRE(c.user.run_until_events(1));
    CHECK(c.user.dialer.peers[0]->is_closed);
  }
  SUBCASE("an error, with more behind it") {
    c.handler = [](http2_peer& s, const request& r) { s.respond(r.stream, {{":status", "500"}}, {}); };
    for (std::uint64_t i = 0; i < 5; ++i) c.send(i, query_for(1));
    REQUIRE(c.user.run_until_events(1));
  }
  SUBCASE("the end of the connection") {
    c.handler = [](http2_peer& s, const request&) { s.stream->close(); };
    for (std::uint64_t i = 0; i < 5; ++i) c.send(i, query_for(1));
    REQUIRE(c.user.run_until_events(1));
  }
  SUBCASE("a dial that is under way") {
    c.user.dialer.is_held = true;
    c.send(1, query_for(1));
    c.user.channel.reset();
    CHECK(c.user.dialer.cancelled == 1);
    c.user.settle();
    return;
  }
  c.user.settle();
  CHECK(c.user.events.size() == 1);
}

TEST_CASE("SEC-10: abandoning and asking inside an event: no further word on what was abandoned") {
  doh_client c;
  c.handler = nullptr;
  c.send(1, query_for(1));
  c.send(2, query_for(2));
  c.user.settle();
  c.user.then = [&](test::channel_event& e) {
    if (e.exchange > 2) return;
    c.user.abandon(3 - e.exchange);
    c.send(3, query_for(3));
  };
  // Both answers arrive in one piece.
  octets both;
  for (const auto& r : c.server().requests) {
    c.server().respond(r.stream, good_head(), answer_to(r.content, doh_addresses));
  }
  const std::uint8_t* bytes = nullptr;
  for (auto size = nghttp2_session_mem_send(c.server().session, &bytes); size > 0;
       size = nghttp2_session_mem_send(c.server().session, &bytes)) {
    both.insert(both.end(), bytes, bytes + size);
  }
  c.handler = doh_client::answer_well;
  c.server().stream->send(both);
  REQUIRE(c.user.run_until_events(2));
  c.user.settle();
  CHECK(c.user.events.size() == 2);
  CHECK(c.user.events[1].exchange == 3);
}

}  // namespace
}  // namespace lbresolve::io
#else
#include "io/doh.hpp"
#include "support/channel_user.hpp"

#include <doctest/doctest.h>

TEST_CASE("DNS-06: a build without HTTP/2 says so") {
  using namespace lbresolve;
  test::channel_user user;
  CHECK_FALSE(io::doh::is_built());
  user.channel = std::make_unique<io::doh>(*user.loop, user.dialer, core::upstream{}, user);
  user.send(1, transport::https, test::query_for(1));
  REQUIRE(user.run_until_events(1));
  CHECK(user.events[0].code == make_error_code(errc::unsupported));
  CHECK(user.events[0].sentence == "this build has no HTTP/2 (nghttp2), which DNS over HTTPS needs");
}
#endif
