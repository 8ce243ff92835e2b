// Whole connects that remember: which address is used, who waits, and what is looked at in the background.
#include "support/simulated_world.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace lbresolve::test {
namespace {

using core::rr_type;
using state = endpoint_state;

constexpr duration rtt = 20ms;
constexpr duration dns = 5ms;

std::string four(unsigned n) { return "192.0.2." + std::to_string(n); }
std::string six(unsigned n) { return "2001:db8::" + std::to_string(n); }
std::string at443(const std::string& a) { return a.find(':') == std::string::npos ? a + ":443" : "[" + a + "]:443"; }

std::vector<std::string> fours(unsigned first, unsigned last) {
  std::vector<std::string> out;
  for (unsigned n = first; n <= last; ++n) out.push_back(four(n));
  return out;
}

/// A world with the defaults of selection, and a program that connects again and again.
struct program {
  simulated_world w;
  std::vector<std::uint64_t> ids;

  explicit program(std::size_t servers = 1, std::uint64_t seed = 1) : w(servers, seed) {
    w.chosen.selection.policy = policy::balanced;
    w.chosen.selection.probing = true;
  }

  program& is(const std::string& address, behaviour b) {
    w.endpoint_is(at443(address), b);
    return *this;
  }
  program& all_are(unsigned first, unsigned last, behaviour b) {
    for (unsigned n = first; n <= last; ++n) is(four(n), b);
    return *this;
  }
  program& later(duration at, std::function<void()> what) {
    w.at(at, std::move(what));
    return *this;
  }
  program& connects_to(const std::string& name, duration from, duration until, duration every = 1s) {
    for (duration at = from; at < until; at += every)
      w.at(at, [this, name] { ids.push_back(w.connect(name + ":443")); });
    return *this;
  }
  program& run(duration limit) {
    w.run(limit);
    return *this;
  }

  const world_outcome& outcome(std::size_t i) { return w.outcome(ids.at(i)); }
  duration took(std::size_t i) { return outcome(i).story->took; }
  /// The connects that ended from then on until then.
  std::vector<const world_outcome*> ended(duration from, duration until) {
    std::vector<const world_outcome*> out;
    for (const auto id : ids)
      if (const auto& o = w.outcome(id); o.done && o.at >= from && o.at < until) out.push_back(&o);
    return out;
  }
  std::size_t waited(duration from, duration until, duration over = 60ms) {
    const auto some = ended(from, until);
    return static_cast<std::size_t>(
        std::count_if(some.begin(), some.end(), [&](const auto* o) { return o->story->took > over; }));
  }
  std::map<std::string, std::size_t> peers(duration from, duration until) {
    std::map<std::string, std::size_t> out;
    for (const auto* o : ended(from, until)) ++out[o->connected ? o->peer.address.to_string() : "none"];
    return out;
  }
  static std::size_t sockets(const std::vector<std::pair<duration, std::string>>& of, const std::string& address,
                             duration from = {}, duration until = duration::max()) {
    return static_cast<std::size_t>(std::count_if(of.begin(), of.end(), [&](const auto& o) {
      return o.second == at443(address) && o.first >= from && o.first < until;
    }));
  }
  std::size_t opened(const std::string& a, duration from = {}, duration until = duration::max()) {
    return sockets(w.opened, a, from, until);
  }
  std::size_t probed(const std::string& a, duration from = {}, duration until = duration::max()) {
    return sockets(w.probed, a, from, until);
  }
  endpoint_state state_of(const std::string& address) {
    for (const auto& r : w.memory().records(w.now()))
      if (r.endpoint.address.to_string() == address) return r.state;
    return state::unknown;
  }
};

// ---- an address dies and comes back

TEST_CASE("MEM-01: an address dies inside its TTL: one connect waits on it, then none until it is back") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    CAPTURE(seed);
    program p(1, seed);
    p.w.server(0, zone{.addresses = {{"a.test", fours(1, 4)}}, .ttl = 300});
    p.all_are(1, 4, connects(rtt)).connects_to("a.test", 0s, 200s);
    p.later(20500ms, [&] { p.is(four(2), black_holed()); }).run(210s);
    CHECK(p.waited(0s, 20s) == 0);
    CHECK(p.waited(20s, 200s) == 1);
    CHECK(p.peers(0s, 210s)["none"] == 0);
    CHECK(p.probed(four(2), 20s) > 3);
  }
}

TEST_CASE("MEM-01: refused instead of silent: nobody waits at all") {
  program p;
  p.w.server(0, zone{.addresses = {{"a.test", fours(1, 4)}}, .ttl = 300});
  p.all_are(1, 4, connects(rtt)).connects_to("a.test", 0s, 120s);
  p.later(20500ms, [&] { p.is(four(2), refuses(1ms)); }).run(130s);
  CHECK(p.waited(0s, 120s) == 0);
  CHECK(p.opened(four(2), 20500ms) == 1);
}

TEST_CASE("MEM-01: of many connects at once those wait that started before the first delay was over") {
  program p;
  p.w.server(0, zone{.addresses = {{"a.test", fours(1, 4)}}, .ttl = 300});
  p.all_are(1, 4, connects(rtt)).connects_to("a.test", 0s, 60s, 20ms);
  p.later(20500ms, [&] { p.is(four(2), black_holed()); }).run(70s);
  CHECK(p.waited(20500ms, 60s) > 0);
  const auto first = std::find_if(p.w.opened.begin(), p.w.opened.end(),
                                  [](const auto& o) { return o.first >= 20500ms && o.second == at443(four(2)); });
  REQUIRE(first != p.w.opened.end());
  CHECK(p.opened(four(2), first->first, 60s) == p.opened(four(2), first->first, first->first + 101ms));
}

TEST_CASE("MEM-02: it comes back: it is probed within 60 s, and its share grows") {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    CAPTURE(seed);
    program p(1, seed);
    p.w.server(0, zone{.addresses = {{"a.test", fours(1, 4)}}, .ttl = 300});
    p.all_are(1, 4, connects(rtt)).connects_to("a.test", 0s, 120s).connects_to("a.test", 120s, 230s, 50ms);
    p.later(10500ms, [&] { p.is(four(2), black_holed()); });
    p.later(120s, [&] { p.is(four(2), connects(rtt)); }).run(240s);
    CHECK(p.opened(four(2), 10500ms, 120s) <= 1);
    duration back = duration::max();
    for (const auto& [when, to] : p.w.probed)
      if (when >= 120s && to == at443(four(2))) back = std::min(back, when);
    REQUIRE(back < 120s + 62s);  // a probe that had begun before takes 2 s to fail
    CHECK(p.opened(four(2), 120s, back) == 0);
    CHECK(p.peers(back, back + 2s)[four(2)] <= 7);  // of 40: an even share would be 10
    const auto full = p.peers(back + 15s, back + 45s);
    CHECK(full.at(four(2)) > 110);  // of 600: an even share is 150
    CHECK(full.at(four(2)) < 190);
    CHECK(p.waited(120s, 230s) == 0);
  }
}

TEST_CASE("MEM-03: what one name has learned of an endpoint spares another name the wait") {
  program p;
  p.w.server(0, zone{.addresses = {{"a.test", fours(1, 2)}, {"b.test", fours(2, 3)}}, .ttl = 5});
  p.all_are(1, 3, connects(rtt)).is(four(2), black_holed());
  p.connects_to("a.test", 0s, 10s).connects_to("b.test", 10s, 20s).run(20500ms);
  CHECK(p.waited(0s, 10s) == 1);
  CHECK(p.waited(10s, 20s) == 0);
}

// ---- everything fails

TEST_CASE("MEM-06: all fail at once: nobody is ejected, the story says so, and all is well when it is over") {
  for (const bool refused : {true, false}) {
    CAPTURE(refused);
    program p;
    p.w.server(0, zone{.addresses = {{"a.test", fours(1, 4)}}, .ttl = 300});
    p.all_are(1, 4, connects(rtt)).connects_to("a.test", 0s, 60s);
    p.later(10500ms, [&] { p.all_are(1, 4, refused ? refuses(1ms) : black_holed()); });
    std::size_t ejected = 0;
    for (int second = 12; second < 40; ++second)
      p.later(second * 1s, [&] {
        for (const auto& r : p.w.memory().records(p.w.now())) ejected += r.state == state::ejected ? 1U : 0U;
      });
    p.later(40s, [&] { p.all_are(1, 4, connects(rtt)); }).run(80s);
    CHECK(ejected == 0);
    for (std::size_t i = 41; i < 60; ++i) CHECK(p.took(i) <= rtt + dns);
    const auto has_note = [](const world_outcome* o) {
      return std::any_of(o->story->notes.begin(), o->story->notes.end(),
                         [](const std::string& n) { return n.find("local network") != std::string::npos; });
    };
    const auto some = p.ended(14s, 60s);
    CHECK(std::any_of(some.begin(), some.end(), has_note));
  }
}

// ---- families

TEST_CASE("MEM-09: all IPv6 black-holed: the first connect takes RD + CAD + RTT at most, the next ones 1.1 RTT") {
  program p;
  p.w.server(0, zone{.addresses = {{"a.test", {six(1), six(2), four(1), four(2)}}}, .ttl = 300});
  p.all_are(1, 2, connects(rtt)).connects_to("a.test", 0s, 60s).run(70s);
  CHECK(p.took(0) <= 50ms + 250ms + rtt + dns);
  for (std::size_t i = 1; i < p.ids.size(); ++i) {
    CAPTURE(i);
    // Every 30 s the address that is not there is asked for again, which is DNS's time.
    CHECK(p.took(i) <= rtt + rtt / 10 + (p.outcome(i).story->queries.empty() ? 0ms : dns));
  }
}

TEST_CASE("MEM-09: two names have shown that IPv6 does not work: a third name's first connect starts with IPv4") {
  for (const behaviour& broken : {black_holed(), unreachable()}) {
    program p;
    p.w.server(0, zone{.addresses = {{"a.test", {six(1), four(1)}},
                                     {"b.test", {six(2), four(2)}},
                                     {"c.test", {six(3), six(4), four(3)}}},
                       .ttl = 300});
    p.all_are(1, 3, connects(rtt));
    for (unsigned n = 1; n <= 4; ++n) p.is(six(n), broken);
    p.connects_to("a.test", 0s, 1s).connects_to("b.test", 10s, 11s).connects_to("c.test", 20s, 21s).run(21s);
    CHECK(p.took(2) <= rtt + dns);
    CHECK(p.opened(six(3)) + p.opened(six(4)) == 0);
  }
}

TEST_CASE("MEM-09: one dead IPv6 server alone demotes nothing else, whatever number of names stand for it") {
  program p;
  p.w.server(
      0,
      zone{.addresses = {{"a.test", {six(1), four(1)}}, {"b.test", {six(1), four(2)}}, {"c.test", {six(3), four(3)}}},
           .ttl = 300});
  p.all_are(1, 3, connects(rtt)).is(six(1), black_holed()).is(six(3), connects(rtt));
  p.connects_to("a.test", 0s, 1s).connects_to("b.test", 10s, 11s).connects_to("c.test", 20s, 25s).run(25s);
  CHECK(p.peers(20s, 25s)[six(3)] == 5);
}

TEST_CASE("MEM-09: IPv6 is back: it is used again within a minute") {
  for (const bool unrouted : {false, true}) {
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
      CAPTURE(unrouted);
      CAPTURE(seed);
      program p(1, seed);
      p.w.server(0, zone{.addresses = {{"a.test", {six(1), four(1)}},
                                       {"b.test", {six(2), four(2)}},
                                       {"c.test", {six(3), four(3)}}},
                         .ttl = 3600});
      p.all_are(1, 3, connects(rtt));
      for (unsigned n = 1; n <= 3; ++n) p.is(six(n), unrouted ? unreachable() : black_holed());
      for (const char* name : {"a.test", "b.test", "c.test"}) p.connects_to(name, 0s, 900s, 5s);
      p.later(600s, [&] {
        for (unsigned n = 1; n <= 3; ++n) p.is(six(n), connects(rtt));
      });
      p.run(900s);
      const auto before = p.peers(10s, 600s);
      for (unsigned n = 1; n <= 3; ++n) CHECK(before.count(six(n)) == 0);
      auto after = p.peers(665s, 900s);
      CHECK(after[six(1)] + after[six(2)] + after[six(3)] == p.ended(665s, 900s).size());
      CHECK(p.w.probed.size() < 200);  // every 30 s for each of three, and the measurements of the others
    }
  }
}

// ---- modes

/// Shows three of eight in turn.
server_script cyclic(std::uint32_t ttl) {
  return [ttl, turn = 0U](const sent_query& q) mutable -> std::vector<scripted_reply> {
    if (q.asked.type != rr_type::a) return {{dns, make_reply(q, {})}};
    std::vector<std::string> shown;
    for (unsigned i = 0; i < 3; ++i) shown.push_back(four((turn * 3 + i) % 8 + 1));
    ++turn;
    return {{dns, make_reply(q, shown, ttl)}};
  };
}

TEST_CASE("SEL-02: mode client uses all eight of a server that shows three in turn, mode hybrid the newest three") {
  for (const selection_mode mode : {selection_mode::client, selection_mode::hybrid}) {
    CAPTURE(to_string(mode));
    program p;
    p.w.chosen.selection.mode = mode;
    p.w.chosen.cache.prefetch = false;  // so that the answers change every 30 s sharp
    p.w.server(0, cyclic(30));
    p.all_are(1, 8, connects(rtt)).connects_to("a.test", 0s, 200s, 500ms).run(210s);
    const auto peers = p.peers(100s, 120s);
    CHECK(peers.size() == (mode == selection_mode::client ? 8 : 3));
    CHECK(p.w.memory().behaviour_of("a.test:443") == name_behaviour::rotating_subset);
  }
}

TEST_CASE("SEL-02: with a window of zero mode client uses each address strictly until its own TTL") {
  program p;
  p.w.chosen.selection.mode = selection_mode::client;
  p.w.chosen.selection.rotation_window = 0s;
  p.w.chosen.cache.prefetch = false;
  p.w.server(0, cyclic(30));
  p.all_are(1, 8, connects(rtt)).connects_to("a.test", 0s, 100s, 500ms).run(110s);
  CHECK(p.peers(10s, 29s).size() == 3);
  CHECK(p.peers(31s, 59s).size() == 3);
  CHECK(p.peers(31s, 59s).count(four(1)) == 0);
}

TEST_CASE("SEL-03, MEM-04: an address that the newest answer withdrew gets no new connects, nor probes") {
  program p;
  bool withdrawn = false;
  p.w.server(0, [&](const sent_query& q) -> std::vector<scripted_reply> {
    if (q.asked.type != rr_type::a) return {{dns, make_reply(q, {})}};
    return {{dns, make_reply(q, withdrawn ? fours(2, 4) : fours(1, 4), 30)}};
  });
  p.all_are(1, 4, connects(rtt)).connects_to("a.test", 0s, 300s, 200ms);
  p.later(20s, [&] { withdrawn = true; }).run(310s);
  CHECK(p.opened(four(1), 0s, 30s) > 20);
  CHECK(p.opened(four(1), 31s) == 0);
  CHECK(p.probed(four(1), 31s) == 0);
  CHECK(p.w.memory().behaviour_of("a.test:443") == name_behaviour::filtered);
}

/// The first server repeats what it has in its cache; the second knows better from `moved` on.
struct moving_name {
  program p{2};
  bool moved = false;
  std::vector<std::pair<duration, std::size_t>> asked;  // when and whom, for A

  moving_name() {
    const auto answering = [this](std::size_t server) {
      return [this, server](const sent_query& q) -> std::vector<scripted_reply> {
        if (q.asked.type != rr_type::a) return {{dns, make_reply(q, {}, 60, 0, false, 3600)}};
        asked.emplace_back(q.at, server);
        return {{dns, make_reply(q, moved && server == 1 ? fours(5, 6) : fours(1, 3), 300)}};
      };
    };
    p.w.server(0, answering(0)).server(1, answering(1));
    p.all_are(1, 6, connects(rtt));
  }
  std::size_t asked_between(duration from, duration until) const {
    return static_cast<std::size_t>(
        std::count_if(asked.begin(), asked.end(), [&](const auto& a) { return a.first >= from && a.first < until; }));
  }
};

TEST_CASE("SEL-04: the whole subset fails: the name is asked again at once, of the other upstream first") {
  moving_name m;
  m.p.connects_to("a.test", 0s, 10s).connects_to("a.test", 20s, 21s);
  m.p.later(15s, [&] {
    m.moved = true;
    m.p.all_are(1, 3, refuses(1ms));
  });
  m.p.run(30s);
  REQUIRE(m.asked.size() >= 2);
  CHECK(m.asked[0].second == 0);
  CHECK(m.asked[1].second == 1);
  CHECK(m.asked[1].first <= 20s + 3ms);
  const auto& last = m.p.outcome(10);
  CHECK(last.connected);
  CHECK(last.story->took <= 3ms + dns + rtt);
}

TEST_CASE("SEL-04: one query for all who wait") {
  moving_name m;
  m.p.connects_to("a.test", 0s, 10s);
  for (int i = 0; i < 50; ++i) m.p.connects_to("a.test", 20s, 21s);
  m.p.later(15s, [&] {
    m.moved = true;
    m.p.all_are(1, 3, refuses(1ms));
  });
  m.p.run(30s);
  CHECK(m.asked.size() == 2);
  CHECK(m.p.peers(20s, 22s)["none"] == 0);
  CHECK(m.p.ended(20s, 22s).size() == 50);
}

TEST_CASE("SEL-04: not again within 5 s, however many fail") {
  moving_name m;
  m.p.connects_to("a.test", 0s, 10s).connects_to("a.test", 20s, 60s, 100ms);
  m.p.later(15s, [&] { m.p.all_are(1, 3, refuses(1ms)); });  // and nobody knows better
  m.p.run(70s);
  CHECK(m.asked_between(20s, 24900ms) == 1);
  CHECK(m.asked_between(20s, 60s) <= 8);
  CHECK(m.asked_between(20s, 60s) >= 4);
}

TEST_CASE("SEL-05: a single address is not probed and not ejected, and its failure leads to a new lookup") {
  program p;
  int asked = 0;
  p.w.server(0, [&](const sent_query& q) -> std::vector<scripted_reply> {
    if (q.asked.type != rr_type::a) return {{dns, make_reply(q, {}, 60, 0, false, 3600)}};
    ++asked;
    return {{dns, make_reply(q, {four(1)}, 300)}};
  });
  p.is(four(1), connects(rtt)).connects_to("a.test", 0s, 60s);
  p.later(9500ms, [&] { p.is(four(1), refuses(1ms)); });
  p.later(30500ms, [&] {
    CHECK(p.state_of(four(1)) == state::suspect);
    p.is(four(1), connects(rtt));
  });
  p.run(70s);
  CHECK(p.w.probed.empty());
  CHECK(asked >= 2);
  CHECK(p.opened(four(1), 10s, 30s) >= 20);  // tried each time all the same
  CHECK(p.peers(31s, 60s)["none"] == 0);
}

// ---- shares

TEST_CASE("SEL-10: at a connect a second one of eight at +80 ms gets 3 % at most of 10,000") {
  program p;
  p.w.server(0, zone{.addresses = {{"a.test", fours(1, 8)}}, .ttl = 300});
  p.all_are(1, 8, connects(rtt)).is(four(3), connects(rtt + 80ms)).connects_to("a.test", 0s, 10'030s).run(4h);
  const auto peers = p.peers(30s, 11'000s);
  CHECK(peers.at(four(1)) > 1'100);
  CHECK(p.opened(four(3), 30s) <= 300);
}

TEST_CASE("SEL-10: one at 5 ms and seven at 80: the near one gets at least 80 % after 16 connects") {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    program p(1, seed);
    p.w.server(0, zone{.addresses = {{"a.test", fours(1, 8)}}, .ttl = 300});
    p.all_are(1, 8, connects(80ms)).is(four(5), connects(5ms)).connects_to("a.test", 0s, 1'016s).run(1h);
    CHECK(p.peers(16s, 1'017s)[four(5)] >= 800);
  }
}

TEST_CASE("SEL-12: a host that refuses in 0.1 ms never gains share") {
  program p;
  p.w.server(0, zone{.addresses = {{"a.test", fours(1, 4)}}, .ttl = 300});
  p.all_are(1, 4, connects(rtt)).is(four(2), refuses(100us)).connects_to("a.test", 0s, 1'000s).run(2h);
  CHECK(p.opened(four(2)) <= 3);
  CHECK(p.peers(0s, 1'001s)["none"] == 0);
}

TEST_CASE("SEL-12: nor one that accepts every other connect and refuses the others at once") {
  program p;
  p.w.server(0, zone{.addresses = {{"a.test", fours(1, 4)}}, .ttl = 300});
  p.all_are(1, 4, connects(rtt)).connects_to("a.test", 0s, 1'000s);
  for (int i = 0; i < 1'000; ++i)
    p.later(i * 1s + 500ms, [&p, i] { p.is(four(2), i % 2 == 0 ? refuses(100us) : connects(1ms)); });
  p.run(2h);
  CHECK(p.peers(30s, 1'001s)[four(2)] < 150);  // an even share would be 240, the nearest's nearly all
}

// ---- probes

TEST_CASE("MEM-11: probes stay within 1 % of the connects and one a second, and none for idle names") {
  program p;
  p.w.server(0, zone{.addresses = {{"a.test", fours(1, 60)}}, .ttl = 300});
  p.all_are(1, 60, connects(rtt));
  p.connects_to("a.test", 0s, 100s, 100ms).run(1h);
  for (int second = 0; second < 100; ++second) {
    const auto from = second * 1s;
    const auto n = std::count_if(p.w.probed.begin(), p.w.probed.end(),
                                 [&](const auto& o) { return o.first >= from && o.first < from + 10s; });
    CHECK(n <= 10 + 1 + 2);  // and what was saved up
  }
  CHECK_FALSE(p.w.probed.empty());
  CHECK(p.w.probed.back().first < 161s);
}

TEST_CASE("MEM-08: a host that has run out of descriptors ejects nobody") {
  program p;
  p.w.server(0, zone{.addresses = {{"a.test", fours(1, 4)}}, .ttl = 300});
  p.all_are(1, 4, connects(rtt)).connects_to("a.test", 0s, 60s);
  p.later(10500ms, [&] { p.all_are(1, 4, fails(0ms, EMFILE)); });
  p.later(20500ms, [&] {
    for (unsigned n = 1; n <= 4; ++n) CHECK(p.state_of(four(n)) == state::healthy);
    p.all_are(1, 4, connects(rtt));
  });
  p.run(70s);
  CHECK(p.peers(21s, 60s).size() == 4);
}

TEST_CASE("MEM-10: on another network everything is learned anew") {
  program p;
  p.w.server(0, zone{.addresses = {{"a.test", fours(1, 4)}}, .ttl = 300});
  p.all_are(1, 4, connects(rtt)).is(four(2), refuses(1ms)).connects_to("a.test", 0s, 60s);
  p.later(30500ms, [&] { p.w.memory().use_network(9, p.w.now()); }).run(70s);
  CHECK(p.opened(four(2), 10s, 30s) == 0);
  CHECK(p.opened(four(2), 31s) + p.probed(four(2), 31s) >= 1);
}

}  // namespace
}  // namespace lbresolve::test
