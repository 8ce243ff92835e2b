// What goes to simulated upstreams with TLS, and what comes of their answers. The transports themselves are io's.
#include "support/simulated_world.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>

namespace lbresolve::test {

namespace {

const resolve_options v4_only{.families = families::ipv4_only};
const zone example{{{"example.test", {"192.0.2.1"}}}};

/// The octets of the padding option (RFC 7830), or nothing.
std::optional<std::size_t> padding_of(const sent_query& q) {
  const auto opt = core::message::parse(q.bytes).value().opt();
  if (!opt) return std::nullopt;
  for (auto rest = opt->options; rest.size() >= 4;) {
    const std::size_t code = std::size_t{rest[0]} << 8 | rest[1], size = std::size_t{rest[2]} << 8 | rest[3];
    if (code == 12) return size;
    rest = rest.subspan(4 + size);
  }
  return std::nullopt;
}

bool asks_for_ad(const sent_query& q) { return (q.bytes[3] & 0x20U) != 0; }

/// A server that says that it has validated the answer.
server_script validating(duration after = 5ms) {
  return [after](const sent_query& q) -> std::vector<scripted_reply> {
    auto reply = make_reply(q, {"192.0.2.1"});
    reply[3] = static_cast<std::uint8_t>(reply[3] | 0x20U);
    return {{after, reply}};
  };
}

}  // namespace

TEST_CASE("DNS-16: queries over TLS and HTTPS are padded to a multiple of 128 octets, those over UDP and TCP never") {
  for (const char* name : {"example.test", "a-longer-name-than-that.example.test"}) {
    for (const char* server : {"tls://198.51.100.1", "https://dns.example/q?ip=198.51.100.1",
                               "tls-opportunistic://198.51.100.1", "198.51.100.1", "tcp://198.51.100.1"}) {
      CAPTURE(server);
      const bool encrypted = std::string(server).find("tls") == 0 || std::string(server).find("https") == 0;
      simulated_world w;
      w.chosen.servers = {server};
      w.chosen.query.client_subnet = "192.0.2.0/24";
      w.server(0, [](const sent_query& q) -> std::vector<scripted_reply> {
        return {{1ms, make_reply(q, {"192.0.2.1"})}};
      });
      CHECK(w.resolved(name, v4_only).endpoints.size() == 1);
      REQUIRE(w.queries.size() == 1);
      CHECK(padding_of(w.queries[0]).has_value() == encrypted);
      CHECK((w.queries[0].bytes.size() % 128 == 0) == encrypted);
    }
  }
}

TEST_CASE("an encrypted upstream is asked over its own transport alone, without 0x20, and the trace says so") {
  const std::pair<const char*, transport> cases[] = {{"tls://198.51.100.1#dns.example", transport::tls},
                                                     {"https://198.51.100.1/q", transport::https}};
  for (const auto& c : cases) {
    const std::string server = c.first;
    const transport over = c.second;
    CAPTURE(server);
    simulated_world w;
    w.chosen.servers = {server};
    w.server(0, example);
    const auto o = w.resolved("example.test", v4_only);
    CHECK(o.endpoints.size() == 1);
    REQUIRE(w.queries.size() == 1);
    CHECK(w.queries[0].over == over);
    const auto& bytes = w.queries[0].bytes;
    CHECK(std::none_of(bytes.begin() + 12, bytes.begin() + 26,
                       [](std::uint8_t octet) { return octet >= 'A' && octet <= 'Z'; }));
    CHECK(o.story->queries[0].over == over);
    CHECK(o.story->queries[0].upstream == core::parse_upstream(server).value().text);
  }
}

TEST_CASE("SEC-08: whatever an encrypted upstream does wrong, nothing goes out in clear text") {
  const auto malformed = [](const sent_query& q) -> std::vector<scripted_reply> {
    auto reply = make_reply(q, {"192.0.2.1"});
    reply.resize(reply.size() - 3);
    return {{1ms, reply}};
  };
  const auto truncated = [](const sent_query& q) -> std::vector<scripted_reply> {
    return {{1ms, make_reply(q, {"192.0.2.1"}, 60, 0, true)}};
  };
  const auto unreachable = [](const sent_query&) -> std::vector<scripted_reply> {
    return {{1ms, {}, std::error_code(ECONNREFUSED, std::system_category())}};
  };
  const auto no_edns = [](const sent_query& q) -> std::vector<scripted_reply> {
    if (q.has_edns()) return {{1ms, make_reply(q, {}, 0, 1, false, 0)}};
    return {{1ms, make_reply(q, {"192.0.2.1"}, 1)}};
  };
  const std::pair<const char*, server_script> scripts[] = {{"malformed", malformed},
                                                           {"truncated", truncated},
                                                           {"unreachable", unreachable},
                                                           {"no EDNS", no_edns},
                                                           {"mute", nullptr}};
  for (const auto& one : scripts) {
    const std::string what = one.first;
    CAPTURE(what);
    simulated_world w;
    w.chosen.servers = {"tls://198.51.100.1"};
    w.server(0, one.second);
    const auto o = w.resolved("example.test", v4_only);
    CHECK(o.failed.has_value() == (what != "no EDNS"));
    REQUIRE_FALSE(w.queries.empty());
    for (const sent_query& q : w.queries) CHECK(q.over == transport::tls);
    if (o.failed) CHECK(o.failed->message().find("tls://198.51.100.1:853: ") != std::string::npos);
  }
}

TEST_CASE("an encrypted upstream that fails is followed by the next one at once") {
  simulated_world w(2);
  w.chosen.servers = {"tls://198.51.100.1", "https://198.51.100.2/q"};
  w.server(0, [](const sent_query& q) -> std::vector<scripted_reply> {
    auto reply = make_reply(q, {"192.0.2.1"});
    reply.resize(reply.size() - 3);
    return {{1ms, reply}};
  });
  w.server(1, example);
  const auto o = w.resolved("example.test", v4_only);
  CHECK(o.endpoints.size() == 1);
  CHECK(o.at == 6ms);
  CHECK(o.story->queries[0].detail == "its answer was malformed");
}

TEST_CASE("DNS-03: a reused TLS connection that was closed costs one free retry") {
  simulated_world w;
  w.chosen.servers = {"tls://198.51.100.1"};
  int asked = 0;
  w.server(0, [&](const sent_query& q) -> std::vector<scripted_reply> {
    if (++asked == 1) return {{1ms, {}, std::make_error_code(std::errc::connection_aborted)}};
    return {{1ms, make_reply(q, {"192.0.2.1"})}};
  });
  CHECK(w.resolved("example.test", v4_only).endpoints.size() == 1);
  CHECK(w.queries.size() == 2);
}

TEST_CASE("the AD bit counts from an upstream that has shown who it is, or with trust-ad, and is asked for only then") {
  const struct {
    const char* server;
    bool trust_ad;
    bool counts;
  } cases[] = {{"tls://198.51.100.1", false, true},
               {"https://198.51.100.1/q", false, true},
               {"tls-opportunistic://198.51.100.1", false, false},
               {"198.51.100.1", false, false},
               {"tcp://198.51.100.1", false, false},
               {"198.51.100.1", true, true}};
  for (const auto& c : cases) {
    CAPTURE(c.server);
    simulated_world w;
    w.chosen.servers = {c.server};
    w.chosen.query.trust_ad = c.trust_ad;
    w.server(0, validating());
    CHECK(w.resolved("example.test", v4_only).authenticated == c.counts);
    CHECK(asks_for_ad(w.queries[0]) == c.counts);
    CHECK(w.resolved("example.test", v4_only).authenticated == c.counts);  // from the cache
    CHECK(w.queries.size() == 1);
  }
}

TEST_CASE("an answer without the AD bit is not authenticated, and one such family is enough") {
  simulated_world w;
  w.chosen.servers = {"tls://198.51.100.1"};
  w.server(0, example);
  CHECK_FALSE(w.resolved("example.test", v4_only).authenticated);
  simulated_world both;
  both.chosen.servers = {"tls://198.51.100.1"};
  both.server(0, [](const sent_query& q) -> std::vector<scripted_reply> {
    if (q.asked.type == core::rr_type::aaaa) return {{1ms, make_reply(q, {"2001:db8::1"})}};
    return validating()(q);
  });
  const auto o = both.resolved("example.test");
  CHECK(o.endpoints.size() == 2);
  CHECK_FALSE(o.authenticated);
  CHECK_FALSE(both.resolved("192.0.2.1").authenticated);
}

TEST_CASE("DNS-12: trust-ad of resolv.conf holds for the servers that it names") {
  for (const bool trusted : {false, true}) {
    simulated_world w;
    w.chosen.servers.clear();
    w.system.dns =
        core::parse_resolv_conf(std::string("nameserver 198.51.100.1\n") + (trusted ? "options trust-ad\n" : ""));
    w.server(0, validating());
    CHECK(w.resolved("example.test", v4_only).authenticated == trusted);
  }
}

}  // namespace lbresolve::test
