#include "core/stream_pipeline.hpp"

#include "core/wire_name.hpp"
#include "support/message_builder.hpp"
#include "support/test_random.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>

namespace lbresolve::test {
namespace {

using namespace std::chrono_literals;
using core::load_u16;
using core::reply_match;
using core::rr_type;
using core::stream_pipeline;

octets query(std::uint16_t id, std::string_view name = "www.example.com") {
  test_random random;
  return core::make_query(id, {core::name::from_text(name).value(), rr_type::a}, {.edns = false}, random);
}

/// The queries in what was written.
std::vector<octets> unframed(const octets& written) {
  std::vector<octets> out;
  for (auto at = written.begin(); at != written.end();) {
    const auto length = static_cast<std::ptrdiff_t>(load_u16(&*at));
    out.emplace_back(at + 2, at + 2 + length);
    at += 2 + length;
  }
  return out;
}

octets framed(const octets& message) { return u16(message.size()) + message; }

/// The query with QR set: no records, but a reply to it.
octets reply_to(octets asked) {
  asked[2] |= 0x80;
  return asked;
}

struct connection {
  bool send(std::uint64_t exchange, const octets& q) { return pipeline.send(exchange, q, written); }
  std::optional<stream_pipeline::reply> receive(const octets& bytes) {
    pipeline.receive(bytes);
    return pipeline.next();
  }

  test_random random;
  stream_pipeline pipeline{random};
  octets written;
};

TEST_CASE("DNS-03: a query goes out behind two octets of length, and its reply comes back with its ID") {
  connection c;
  const auto asked = query(0x1234);
  REQUIRE(c.send(7, asked));
  CHECK(c.written == framed(asked));
  CHECK(c.pipeline.open_exchanges() == 1);
  CHECK_FALSE(c.pipeline.has_answered());
  const auto got = c.receive(framed(reply_to(asked)));
  REQUIRE(got);
  CHECK(got->exchange == 7);
  CHECK(got->kind == reply_match::reply);
  CHECK(octets(got->bytes.begin(), got->bytes.end()) == reply_to(asked));
  CHECK(c.pipeline.open_exchanges() == 0);
  CHECK(c.pipeline.has_answered());
  CHECK_FALSE(c.pipeline.next());
}

TEST_CASE("DNS-03: 1,000 queries with one ID have 1,000 IDs on the connection, and are answered in reverse") {
  connection c;
  std::vector<octets> asked;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    asked.push_back(query(42, "n" + std::to_string(i) + ".example.com"));
    REQUIRE(c.send(i, asked.back()));
  }
  auto sent = unframed(c.written);
  REQUIRE(sent.size() == 1000);
  std::set<std::uint16_t> ids;
  for (const auto& q : sent) ids.insert(load_u16(q.data()));
  CHECK(ids.size() == 1000);

  octets stream;
  for (auto at = sent.rbegin(); at != sent.rend(); ++at) stream = std::move(stream) + framed(reply_to(*at));
  c.pipeline.receive(stream);
  for (std::uint64_t i = 1000; i-- > 0;) {
    const auto got = c.pipeline.next();
    REQUIRE(got);
    REQUIRE(got->exchange == i);
    REQUIRE(octets(got->bytes.begin(), got->bytes.end()) == reply_to(asked[i]));  // with the ID 42
  }
  CHECK_FALSE(c.pipeline.next());
  CHECK(c.pipeline.discarded() == 0);
  CHECK(c.pipeline.open_exchanges() == 0);
}

TEST_CASE("DNS-03: frames may be cut and joined anywhere") {
  const auto first = query(1, "a.example.com");
  const auto second = query(2, "b.example.com");
  const octets stream = framed(reply_to(first)) + framed(reply_to(second));
  for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
    CAPTURE(piece);
    connection c;
    c.send(1, first);
    c.send(2, second);
    std::vector<std::uint64_t> told;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      c.pipeline.receive(std::span(stream).subspan(at, std::min(piece, stream.size() - at)));
      while (const auto got = c.pipeline.next()) told.push_back(got->exchange);
    }
    CHECK(told == std::vector<std::uint64_t>{1, 2});
  }
}

TEST_CASE("SEC-06: what answers no query on the stream is discarded, and waiting goes on") {
  connection c;
  const auto asked = query(0x1234);
  c.send(1, asked);
  auto other_question = reply_to(query(0x1234, "www.example.org"));
  const octets strangers = framed({}) + framed({0x12}) + framed(octets(11, 0)) + framed(reply_to(query(0x4321))) +
                           framed(other_question) + framed(asked);
  CHECK_FALSE(c.receive(strangers));
  CHECK(c.pipeline.discarded() == 6);
  CHECK(c.pipeline.open_exchanges() == 1);
  CHECK_FALSE(c.pipeline.has_answered());
  CHECK(c.receive(framed(reply_to(asked)))->exchange == 1);
}

TEST_CASE("another case is told once and leaves the exchange open; a malformed reply and a refusal end it") {
  connection c;
  const auto asked = query(5);
  c.send(1, asked);
  auto folded = reply_to(asked);
  folded[13] = 'W';
  const auto got = c.receive(framed(folded) + framed(folded));
  CHECK(got->kind == reply_match::other_case);
  CHECK_FALSE(c.pipeline.next());
  CHECK(c.pipeline.open_exchanges() == 1);
  auto malformed = reply_to(asked);
  malformed[7] = 1;
  CHECK(c.receive(framed(malformed))->kind == reply_match::malformed);
  CHECK(c.pipeline.open_exchanges() == 0);

  c.send(2, asked);
  octets refusal(asked.begin(), asked.begin() + 12);
  refusal[2] = 0x81;
  refusal[3] = 0x01;
  CHECK(c.receive(framed(refusal))->kind == reply_match::refusal);
  CHECK(c.pipeline.open_exchanges() == 0);
}

TEST_CASE("an abandoned exchange gets nothing, and the ID that it had is free") {
  connection c;
  const auto asked = query(5);
  c.send(1, asked);
  CHECK(c.pipeline.abandon(1));
  CHECK_FALSE(c.pipeline.abandon(1));
  CHECK_FALSE(c.receive(framed(reply_to(asked))));
  CHECK(c.pipeline.discarded() == 1);
  c.written.clear();
  c.send(2, asked);
  CHECK(c.written == framed(asked));
}

TEST_CASE("DNS-03: a lost connection names its open exchanges in their order, and the next one begins afresh") {
  connection c;
  for (std::uint64_t i = 1; i <= 50; ++i) c.send(i, query(static_cast<std::uint16_t>(i)));
  c.receive(framed(reply_to(query(3))) + octets{0xFF, 0xFF, 1});  // and the start of a long one
  c.pipeline.abandon(4);
  CHECK(c.pipeline.has_answered());
  const auto lost = c.pipeline.reset();
  CHECK(lost.size() == 48);
  CHECK(std::is_sorted(lost.begin(), lost.end()));
  CHECK_FALSE(c.pipeline.has_answered());
  CHECK(c.pipeline.open_exchanges() == 0);
  c.send(51, query(9));
  CHECK(c.receive(framed(reply_to(query(9))))->exchange == 51);
}

TEST_CASE("DNS-03: what is open goes on over another connection, in its order and with its IDs there") {
  connection c;
  for (std::uint64_t i = 1; i <= 5; ++i) c.send(i, query(7));
  const auto sent = unframed(c.written);
  c.receive(framed(reply_to(sent[1])) + octets{0xFF, 0xFF, 1});
  c.pipeline.abandon(4);
  octets again;
  c.pipeline.resume(again);
  CHECK(unframed(again) == std::vector{sent[0], sent[2], sent[4]});
  CHECK(c.pipeline.open_exchanges() == 3);
  CHECK_FALSE(c.pipeline.has_answered());
  const auto got = c.receive(framed(reply_to(sent[4])));
  REQUIRE(got);
  CHECK(got->exchange == 5);
  CHECK(load_u16(got->bytes.data()) == 7);
}

TEST_CASE("what does not fit is refused: no message, too long a one, too many") {
  connection c;
  CHECK_FALSE(c.send(1, octets(11, 0)));
  CHECK_FALSE(c.send(1, octets(65'536, 0)));
  CHECK(c.written.empty());
  for (std::uint64_t i = 0; i < stream_pipeline::max_open; ++i) REQUIRE(c.send(i, query(1)));
  CHECK_FALSE(c.send(stream_pipeline::max_open, query(1)));
  c.pipeline.abandon(0);
  CHECK(c.send(stream_pipeline::max_open, query(1)));
}

TEST_CASE("the server's word on how long it keeps an idle connection is read (RFC 7828)") {
  const auto with = [](const octets& options) {
    return core::tcp_keepalive(message_builder().question("www.example.com", rr_type::a).opt(options).bytes());
  };
  CHECK(with(u16(11) + u16(2) + u16(600)) == 60s);
  CHECK(with(u16(10) + u16(1) + octets{1} + u16(11) + u16(2) + u16(0)) == 0s);
  CHECK_FALSE(with(u16(11) + u16(0)));
  CHECK_FALSE(with(u16(10) + u16(2) + u16(600)));
  CHECK_FALSE(core::tcp_keepalive(message_builder().question("www.example.com", rr_type::a).bytes()));
  CHECK_FALSE(core::tcp_keepalive(octets(3, 0)));
}

}  // namespace
}  // namespace lbresolve::test
