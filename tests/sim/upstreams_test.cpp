// Choosing among simulated upstreams in virtual time: by order, by speed, at once, by domain, after failures.
#include "support/simulated_world.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>

namespace lbresolve::test {

namespace {

const resolve_options v4_only{.families = families::ipv4_only};

zone answering(duration after, const std::string& address = "192.0.2.1") {
  return {.addresses = {{"example.test", {address}}, {"a.corp.test", {address}}}, .ttl = 0, .after = after};
}

server_script refusing(unsigned rcode) {
  return [rcode](const sent_query& q) -> std::vector<scripted_reply> { return {{1ms, make_reply(q, {}, 0, rcode)}}; };
}

server_script nobody_there() {
  return [](const sent_query&) -> std::vector<scripted_reply> {
    return {{1ms, {}, std::error_code(ECONNREFUSED, std::system_category())}};
  };
}

/// How many of the queries from number `first` on went to `server`.
std::size_t asked_of(const simulated_world& w, std::size_t server, std::size_t first = 0) {
  return static_cast<std::size_t>(std::count_if(w.queries.begin() + static_cast<std::ptrdiff_t>(first), w.queries.end(),
                                                [&](const sent_query& q) { return q.server == server; }));
}

void look_up(simulated_world& w, int times, duration pause = 10ms) {
  for (int i = 0; i < times; ++i) CHECK(w.pass(pause).resolved("example.test", v4_only).endpoints.size() == 1);
}

bool is_probe(const sent_query& q) { return q.asked.name.is_root() && q.asked.type == core::rr_type::soa; }

}  // namespace

TEST_CASE("of servers that the user lists, the fastest gets the questions once it is known") {
  simulated_world w(3);
  w.server(0, answering(40ms)).server(1, answering(20ms)).server(2, answering(5ms));
  look_up(w, 1);
  CHECK(w.queries.front().server == 0);  // in their order while nothing is known
  look_up(w, 200);
  const std::size_t known = w.queries.size();
  look_up(w, 200);
  CHECK(asked_of(w, 2, known) >= 180);
  CHECK(asked_of(w, 0, known) >= 1);  // one in twenty explores
  CHECK(w.open_exchanges.empty());
}

TEST_CASE("who explores waits no longer than the hedge of the fastest") {
  simulated_world w(2);
  w.server(0, answering(5ms));
  duration longest{};
  for (int i = 0; i < 300; ++i) {
    const auto begun = w.pass(10ms).now();
    CHECK(w.resolved("example.test", v4_only).endpoints.size() == 1);
    longest = std::max(longest, w.now() - begun);
  }
  CHECK(asked_of(w, 1) >= 1);
  CHECK(longest <= 55ms);
}

TEST_CASE("in order means in order, however fast the others are") {
  simulated_world w(2);
  w.chosen.query.choice = upstream_choice::ordered;
  w.server(0, answering(40ms)).server(1, answering(5ms));
  look_up(w, 100);
  CHECK(asked_of(w, 0) == 100);
  CHECK(asked_of(w, 1) == 0);
}

TEST_CASE("the system's servers are asked in their order, unless told otherwise") {
  for (const bool told : {false, true}) {
    simulated_world w(2);
    w.chosen.servers.clear();
    if (told) w.chosen.query.choice = upstream_choice::fastest;
    w.system.dns = core::parse_resolv_conf("nameserver 198.51.100.1\nnameserver 198.51.100.2\n");
    w.server(0, answering(40ms)).server(1, answering(5ms));
    look_up(w, 200);
    CHECK((asked_of(w, 1) > 100) == told);
    CHECK((asked_of(w, 1) == 0) == !told);
  }
}

TEST_CASE("a race asks two servers at once, and no more") {
  simulated_world w(3);
  w.chosen.query.choice = upstream_choice::race;
  w.server(0, answering(40ms)).server(1, answering(5ms)).server(2, answering(1ms));
  const auto o = w.resolved("example.test", v4_only);
  CHECK(o.at == 5ms);
  REQUIRE(w.queries.size() == 2);
  CHECK(w.queries[0].at == w.queries[1].at);
  CHECK(w.queries[0].server != w.queries[1].server);
  CHECK(w.open_exchanges.empty());
}

TEST_CASE("a race among one server is a query") {
  simulated_world w;
  w.chosen.query.choice = upstream_choice::race;
  w.server(0, answering(5ms));
  CHECK(w.resolved("example.test", v4_only).at == 5ms);
  CHECK(w.queries.size() == 1);
}

TEST_CASE("an upstream that refuses or fails what another answers sinks nothing, and is soon asked last") {
  for (const unsigned rcode : {2U, 5U}) {
    CAPTURE(rcode);
    simulated_world w(2);
    w.server(0, refusing(rcode)).server(1, answering(20ms));
    look_up(w, 2);
    const std::size_t known = w.queries.size();
    look_up(w, 50, 100ms);
    CHECK(asked_of(w, 1, known) == 50);
    CHECK(asked_of(w, 0, known) <= 10);
  }
}

TEST_CASE("an upstream that fails a name which nobody can answer is not blamed for it") {
  simulated_world w(2);
  w.server(0, refusing(2)).server(1, refusing(2));
  CHECK(w.resolved("broken.test", v4_only).failed);
  w.server(0, answering(5ms)).server(1, answering(5ms));
  const std::size_t known = w.queries.size();
  look_up(w, 1);
  CHECK(asked_of(w, 0, known) == 1);
}

TEST_CASE("SEC-06: a stream with a malformed or cut answer fails that upstream, and the next one answers") {
  for (const bool cut : {false, true}) {
    simulated_world w(2);
    w.chosen.servers = {"tcp://198.51.100.1", "198.51.100.2"};
    w.server(0, [cut](const sent_query& q) -> std::vector<scripted_reply> {
      auto reply = make_reply(q, {"192.0.2.1"}, 0, 0, cut);
      if (!cut) reply.resize(reply.size() - 3);
      return {{1ms, reply}};
    });
    w.server(1, answering(5ms));
    const auto o = w.resolved("example.test", v4_only);
    CHECK(o.endpoints.size() == 1);
    CHECK(o.at == 6ms);
    const std::size_t known = w.queries.size();
    look_up(w, 3);
    CHECK(asked_of(w, 0, known) == 0);  // its backoff of a second
  }
}

TEST_CASE("DNS-09: a failed upstream is probed in the background, and used again when it answers") {
  simulated_world w(2);
  w.chosen.query.probing = true;
  w.chosen.query.choice = upstream_choice::ordered;
  w.server(1, answering(5ms));
  w.at(10s, [&] { w.server(0, answering(5ms, "192.0.2.7")); });
  for (int i = 1; i < 300; ++i) w.at(i * 100ms, [&] { w.resolve("example.test", v4_only); });
  w.resolve("example.test", v4_only);
  w.run(30s);
  // One lookup found out that it is dead; from then on only probes go there, until one is answered.
  const auto first_back = std::find_if(w.queries.begin() + 1, w.queries.end(),
                                       [](const sent_query& q) { return q.server == 0 && !is_probe(q) && q.at > 1s; });
  REQUIRE(first_back != w.queries.end());
  CHECK(first_back->at > 10s);
  CHECK(first_back->at < 20s);
  const auto probes = std::count_if(w.queries.begin(), first_back, is_probe);
  CHECK(probes >= 3);
  CHECK(probes <= 8);
  for (const sent_query& q : w.queries) CHECK((!is_probe(q) || q.server == 0));
  CHECK(w.outcome(299).endpoints.size() == 1);
  CHECK(short_name(w.outcome(299).endpoints[0]) == "4.7");
}

TEST_CASE("DNS-09: a failed upstream is not probed for ever by a client that asks nothing") {
  simulated_world w(2);
  w.chosen.query.probing = true;
  w.server(1, answering(5ms));
  w.resolved("example.test", v4_only);
  const auto probes = std::count_if(w.queries.begin(), w.queries.end(), is_probe);
  CHECK(probes >= 3);
  CHECK(probes <= 12);
  CHECK(w.queries.back().at < 65s);
  CHECK(w.open_exchanges.empty());
  // The next question starts them again, and does not wait for them.
  const auto begun = w.pass(10min).now();
  const auto id = w.resolve("example.test", v4_only);
  w.server(0, answering(5ms)).run();
  CHECK(w.outcome(id).at == begun - core::time_point(1h) + 5ms);
  CHECK(std::count_if(w.queries.begin(), w.queries.end(), is_probe) == probes + 1);
}

TEST_CASE("a lone upstream is not probed: every question asks it anyway") {
  simulated_world w;
  w.chosen.query.probing = true;
  w.server(0, nobody_there());
  CHECK(w.resolved("example.test", v4_only).failed);
  CHECK(std::count_if(w.queries.begin(), w.queries.end(), is_probe) == 0);
}

// ---- domains

TEST_CASE("a domain with servers of its own is asked of them and of nobody else; the longest domain counts") {
  simulated_world w(3);
  w.chosen.servers = {"198.51.100.1"};
  w.chosen.domain_servers = {{"corp.test", {"198.51.100.2"}}, {"Lab.Corp.Test.", {"198.51.100.3"}}};
  const zone all{{{"example.test", {"192.0.2.1"}},
                  {"corp.test", {"192.0.2.2"}},
                  {"a.corp.test", {"192.0.2.2"}},
                  {"b.lab.corp.test", {"192.0.2.3"}},
                  {"notcorp.test", {"192.0.2.1"}}}};
  for (std::size_t i = 0; i < 3; ++i) w.server(i, all);
  const std::pair<const char*, std::size_t> cases[] = {
      {"example.test", 0}, {"corp.test", 1}, {"a.corp.test", 1}, {"b.lab.corp.test", 2}, {"notcorp.test", 0}};
  for (const auto& [name, server] : cases) {
    CHECK(w.resolved(name, v4_only).endpoints.size() == 1);
    CHECK(w.queries.back().server == server);
  }
  CHECK(w.queries.size() == 5);
}

TEST_CASE("a domain whose own servers are dead fails, and the others never hear of it") {
  simulated_world w(2);
  w.chosen.servers = {"198.51.100.1"};
  w.chosen.domain_servers = {{"corp.test", {"198.51.100.2"}}};
  w.server(0, answering(5ms)).server(1, nobody_there());
  const auto o = w.resolved("a.corp.test", v4_only);
  REQUIRE(o.failed);
  CHECK(o.failed->message() == "no upstream could answer for a.corp.test: 198.51.100.2:53: Connection refused");
  CHECK(asked_of(w, 0) == 0);
}

}  // namespace lbresolve::test
