// HTTPS records (RFC 9460) in virtual time: aliases, other hosts, tiers, and what happens without them.
#include "support/simulated_world.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace lbresolve::test {
namespace {

using core::rr_type;

constexpr const char* origin = "https://www.test";

/// www.test is 192.0.2.1, svc.test 192.0.2.2, far.test 192.0.2.3.
zone usual_zone() {
  zone z;
  z.addresses = {{"www.test", {"192.0.2.1"}}, {"svc.test", {"192.0.2.2"}}, {"far.test", {"192.0.2.3"}}};
  return z;
}

zone with_https(std::vector<octets> records) {
  zone z = usual_zone();
  z.records[{"www.test", rr_type::https}] = std::move(records);
  return z;
}

octets port(unsigned n) { return svc_param(3, u16(n)); }

std::string opened(const simulated_world& w) {
  std::string out;
  for (const auto& [at, to] : w.opened)
    out += (out.empty() ? "" : " ") + to + "@" +
           std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(at).count());
  return out;
}

bool has_note(const world_outcome& o, const std::string& part) {
  return std::any_of(o.story->notes.begin(), o.story->notes.end(),
                     [&](const std::string& n) { return n.find(part) != std::string::npos; });
}

bool asked(const simulated_world& w, const std::string& name, rr_type type) {
  return std::any_of(w.queries.begin(), w.queries.end(),
                     [&](const sent_query& q) { return q.asked.name.to_text() == name && q.asked.type == type; });
}

TEST_CASE("SEL-07: an https:// target asks HTTPS records unless told not to; host:port only when told to") {
  for (const auto& [target, chosen, asks] :
       std::vector<std::tuple<std::string, std::optional<bool>, bool>>{{origin, std::nullopt, true},
                                                                       {origin, false, false},
                                                                       {"www.test:443", std::nullopt, false},
                                                                       {"www.test:443", true, true}}) {
    simulated_world w;
    w.server(0, with_https({binding_data(1, ".", port(8443))}));
    w.endpoint_is("192.0.2.1:443", connects(1ms)).endpoint_is("192.0.2.1:8443", connects(1ms));
    w.connected(target, {.https_records = chosen});
    CHECK(asked(w, "www.test", rr_type::https) == asks);
    CHECK(w.opened.front().second == (asks ? "192.0.2.1:8443" : "192.0.2.1:443"));
  }
}

TEST_CASE("SEL-07: a record in ServiceMode leads to another host, whose addresses are asked for") {
  simulated_world w;
  w.server(0, with_https({binding_data(1, "svc.test", svc_param(1, {2, 'h', '2'}) + port(8443))}));
  w.endpoint_is("192.0.2.2:8443", connects(1ms));
  const auto o = w.connected(origin);
  CHECK(o.end() == "4.2@11");
  CHECK(opened(w) == "192.0.2.2:8443@10");
  CHECK(has_note(o, "HTTPS record: priority 1, svc.test:8443, alpn h2"));
}

TEST_CASE("SEL-07, HE-23: priorities are tiers, and the name without its records is the last one") {
  simulated_world w;
  w.server(0, with_https({binding_data(2, "far.test"), binding_data(1, "svc.test", port(8443))}));
  w.endpoint_is("192.0.2.2:8443", refuses(1ms)).endpoint_is("192.0.2.3:443", refuses(1ms));
  w.endpoint_is("192.0.2.1:443", connects(1ms));
  CHECK(w.connected(origin).end() == "4.1@13");
  CHECK(opened(w) == "192.0.2.2:8443@10 192.0.2.3:443@11 192.0.2.1:443@12");
}

TEST_CASE("SEL-07: records of one priority are equals") {
  int first = 0;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    simulated_world w(1, seed * 7919);
    w.chosen.selection.policy = policy::random;
    w.server(0, with_https({binding_data(1, "svc.test"), binding_data(1, "far.test")}));
    w.endpoint_is("192.0.2.2:443", connects(1ms)).endpoint_is("192.0.2.3:443", connects(1ms));
    first += w.connected(origin).end() == "4.2@11" ? 1 : 0;
    REQUIRE(w.opened.size() == 1);
  }
  CHECK(first > 150);
  CHECK(first < 250);
}

TEST_CASE("SEL-07: the port holds for the name's own addresses, and without an answer there the usual one is tried") {
  simulated_world w;
  w.server(0, with_https({binding_data(1, ".", port(8443))}));
  w.endpoint_is("192.0.2.1:8443", refuses(1ms)).endpoint_is("192.0.2.1:443", connects(1ms));
  CHECK(w.connected(origin).end() == "4.1@7");
  CHECK(opened(w) == "192.0.2.1:8443@5 192.0.2.1:443@6");
}

TEST_CASE("SEL-07: \"a mandatory key that is not understood\" skips the record, and only that one") {
  const octets unknown = svc_param(0, u16(9999)) + port(1111) + svc_param(9999, {1});
  simulated_world w;
  w.server(0, with_https({binding_data(1, "svc.test", unknown), binding_data(2, "far.test", port(8443))}));
  w.endpoint_is("192.0.2.3:8443", connects(1ms)).endpoint_is("192.0.2.2:1111", connects(1ms));
  const auto o = w.connected(origin);
  CHECK(o.end() == "4.3@11");
  CHECK_FALSE(asked(w, "svc.test", rr_type::a));
  CHECK(has_note(o, "1 of 2 HTTPS records ask for what is not understood"));
}

TEST_CASE("SEL-07: with no record that can be used the name is connected to as if it had none") {
  simulated_world w;
  w.server(0, with_https({binding_data(1, "svc.test", svc_param(0, u16(9999)) + svc_param(9999, {1}))}));
  w.endpoint_is("192.0.2.1:443", connects(1ms));
  CHECK(w.connected(origin).end() == "4.1@6");
}

TEST_CASE("SEL-07: an alias leads to the records of another name") {
  simulated_world w;
  zone z = with_https({binding_data(0, "svc.test")});
  z.records[{"svc.test", rr_type::https}] = {binding_data(1, ".", port(8443)), binding_data(2, "far.test")};
  w.server(0, z).endpoint_is("192.0.2.2:8443", connects(1ms));
  const auto o = w.connected(origin);
  CHECK(o.end() == "4.2@11");
  CHECK(has_note(o, "alias to svc.test"));
}

TEST_CASE("SEL-07: an alias to a name without HTTPS records leads to its addresses") {
  simulated_world w;
  w.server(0, with_https({binding_data(0, "svc.test")})).endpoint_is("192.0.2.2:443", connects(1ms));
  CHECK(w.connected(origin).end() == "4.2@11");
  CHECK(opened(w) == "192.0.2.2:443@10");
}

TEST_CASE("SEL-07: the end of the aliases comes after its records, and before the name itself") {
  simulated_world w;
  zone z = with_https({binding_data(0, "svc.test")});
  z.records[{"svc.test", rr_type::https}] = {binding_data(1, ".", port(8443))};
  w.server(0, z).endpoint_is("192.0.2.2:8443", refuses(1ms)).endpoint_is("192.0.2.2:443", refuses(1ms));
  w.endpoint_is("192.0.2.1:443", connects(1ms));
  CHECK(w.connected(origin).end() == "4.1@13");
  CHECK(opened(w) == "192.0.2.2:8443@10 192.0.2.2:443@11 192.0.2.1:443@12");
}

TEST_CASE("SEL-07: where one record is an alias, those in ServiceMode are ignored") {
  simulated_world w;
  w.server(0, with_https({binding_data(1, "far.test"), binding_data(0, "svc.test")}));
  w.endpoint_is("192.0.2.2:443", connects(1ms));
  CHECK(w.connected(origin).end() == "4.2@11");
  CHECK_FALSE(asked(w, "far.test", rr_type::a));
}

/// www.test is an alias of a1.test, that of a2.test, ... up to a<links>.test, which is 192.0.2.9.
zone alias_chain(unsigned links) {
  zone z = usual_zone();
  std::string from = "www.test";
  for (unsigned n = 1; n <= links; ++n) {
    const std::string to = "a" + std::to_string(n) + ".test";
    z.records[{from, rr_type::https}] = {binding_data(0, to)};
    from = to;
  }
  z.addresses[from] = {"192.0.2.9"};
  return z;
}

TEST_CASE("SEL-07: eight aliases are followed, nine are not, and then the name itself is connected to") {
  for (const unsigned links : {1U, 8U, 9U, 30U}) {
    CAPTURE(links);
    simulated_world w;
    w.chosen.racing.resolution_delay = 1s;
    w.server(0, alias_chain(links));
    w.endpoint_is("192.0.2.9:443", connects(1ms)).endpoint_is("192.0.2.1:443", connects(1ms));
    const auto o = w.connected(origin);
    CHECK(short_name(o.peer) == (links <= 8 ? "4.9" : "4.1"));
    CHECK(has_note(o, "more than 8 aliases") == (links > 8));
    CHECK(w.queries_for(rr_type::https) <= 9);
  }
}

TEST_CASE("SEL-07: aliases that go round in a circle, and an alias to \".\", are ignored") {
  zone circle = with_https({binding_data(0, "svc.test")});
  circle.records[{"svc.test", rr_type::https}] = {binding_data(0, "www.test")};
  for (const auto& [z, note] : {std::pair{circle, "circle"},
                                {with_https({binding_data(0)}), "alias to \".\""},
                                {with_https({binding_data(0, "www.test")}), "circle"}}) {
    simulated_world w;
    w.server(0, z).endpoint_is("192.0.2.1:443", connects(1ms));
    const auto o = w.connected(origin);
    CHECK(short_name(o.peer) == "4.1");
    CHECK(has_note(o, note));
  }
}

TEST_CASE("SEL-07: on another port the records have a name of their own, from which an alias leads back") {
  // RFC 9460 section 2.3; the target of an alias is asked for as it is (section 3).
  simulated_world w;
  zone z = usual_zone();
  z.records[{"_8443._https.www.test", rr_type::https}] = {binding_data(0, "www.test")};
  z.records[{"www.test", rr_type::https}] = {binding_data(1, "svc.test")};
  w.server(0, z).endpoint_is("192.0.2.2:8443", connects(1ms));
  CHECK(w.connected("https://www.test:8443").end() == "4.2@16");
  CHECK(w.queries_for(rr_type::https) == 2);
}

TEST_CASE("SEL-07: \".\" is the owner of the record, at the end of the CNAMEs") {
  simulated_world w;
  const zone z = usual_zone();
  w.server(0, [z](const sent_query& q) -> std::vector<scripted_reply> {
    if (q.asked.name.to_text() != "www.test" || q.asked.type == rr_type::aaaa) return z(q);
    const auto parsed = core::message::parse(q.bytes).value();
    message_builder b(parsed.id());
    const auto question = parsed.question_octets();
    b.raw({question.begin(), question.end()}).set_count(0, 1).cname("www.test", 60, "cdn.test");
    if (q.asked.type == rr_type::a) b.a("cdn.test", 60, "192.0.2.1");
    if (q.asked.type == rr_type::https) b.answer("cdn.test", rr_type::https, 60, binding_data(1, ".", port(8443)));
    return {{5ms, b.bytes()}};
  });
  w.endpoint_is("192.0.2.1:8443", connects(1ms));
  CHECK(w.connected(origin).end() == "4.1@6");
  CHECK_FALSE(asked(w, "cdn.test", rr_type::a));  // known already
}

TEST_CASE(
    "HE-12: an HTTPS record that is late is not waited for; what it says later is for what has not been started") {
  simulated_world w;
  zone z = with_https({binding_data(1, "svc.test", port(8443))});
  z.later[{"www.test", rr_type::https}] = 100ms;
  w.server(0, z).endpoint_is("192.0.2.1:443", refuses(400ms)).endpoint_is("192.0.2.2:8443", connects(1ms));
  CHECK(w.connected(origin).end() == "4.2@306");
  CHECK(opened(w) == "192.0.2.1:443@55 192.0.2.2:8443@305");
}

TEST_CASE("HE-12: an HTTPS record that never comes costs the Resolution Delay") {
  simulated_world w;
  zone z = usual_zone();
  z.later[{"www.test", rr_type::https}] = duration::max();
  w.server(0, z).endpoint_is("192.0.2.1:443", connects(1ms));
  CHECK(w.connected(origin).end() == "4.1@56");
}

TEST_CASE("HE-12, SEL-07: addresses of the record's host that do not come cost the time of an attempt") {
  simulated_world w;
  zone z = with_https({binding_data(1, "svc.test")});
  z.later = {{{"svc.test", rr_type::a}, duration::max()}, {{"svc.test", rr_type::aaaa}, duration::max()}};
  w.server(0, z).endpoint_is("192.0.2.1:443", connects(1ms));
  CHECK(w.connected(origin).end() == "4.1@256");
}

TEST_CASE("HE-13: hints of another host are used until its addresses are here") {
  const octets hints = svc_param(4, address_data("192.0.2.50"));
  simulated_world slow;
  zone z = with_https({binding_data(1, "svc.test", hints)});
  z.later = {{{"svc.test", rr_type::a}, 300ms}};
  slow.server(0, z).endpoint_is("192.0.2.50:443", connects(1ms));
  CHECK(slow.connected(origin).end() == "4.50@11");

  simulated_world quick;
  quick.server(0, with_https({binding_data(1, "svc.test", hints)})).endpoint_is("192.0.2.2:443", connects(1ms));
  CHECK(quick.connected(origin).end() == "4.2@11");
  CHECK(opened(quick) == "192.0.2.2:443@10");
}

TEST_CASE("HE-13: hints of a family that is not wanted are left alone") {
  simulated_world w;
  w.server(0, with_https({binding_data(1, "svc.test", svc_param(6, address_data("2001:db8::50")))}));
  w.endpoint_is("192.0.2.2:443", connects(1ms)).endpoint_is("[2001:db8::50]:443", connects(1ms));
  CHECK(w.connected(origin, {.families = families::ipv4_only}).end() == "4.2@11");
}

TEST_CASE("SEL-07: records that name many hosts cost a bounded number of questions") {
  std::vector<octets> records;
  for (unsigned n = 1; n <= 60; ++n) records.push_back(binding_data(n, "h" + std::to_string(n) + ".test"));
  simulated_world w;
  w.server(0, with_https(std::move(records))).endpoint_is("192.0.2.1:443", connects(1ms));
  CHECK(short_name(w.connected(origin).peer) == "4.1");
  CHECK(w.queries.size() <= 3 + 2 * core::most_other_hosts);
}

TEST_CASE("SEL-07: a name with HTTPS records and no addresses is there, and the search list goes no further") {
  simulated_world w;
  w.system.dns = core::parse_resolv_conf("search corp.test\n");
  zone z;
  z.records[{"apex.test", rr_type::https}] = {binding_data(0, "svc.test")};
  z.addresses = {{"svc.test", {"192.0.2.2"}}, {"apex.test.corp.test", {"192.0.2.66"}}};
  z.later[{"apex.test", rr_type::https}] = 20ms;
  w.server(0, z).endpoint_is("192.0.2.2:443", connects(1ms));
  CHECK(w.connected("https://apex.test").end() == "4.2@26");
  CHECK_FALSE(asked(w, "apex.test.corp.test", rr_type::a));
}

}  // namespace
}  // namespace lbresolve::test
