#include "core/answer.hpp"

#include "core/message_vectors.hpp"
#include "support/message_builder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <ctime>
#include <limits>
#include <string>
#include <vector>

namespace lbresolve::test {
namespace {

using core::answer;
using core::rr_type;
using core::section;

answer read(const message_builder& b, const core::question& asked) {
  const auto m = b.parse();
  REQUIRE(m);
  return core::interpret(m.value(), asked);
}

const char* const host = "www.example.com";

message_builder reply(std::size_t flags = 0x8180, rr_type type = rr_type::a) {
  return message_builder(1, flags).question(host, type);
}

answer read_a(const message_builder& b) { return read(b, question_for(host, rr_type::a)); }

std::vector<std::string> texts(const answer& said) {
  std::vector<std::string> out;
  for (const auto& one : said.addresses) out.push_back(one.to_string());
  return out;
}

/// www.example.com -> n1.example.com -> ... with `links` CNAMEs, and an A record at the end.
message_builder chain_of(int links) {
  auto b = reply();
  std::string owner = host;
  for (int i = 1; i <= links; ++i) {
    const std::string target = "n" + std::to_string(i) + ".example.com";
    b.cname(owner, 60, target);
    owner = target;
  }
  return b.a(owner, 60, "192.0.2.1");
}

TEST_CASE("addresses at the end of the chain are taken in the order sent, duplicates removed") {
  const auto said = read(common_answer(), common_question());
  CHECK(said.is == answer::kind::positive);
  CHECK(said.rcode == 0);
  CHECK(said.cacheable);
  CHECK(said.canonical.to_text() == "edge.cdn.example.com");
  CHECK(texts(said) == std::vector<std::string>{"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"});
  const auto twice = read_a(reply().a(host, 60, "192.0.2.9").a(host, 60, "192.0.2.1").a(host, 60, "192.0.2.9"));
  CHECK(texts(twice) == std::vector<std::string>{"192.0.2.9", "192.0.2.1"});
}

TEST_CASE("duplicates are removed among thousands, too") {
  auto b = reply();
  for (int round = 0; round < 2; ++round) {
    for (std::size_t i = 0; i < 1000; ++i) b.answer(pointer(12), rr_type::a, 60, octets{10, 0} + u16(i));
  }
  const auto said = read_a(b);
  REQUIRE(said.addresses.size() == 1000);
  CHECK(said.addresses[999].to_string() == "10.0.3.231");
}

TEST_CASE("AAAA records become IPv6 addresses, and records of other types do not count") {
  const auto said = read(
      reply(0x8180, rr_type::aaaa).answer(host, rr_type::aaaa, 60, address_data("2001:db8::1")).a(host, 5, "192.0.2.1"),
      question_for(host, rr_type::aaaa));
  CHECK(texts(said) == std::vector<std::string>{"2001:db8::1"});
  CHECK(said.ttl == 60);
}

TEST_CASE("SEC-05: records whose owner is not on the chain are ignored, and so are their TTLs") {
  const auto said = read_a(reply()
                               .a("evil.example.com", 1, "192.0.2.66")
                               .a("example.com", 1, "192.0.2.67")
                               .cname("other.example.com", 1, host)
                               .cname(host, 60, "end.example.com")
                               .a(host, 1, "192.0.2.68")
                               .a("end.example.com", 50, "192.0.2.1"));
  CHECK(texts(said) == std::vector<std::string>{"192.0.2.1"});
  CHECK(said.ttl == 50);
}

TEST_CASE("SEC-05: records of the authority and additional sections, and of other classes, are not answers") {
  const auto data = address_data("192.0.2.66");
  const auto said = read_a(reply()
                               .record(section::answer, labels(host), rr_type::a, 60, data, 3)
                               .record(section::answer, labels(host), rr_type::cname, 60, labels("chaos.example"), 3)
                               .record(section::authority, labels(host), rr_type::a, 60, data)
                               .record(section::additional, labels(host), rr_type::a, 60, data));
  CHECK(said.is == answer::kind::nodata);
  CHECK(said.addresses.empty());
  CHECK(said.canonical.to_text() == host);
}

TEST_CASE("SEC-05: an A before its CNAME is accepted, whatever the order of the chain") {
  const auto said = read_a(reply()
                               .a("c.example.com", 60, "192.0.2.1")
                               .cname("b.example.com", 60, "c.example.com")
                               .cname(host, 60, "b.example.com"));
  CHECK(said.is == answer::kind::positive);
  CHECK(texts(said) == std::vector<std::string>{"192.0.2.1"});
  CHECK(said.canonical.to_text() == "c.example.com");
}

TEST_CASE("SEC-05: owners and targets are compared without case and with or without compression") {
  const auto said = read_a(reply()
                               .cname("WWW.EXAMPLE.COM", 60, "B.example.com")
                               .answer(octets{1, 'b'} + pointer(16), rr_type::a, 60, address_data("192.0.2.1"))
                               .a("b.EXAMPLE.com", 60, "192.0.2.2"));
  CHECK(texts(said) == std::vector<std::string>{"192.0.2.1", "192.0.2.2"});
}

TEST_CASE("SEC-05: two CNAMEs at one owner are a failure that says so") {
  const auto said =
      read_a(reply().cname(host, 60, "a.example").cname(host, 60, "b.example").a("a.example", 60, "192.0.2.1"));
  CHECK(said.is == answer::kind::failure);
  CHECK(said.why == "a name in the CNAME chain has two CNAME records");
  CHECK(said.addresses.empty());
  CHECK_FALSE(said.cacheable);
  // Off the chain, two do no harm.
  CHECK(read_a(reply().cname("x", 60, "a").cname("x", 60, "b").a(host, 60, "192.0.2.1")).is == answer::kind::positive);
}

TEST_CASE("SEC-05: a loop is a failure that says so, wherever it closes") {
  const auto is_loop = [](const answer& said) {
    return said.is == answer::kind::failure && said.why == "the CNAME chain is a loop" && !said.cacheable;
  };
  CHECK(is_loop(read_a(reply().cname(host, 60, host))));
  CHECK(is_loop(read_a(reply().cname(host, 60, "WWW.example.COM"))));
  CHECK(is_loop(read_a(reply().cname(host, 60, "b").cname("b", 60, host))));
  CHECK(is_loop(read_a(reply().cname(host, 60, "b").cname("b", 60, "c").cname("c", 60, "b"))));
  CHECK(is_loop(read_a(reply().cname(host, 60, "b").cname("b", 60, "B"))));
}

TEST_CASE("SEC-05: 16 links are followed, 17 are a failure that says so") {
  const auto most = read_a(chain_of(16));
  CHECK(most.is == answer::kind::positive);
  CHECK(most.canonical.to_text() == "n16.example.com");
  const auto more = read_a(chain_of(17));
  CHECK(more.is == answer::kind::failure);
  CHECK(more.why == "the CNAME chain has more than 16 links");
}

TEST_CASE("SEC-05: an owner that is a pointer past 0x3FFF cannot be taken for one that is not") {
  // The end of the chain stands at 0x4000 + 12; a pointer can only say 12, where the question stands.
  auto b = reply();
  b.answer(octets{0}, static_cast<rr_type>(16), 60, octets(0x4000 + 12 - b.size() - 11 - 12, 0));
  b.answer(pointer(12), rr_type::cname, 60, labels("abc.example.com"));  // as long as the question's name
  b.answer(pointer(12), rr_type::a, 60, address_data("192.0.2.66"));
  const auto m = b.parse().value();
  REQUIRE(m.records()[1].rdata_offset == 0x4000 + 12);
  const auto said = core::interpret(m, common_question());
  CHECK(said.is == answer::kind::nodata);
  CHECK(said.canonical.to_text() == "abc.example.com");
}

TEST_CASE("TTL-01: the TTL is the least over chain and records, and its top bit makes it 0") {
  const auto ttl_of = [](std::size_t cname, std::size_t first, std::size_t second) {
    return read_a(reply().cname(host, cname, "b").a("b", first, "192.0.2.1").a("b", second, "192.0.2.2"));
  };
  CHECK(ttl_of(300, 60, 90).ttl == 60);
  CHECK(ttl_of(300, 60, 90).end_ttl == 60);
  CHECK(ttl_of(300, 90, 60).ttl == 60);
  CHECK(ttl_of(30, 90, 60).ttl == 30);
  CHECK(ttl_of(30, 90, 60).end_ttl == 60);
  CHECK(ttl_of(300, 0x80000001, 60).ttl == 0);
  CHECK(ttl_of(0xFFFFFFFF, 90, 60).ttl == 0);
  CHECK(ttl_of(0, 90, 60).ttl == 0);
  CHECK(ttl_of(0, 90, 60).cacheable);
}

TEST_CASE("TTL-04: NODATA lives for the least of the SOA's TTL and its MINIMUM") {
  const auto said = read_a(reply().soa("example.com", 900, 2));
  CHECK(said.is == answer::kind::nodata);
  CHECK(said.rcode == 0);
  CHECK(said.cacheable);
  CHECK(said.ttl == 2);
  CHECK(read_a(reply().soa("example.com", 3, 900)).ttl == 3);
  CHECK(read_a(reply().soa("example.com", 0x80000000, 900)).ttl == 0);
  CHECK(read_a(reply().soa("example.com", 900, 0x80000000)).ttl == 0);
}

TEST_CASE("TTL-04: NXDOMAIN belongs to the end of the chain") {
  const auto plain = read_a(reply(0x8183).soa("example.com", 900, 300));
  CHECK(plain.is == answer::kind::nxdomain);
  CHECK(plain.rcode == 3);
  CHECK(plain.canonical.to_text() == host);
  CHECK(plain.ttl == 300);
  const auto chained = read_a(reply(0x8183).cname(host, 20, "gone.example.net").soa("example.net", 900, 300));
  CHECK(chained.is == answer::kind::nxdomain);
  CHECK(chained.canonical.to_text() == "gone.example.net");
  CHECK(chained.cacheable);
  CHECK(chained.end_ttl == 300);
  CHECK(chained.ttl == 20);  // what is kept under the question lives no longer than the CNAME that led there
}

TEST_CASE("TTL-04: a negative answer without SOA is not cached") {
  for (const std::size_t flags : {0x8180U, 0x8183U}) {
    const auto said = read_a(reply(flags).cname(host, 60, "b"));
    CHECK(said.is == (flags == 0x8183U ? answer::kind::nxdomain : answer::kind::nodata));
    CHECK(said.canonical.to_text() == "b");
    CHECK_FALSE(said.cacheable);
    CHECK(said.ttl == 0);
  }
}

TEST_CASE("TTL-04: the SOA counts only in the authority section, in class IN, at or above the end of the chain") {
  const auto soa = soa_data(300);
  CHECK_FALSE(read_a(reply().answer("example.com", rr_type::soa, 60, soa)).cacheable);
  CHECK_FALSE(read_a(reply().record(section::additional, labels("example.com"), rr_type::soa, 60, soa)).cacheable);
  CHECK_FALSE(read_a(reply().record(section::authority, labels("example.com"), rr_type::soa, 60, soa, 3)).cacheable);
  CHECK_FALSE(read_a(reply().soa("example.org", 60, 300)).cacheable);
  CHECK_FALSE(read_a(reply().soa("ample.com", 60, 300)).cacheable);
  CHECK_FALSE(read_a(reply().cname(host, 60, "b.example.net").soa("example.com", 60, 300)).cacheable);
  CHECK(read_a(reply().soa(host, 60, 300)).cacheable);
  CHECK(read_a(reply().soa(".", 60, 300)).cacheable);
  CHECK(read_a(reply().soa("example.org", 60, 1).soa("example.com", 60, 30)).ttl == 30);
}

TEST_CASE("a referral is NODATA that is not cached") {
  const auto said =
      read_a(reply().record(section::authority, labels("com"), static_cast<rr_type>(2), 60, labels("ns.com")));
  CHECK(said.is == answer::kind::nodata);
  CHECK_FALSE(said.cacheable);
}

TEST_CASE("NXDOMAIN with addresses is NXDOMAIN") {
  const auto said = read_a(reply(0x8183).a(host, 60, "192.0.2.1"));
  CHECK(said.is == answer::kind::nxdomain);
  CHECK(said.addresses.empty());
}

TEST_CASE("any other RCODE is a failure that names it, and its records are not used") {
  const std::vector<std::pair<std::size_t, std::string>> codes{{1, "FORMERR"}, {2, "SERVFAIL"}, {4, "NOTIMP"},
                                                               {5, "REFUSED"}, {9, "NOTAUTH"},  {15, "RCODE 15"}};
  for (const auto& [code, label] : codes) {
    const auto said = read_a(reply(0x8180 | code).a(host, 60, "192.0.2.1"));
    CHECK(said.is == answer::kind::failure);
    CHECK(said.rcode == static_cast<int>(code));
    CHECK(said.why == "the server answered " + label);
    CHECK(said.canonical.to_text() == host);
    CHECK(said.addresses.empty());
    CHECK_FALSE(said.cacheable);
  }
  const auto extended = read_a(reply().opt({}, 1));
  CHECK(extended.rcode == 16);
  CHECK(extended.why == "the server answered BADVERS");
}

TEST_CASE("DNS-11: the first extended error is kept, code and text, whatever the RCODE") {
  // What stands inside another option is not one, even when it looks like it.
  const auto lookalike = extended_error_option(99, "not me");
  const auto options = u16(10) + u16(lookalike.size()) + lookalike +
                       extended_error_option(22, "No Reachable Authority") + extended_error_option(6, "later");
  for (const std::size_t flags : {0x8180U, 0x8182U, 0x8183U}) {
    const auto said = read_a(reply(flags).opt(options));
    REQUIRE(said.ede);
    CHECK(said.ede->code == 22);
    CHECK(said.ede->text == "No Reachable Authority");
  }
  CHECK(read_a(reply().opt(extended_error_option(3, ""))).ede->text.empty());
  CHECK_FALSE(read_a(reply().opt(u16(15) + u16(1) + octets{0})).ede);  // too short for a code
  CHECK_FALSE(read_a(reply().opt()).ede);
  CHECK_FALSE(read_a(reply()).ede);
}

TEST_CASE("SRV records are read, with targets plain or compressed, and \".\" for no service") {
  const auto asked = question_for("_http._tcp.example.com", rr_type::srv);
  const auto said = read(message_builder()
                             .question("_http._tcp.example.com", rr_type::srv)
                             .answer(pointer(12), rr_type::srv, 60, srv_data(1, 60, 8080, labels("a.example.com")))
                             .answer(pointer(12), rr_type::srv, 60, srv_data(2, 0, 80, octets{1, 'b'} + pointer(23)))
                             .answer(pointer(12), rr_type::srv, 60, srv_data(3, 0, 0, {0})),
                         asked);
  REQUIRE(said.services.size() == 3);
  CHECK(said.is == answer::kind::positive);
  CHECK(said.services[0].priority == 1);
  CHECK(said.services[0].weight == 60);
  CHECK(said.services[0].port == 8080);
  CHECK(said.services[0].target.to_text() == "a.example.com");
  CHECK(said.services[1].target.to_text() == "b.example.com");
  CHECK(said.services[2].target.is_root());
}

TEST_CASE("HTTPS and SVCB records are read") {
  for (const auto type : {rr_type::https, rr_type::svcb}) {
    const auto said = read(reply(0x8180, type)
                               .answer(host, type, 60, service_binding_data(2, {0}))
                               .answer(host, type, 30, u16(0) + labels("alias.example.net")),
                           question_for(host, type));
    CHECK(said.is == answer::kind::positive);
    CHECK(said.ttl == 30);
    REQUIRE(said.bindings.size() == 2);
    CHECK(said.bindings[0].port == 8443);
    CHECK(said.bindings[1].is_alias());
  }
}

TEST_CASE(
    "one malformed binding makes its RRset count as not there (RFC 9460 section 2.2), and no more often than its TTL") {
  // "If any RRs are malformed, the client MUST reject the entire RRSet and fall back to non-SVCB connection
  // establishment."
  const auto said = read(reply(0x8180, rr_type::https)
                             .answer(host, rr_type::https, 60, service_binding_data(1, {0}))
                             .answer(host, rr_type::https, 90, u16(1) + pointer(12)),
                         question_for(host, rr_type::https));
  CHECK(said.is == answer::kind::nodata);
  CHECK(said.bindings.empty());
  CHECK(said.cacheable);
  CHECK(said.ttl == 60);
  CHECK_FALSE(said.why.empty());
}

TEST_CASE("asked for CNAME, the chain is not followed") {
  const auto said =
      read(reply(0x8180, rr_type::cname).cname(host, 60, "b").cname("b", 60, "c"), question_for(host, rr_type::cname));
  CHECK(said.is == answer::kind::positive);
  CHECK(said.canonical.to_text() == host);
}

TEST_CASE("a message without a question section is read by the question asked") {
  const auto said = read(message_builder().a(host, 60, "192.0.2.1"), question_for(host, rr_type::a));
  CHECK(texts(said) == std::vector<std::string>{"192.0.2.1"});
}

TEST_CASE("an answer for when none came") {
  const auto said = core::failed_answer(question_for(host, rr_type::a), "no upstream answered in 5 s");
  CHECK(said.is == answer::kind::failure);
  CHECK(said.rcode == -1);
  CHECK(said.canonical.to_text() == host);
  CHECK(said.why == "no upstream answered in 5 s");
  CHECK_FALSE(said.cacheable);
}

TEST_CASE("SEC-05: off the chain, CNAMEs are ignored up to 64 in all; more are a failure that says so") {
  const auto with = [](int others) {
    auto b = reply().cname(host, 60, "b").a("b", 60, "192.0.2.1");
    for (int i = 0; i < others; ++i) b.cname("x", 60, "y");
    return read_a(b);
  };
  CHECK(with(63).is == answer::kind::positive);
  const auto more = with(64);
  CHECK(more.is == answer::kind::failure);
  CHECK(more.why == "the answer has more than 64 CNAME records");
}

/// A name of 255 octets whose last of 127 labels is `last`.
octets longest_name(char last) {
  octets out;
  for (int i = 0; i < 126; ++i) out = out + octets{1, 'l'};
  return out + octets{1, static_cast<std::uint8_t>(last), 0};
}

/// What costs interpret() the most in about `size` octets: 16 links, 48 CNAMEs off the chain, and A records for the
/// rest, all owned by names as long as those of the chain that differ from them in the last label only.
message_builder dearest_answer(std::size_t size) {
  auto b = message_builder().question(longest_name('a'), rr_type::a);
  std::size_t owner_at = 12;
  for (char last = 'b'; last < 'b' + 16; ++last) {
    const std::size_t target_at = b.size() + 12;
    b.answer(pointer(owner_at), rr_type::cname, 60, longest_name(last));
    owner_at = target_at;
  }
  const std::size_t near_miss = b.size();
  b.answer(longest_name('z'), rr_type::cname, 60, {0});
  for (int i = 1; i < 48; ++i) b.answer(pointer(near_miss), rr_type::cname, 60, {0});
  while (b.size() + 16 <= size) b.answer(pointer(near_miss), rr_type::a, 60, address_data("192.0.2.1"));
  return b;
}

TEST_CASE("SEC-05: the work for a chain grows with the message, not with its square") {
  const core::question asked{core::name::from_wire(longest_name('a')).value(), rr_type::a};
  // Processor time and the least of many rounds: a busy machine must not decide.
  const auto time = [&](std::size_t size) {
    const auto b = dearest_answer(size);
    const auto m = b.parse().value();
    std::clock_t least = std::numeric_limits<std::clock_t>::max();
    for (int round = 0; round < 15; ++round) {
      const std::clock_t start = std::clock();
      const auto said = core::interpret(m, asked);
      least = std::min(least, std::clock() - start);
      CHECK(said.canonical.wire()[253] == 'q');
    }
    return least;
  };
  const auto small = time(20000);
  const auto large = time(65000);
  CAPTURE(small);
  CAPTURE(large);
  CHECK(large < 8 * small);  // 4 times the A records; 16 if it were the square
}

}  // namespace
}  // namespace lbresolve::test
