#include "core/message.hpp"
#include "core/message_vectors.hpp"
#include "support/message_builder.hpp"
#include "support/test_random.hpp"

#include <doctest/doctest.h>

namespace lbresolve::test {
namespace {

using core::match_reply;
using core::reply_match;
using core::rr_type;

/// What we sent, with OPT and mixed case.
octets sent() {
  test_random random;
  return core::make_query(0x1234, question_for("wWw.ExAmple.com", rr_type::a), {}, random);
}

message_builder reply_to(std::string_view name = "wWw.ExAmple.com", std::size_t flags = 0x8180) {
  return message_builder(0x1234, flags).question(name, rr_type::a);
}

reply_match judge(const octets& datagram) { return match_reply(sent(), datagram); }

TEST_CASE("SEC-06: the true answer is a reply") {
  CHECK(judge(reply_to().a("wWw.ExAmple.com", 60, "192.0.2.1").opt().bytes()) == reply_match::reply);
  CHECK(judge(reply_to("wWw.ExAmple.com", 0x8183).bytes()) == reply_match::reply);
  CHECK(judge(reply_to("wWw.ExAmple.com", 0x8380).bytes()) == reply_match::reply);  // TC
}

TEST_CASE("SEC-06: a wrong ID is a stranger") {
  for (const std::size_t id : {0x1235U, 0x1134U, 0x3412U, 0U}) {
    CHECK(judge(message_builder(id).question("wWw.ExAmple.com", rr_type::a).bytes()) == reply_match::stranger);
    CHECK(judge(message_builder(id, 0x8181).bytes()) == reply_match::stranger);
  }
}

TEST_CASE("SEC-06: a wrong question is a stranger: name, type, class, none or two") {
  CHECK(judge(reply_to("wWw.ExAmple.org").bytes()) == reply_match::stranger);
  CHECK(judge(reply_to("ExAmple.com").bytes()) == reply_match::stranger);
  CHECK(judge(reply_to("x.wWw.ExAmple.com").bytes()) == reply_match::stranger);
  CHECK(judge(message_builder().question("wWw.ExAmple.com", rr_type::aaaa).bytes()) == reply_match::stranger);
  auto other_class = reply_to().bytes();
  other_class.back() = 3;
  CHECK(judge(other_class) == reply_match::stranger);
  CHECK(judge(message_builder().a("wWw.ExAmple.com", 60, "192.0.2.1").bytes()) == reply_match::stranger);
  CHECK(judge(reply_to().question("wWw.ExAmple.com", rr_type::a).bytes()) == reply_match::stranger);
}

TEST_CASE("SEC-06: type and class are no letters: an octet that differs by 0x20 is another one") {
  const auto asked = question_for("a", static_cast<rr_type>(0x0041));  // HTTPS, 65: 'A'
  test_random random;
  const auto query = core::make_query(0x1234, asked, {}, random);
  CHECK(match_reply(query, message_builder().question("a", static_cast<rr_type>(0x0041)).bytes()) ==
        reply_match::reply);
  CHECK(match_reply(query, message_builder().question("a", static_cast<rr_type>(0x0061)).bytes()) ==
        reply_match::stranger);
}

TEST_CASE("SEC-06: QR=0, as in our own query sent back, and another opcode are strangers") {
  CHECK(judge(sent()) == reply_match::stranger);
  CHECK(judge(reply_to("wWw.ExAmple.com", 0x0180).bytes()) == reply_match::stranger);
  CHECK(judge(reply_to("wWw.ExAmple.com", 0xA980).bytes()) == reply_match::stranger);
  CHECK(judge(message_builder(0x1234, 0x0001).bytes()) == reply_match::stranger);
}

TEST_CASE("SEC-06: an empty datagram, garbage and a header cut short are strangers") {
  CHECK(judge({}) == reply_match::stranger);
  CHECK(judge({0x12, 0x34, 0x81}) == reply_match::stranger);
  CHECK(judge(octets(11, 0)) == reply_match::stranger);
  CHECK(judge(octets(512, 0xFF)) == reply_match::stranger);
  test_random random(2);
  for (int round = 0; round < 10000; ++round) {
    octets garbage(random.below(64), 0);
    for (auto& octet : garbage) octet = static_cast<std::uint8_t>(random.next());
    CHECK(judge(garbage) == reply_match::stranger);
  }
}

TEST_CASE("SEC-06: a header-only NOERROR, SERVFAIL or REFUSED is a stranger") {
  for (const std::size_t flags : {0x8180U, 0x8182U, 0x8183U, 0x8185U}) {
    CHECK(judge(message_builder(0x1234, flags).bytes()) == reply_match::stranger);
  }
}

TEST_CASE("DNS-02: a header-only FORMERR or NOTIMP is a refusal") {
  CHECK(judge(message_builder(0x1234, 0x8181).bytes()) == reply_match::refusal);
  CHECK(judge(message_builder(0x1234, 0x8184).bytes()) == reply_match::refusal);
  // From servers that copy the header of the query and send nothing else of it.
  CHECK(judge(message_builder(0x1234, 0x8181).set_count(0, 1).set_count(3, 1).bytes()) == reply_match::refusal);
}

TEST_CASE("DNS-02: a FORMERR or NOTIMP with the question and without OPT is an ordinary reply") {
  CHECK(judge(reply_to("wWw.ExAmple.com", 0x8181).bytes()) == reply_match::reply);
  CHECK(judge(reply_to("wWw.ExAmple.com", 0x8184).bytes()) == reply_match::reply);
}

TEST_CASE("0x20: a question in other case is told apart from a reply") {
  CHECK(judge(reply_to("www.example.com").bytes()) == reply_match::other_case);
  CHECK(judge(reply_to("wWw.ExAmple.coM").a("www.example.com", 60, "192.0.2.1").bytes()) == reply_match::other_case);
}

TEST_CASE("header and question match and the rest cannot be read: malformed, whatever the case") {
  const auto good = reply_to().a("wWw.ExAmple.com", 60, "192.0.2.1");
  CHECK(judge(good.bytes() + octets{0}) == reply_match::malformed);
  octets cut = good.bytes();
  for (cut.pop_back(); cut.size() > 12 + labels("wWw.ExAmple.com").size() + 4; cut.pop_back()) {
    CHECK(judge(cut) == reply_match::malformed);
  }
  // "One reply that only c-ares's parser dislikes": an A of three octets.
  CHECK(judge(reply_to().answer("wWw.ExAmple.com", rr_type::a, 60, octets(3, 1)).bytes()) == reply_match::malformed);
  CHECK(judge(reply_to("www.example.com").answer("a", rr_type::a, 60, octets(3, 1)).bytes()) == reply_match::malformed);
}

TEST_CASE("SEC-04: a query that is none matches nothing") {
  const auto reply = reply_to().bytes();
  const auto query = sent();
  for (std::size_t size = 0; size < 12 + labels("wWw.ExAmple.com").size() + 4; ++size) {
    CHECK(match_reply(std::span(query).first(size), reply) == reply_match::stranger);
  }
  CHECK(match_reply(octets(512, 0xC0), reply) == reply_match::stranger);
}

}  // namespace
}  // namespace lbresolve::test
