// The server is a tls_peer in memory; every octet passes through these tests.
#include "io/tls_session.hpp"

#include "io/socket_attempt.hpp"
#include "support/listener.hpp"
#include "support/test_ca.hpp"
#include "support/tls_peer.hpp"

#include <lbresolve/tls_error.hpp>

#include <doctest/doctest.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

namespace lbresolve::io {
namespace {

using test::certificate;
using test::test_ca;
using test::tls_peer;
using test::tls_server_context;
using state = tls_session::state;

const test_ca& authority() {
  static const test_ca ca;
  return ca;
}

std::shared_ptr<tls_context> context(const test_ca& trusted = authority()) {
  return tls_context::create(trusted.file()).value();
}

std::unique_ptr<tls_session> session(const std::shared_ptr<tls_context>& shared, core::tls_identity who,
                                     std::vector<std::string> alpn = {}, bool required = false) {
  return tls_session::create(shared, {.identity = std::move(who),
                                      .alpn = std::move(alpn),
                                      .alpn_required = required,
                                      .peer = "server.test:853"})
      .value();
}

/// Moves octets both ways until nothing moves, `step` at a time.
void exchange(tls_session& client, tls_peer& server, std::size_t step = SIZE_MAX) {
  for (bool moved = true; moved;) {
    moved = false;
    while (!client.output().empty()) {
      const auto part = client.output().first(std::min(step, client.output().size()));
      server.receive(part);
      client.sent(part.size());
      moved = true;
    }
    const std::vector<std::uint8_t> back = server.take_output();
    for (std::size_t at = 0; at < back.size(); at += step) {
      client.receive(std::span(back).subspan(at, std::min(step, back.size() - at)));
      moved = true;
      if (step == SIZE_MAX) break;
    }
  }
}

std::string read_all(tls_session& client) {
  std::string out;
  std::array<std::uint8_t, 100> some;
  while (const std::size_t count = client.read(some)) out.append(some.begin(), some.begin() + static_cast<long>(count));
  return out;
}

/// A whole handshake with a server that has `with`.
std::unique_ptr<tls_session> meet(const certificate& with, const core::tls_identity& who) {
  const tls_server_context server({.with = with});
  tls_peer peer(server);
  auto client = session(context(), who);
  client->start();
  exchange(*client, peer);
  // SEC-08: whatever came of it, nothing was said to a server that was not accepted.
  if (client->now() != state::open) {
    const std::string secret = "secret";
    CHECK_FALSE(client->write({reinterpret_cast<const std::uint8_t*>(secret.data()), secret.size()}));
    exchange(*client, peer);
    CHECK(peer.heard().empty());
  }
  return client;
}

void check_refused(const tls_session& client, tls_errc why, const std::string& sentence) {
  REQUIRE(client.now() == state::failed);
  CHECK(client.failure().code() == make_error_code(why));
  CHECK(client.failure() == errc::certificate_rejected);
  CHECK(client.failure().message().find(sentence) != std::string::npos);
  CHECK(client.failure().message().find("server.test:853") != std::string::npos);
}

bool say(tls_session& client, const std::string& text) {
  return client.write({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

TEST_CASE("SEC-08: the right name from a trusted authority is accepted, and both sides are heard") {
  const tls_server_context server({.with = authority().issue({.names = {"server.test"}})});
  tls_peer peer(server);
  auto client = session(context(), {.name = "server.test"});
  CHECK(client->output().empty());
  client->start();
  CHECK(client->now() == state::handshaking);
  CHECK_FALSE(say(*client, "too early"));
  exchange(*client, peer);
  REQUIRE(client->now() == state::open);
  CHECK(peer.server_name() == "server.test");
  CHECK(std::string(client->version()) == "TLSv1.3");
  CHECK(say(*client, "hello"));
  peer.say("good day");
  exchange(*client, peer);
  CHECK(peer.heard() == "hello");
  CHECK(read_all(*client) == "good day");
}

TEST_CASE("SEC-08: a certificate for another name is refused, and the sentence has both names") {
  const auto client = meet(authority().issue({.names = {"other.test", "more.test"}}), {.name = "server.test"});
  check_refused(*client, tls_errc::wrong_name, R"(is for "other.test", "more.test", not for "server.test")");
}

TEST_CASE("SEC-08: a wildcard stands for one whole label, and the common name for nothing") {
  const auto accepted = [](const std::string& pattern, const std::string& name) {
    return meet(authority().issue({.names = {pattern}}), {.name = name})->now() == state::open;
  };
  CHECK(accepted("*.server.test", "a.server.test"));
  CHECK_FALSE(accepted("a*.server.test", "a.server.test"));
  CHECK_FALSE(accepted("*.server.test", "a.b.server.test"));
  CHECK_FALSE(accepted("*.test", "server.test"));  // nobody owns all names below a top-level domain
  const auto client = meet(authority().issue({.common_name = "server.test"}), {.name = "server.test"});
  check_refused(*client, tls_errc::wrong_name, "is for no name at all");
}

TEST_CASE("SEC-08: an expired certificate is refused with the time it expired at") {
  const auto client = meet(authority().issue({.names = {"server.test"}, .from_seconds = -7200, .to_seconds = -3600}),
                           {.name = "server.test"});
  check_refused(*client, tls_errc::expired, "expired at 20");
}

TEST_CASE("SEC-08: a certificate whose time has not come is refused") {
  const auto client = meet(authority().issue({.names = {"server.test"}, .from_seconds = 3600, .to_seconds = 7200}),
                           {.name = "server.test"});
  check_refused(*client, tls_errc::not_yet_valid, "is not valid before 20");
}

TEST_CASE("SEC-08: a self-signed certificate is refused") {
  const auto client = meet(test_ca::self_signed({.names = {"server.test"}}), {.name = "server.test"});
  check_refused(*client, tls_errc::self_signed, "is self-signed");
}

TEST_CASE("SEC-08: a certificate of an authority that is not trusted is refused, and the authority is named") {
  const test_ca stranger;
  const auto client = meet(stranger.issue({.names = {"server.test"}}), {.name = "server.test"});
  REQUIRE(client->now() == state::failed);
  // The name of the authority is that of the trusted one: its signature is not.
  CHECK(client->failure() == errc::certificate_rejected);
  const certificate middle = stranger.issue({.common_name = "Someone", .authority = true});
  const auto other = meet(test_ca::issue_by({.names = {"server.test"}}, middle), {.name = "server.test"});
  CHECK(other->failure() == errc::certificate_rejected);
}

TEST_CASE("SEC-08: an authority is followed over an intermediate certificate") {
  const certificate middle = authority().issue({.common_name = "Middle", .authority = true});
  CHECK(meet(test_ca::issue_by({.names = {"server.test"}}, middle), {.name = "server.test"})->now() == state::open);
  const certificate no_authority = authority().issue({.common_name = "No authority"});
  const auto client = meet(test_ca::issue_by({.names = {"server.test"}}, no_authority), {.name = "server.test"});
  CHECK(client->failure() == errc::certificate_rejected);
}

TEST_CASE("SEC-08: an address is looked for among the certificate's addresses, and no SNI is sent") {
  const auto ip = address::parse("192.0.2.53");
  REQUIRE(ip);
  const tls_server_context server({.with = authority().issue({.addresses = {"192.0.2.53"}})});
  tls_peer peer(server);
  auto client = session(context(), {.name = {}, .address = *ip});
  client->start();
  exchange(*client, peer);
  CHECK(client->now() == state::open);
  CHECK(peer.server_name().empty());
  const auto wrong = meet(authority().issue({.names = {"192.0.2.53"}, .addresses = {"192.0.2.54", "2001:db8::1"}}),
                          {.name = {}, .address = *ip});
  check_refused(*wrong, tls_errc::wrong_address, R"("192.0.2.54", "2001:db8::1", not for 192.0.2.53)");
}

TEST_CASE("SEC-08: a pin of the leaf is enough, whoever issued it and whenever it expired") {
  const certificate own = test_ca::self_signed({.names = {"x.test"}, .from_seconds = -7200, .to_seconds = -3600});
  CHECK(meet(own, {.name = "server.test", .pins = {own.pin()}})->now() == state::open);
  CHECK(meet(own, {.name = {}, .pins = {core::spki_pin{}, own.pin()}})->now() == state::open);
  const auto client = meet(authority().issue({.names = {"server.test"}}), {.name = "server.test", .pins = {own.pin()}});
  check_refused(*client, tls_errc::wrong_pin, "none of the pins matches");
}

TEST_CASE("SEC-08: a pin of an authority is good for what that authority has issued, and for nothing beside it") {
  const test_ca stranger;
  const certificate middle = stranger.issue({.common_name = "Middle", .authority = true});
  const core::tls_identity pinned{.name = "server.test", .pins = {middle.pin()}};
  CHECK(meet(test_ca::issue_by({.names = {"server.test"}}, middle), pinned)->now() == state::open);
  CHECK(meet(test_ca::issue_by({.names = {"other.test"}}, middle), pinned)->now() == state::failed);
  certificate forged = test_ca::self_signed({.names = {"server.test"}});
  forged.above.push_back(middle.x509);
  check_refused(*meet(forged, pinned), tls_errc::wrong_pin, "none of the pins matches");
}

TEST_CASE("SEC-08: opportunistic TLS takes anybody, and an identity of nothing is an error where one is required") {
  CHECK(meet(test_ca::self_signed({}), {.name = {}, .verify = false})->now() == state::open);
  const auto none = tls_session::create(context(), {.identity = {}, .peer = "server.test:853"});
  REQUIRE_FALSE(none);
  CHECK(none.error() == errc::invalid_option);
}

TEST_CASE("SEC-08: TLS 1.1 is refused, TLS 1.2 is not") {
  const certificate with = authority().issue({.names = {"server.test"}});
  for (const int newest : {TLS1_1_VERSION, TLS1_2_VERSION}) {
    const tls_server_context server({.with = with, .newest = newest});
    tls_peer peer(server);
    auto client = session(context(), {.name = "server.test"});
    client->start();
    exchange(*client, peer);
    CHECK(client->now() == (newest == TLS1_2_VERSION ? state::open : state::failed));
    if (newest == TLS1_1_VERSION) CHECK(client->failure() == errc::tls_failed);
  }
}

TEST_CASE("DNS-06: the server's choice of a protocol is told, and none in common is an error") {
  const certificate with = authority().issue({.names = {"server.test"}});
  const auto with_server = [&](std::vector<std::string> known, bool strict, bool required) {
    const tls_server_context server({.with = with, .alpn = std::move(known), .alpn_strict = strict});
    tls_peer peer(server);
    auto client = session(context(), {.name = "server.test"}, {"h2", "http/1.1"}, required);
    client->start();
    exchange(*client, peer);
    return client;
  };
  CHECK(with_server({"http/1.1"}, true, true)->protocol() == "http/1.1");
  CHECK(with_server({}, true, false)->now() == state::open);
  for (const auto& refused : {with_server({"dot"}, true, false), with_server({}, true, true)}) {
    REQUIRE(refused->now() == state::failed);
    CHECK(refused->failure().code() == make_error_code(tls_errc::no_protocol));
    CHECK(refused->failure().message().find(R"("h2", "http/1.1")") != std::string::npos);
  }
}

TEST_CASE("DNS-08: a reconnect resumes the TLS session, with TLS 1.3 and with TLS 1.2") {
  for (const int newest : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const tls_server_context server({.with = authority().issue({.names = {"server.test"}}), .newest = newest});
    const auto shared = context();
    std::vector<bool> resumed;
    for (int i = 0; i < 3; ++i) {
      tls_peer peer(server);
      auto client = session(shared, {.name = "server.test"}, {"dot"});
      client->start();
      exchange(*client, peer);
      REQUIRE(client->now() == state::open);
      read_all(*client);  // the tickets of TLS 1.3 come after the handshake
      resumed.push_back(client->is_resumed());
    }
    CHECK(resumed == std::vector{false, true, true});
  }
}

TEST_CASE("DNS-08: a session is resumed only for the identity that it was verified for") {
  const tls_server_context server({.with = authority().issue({.names = {"server.test", "other.test"}})});
  const auto shared = context();
  const auto resumes = [&](const core::tls_identity& who) {
    tls_peer peer(server);
    auto client = session(shared, who);
    client->start();
    exchange(*client, peer);
    read_all(*client);
    return client->is_resumed();
  };
  CHECK_FALSE(resumes({.name = "server.test", .verify = false}));
  CHECK_FALSE(resumes({.name = "server.test"}));
  CHECK_FALSE(resumes({.name = "other.test"}));
  CHECK_FALSE(resumes({.name = "server.test", .pins = {core::spki_pin{}}}));
  CHECK(resumes({.name = "server.test"}));
}

TEST_CASE("DNS-08: a session is resumed after an end that was not announced, where what is said is framed") {
  const tls_server_context server({.with = authority().issue({.names = {"server.test"}})});
  const auto shared = context();
  std::vector<bool> resumed;
  for (int i = 0; i < 2; ++i) {
    tls_peer peer(server);
    auto client =
        tls_session::create(shared, {.identity = {.name = "server.test"}, .framed = true, .peer = "it"}).value();
    client->start();
    exchange(*client, peer);
    resumed.push_back(client->is_resumed());
    client->receive_end();
    read_all(*client);
    CHECK(client->now() == state::closed);
  }
  CHECK(resumed == std::vector{false, true});
}

TEST_CASE("DNS-08: a TLS 1.3 ticket is used once") {
  const auto shared = context();
  const tls_server_context server({.with = authority().issue({.names = {"server.test"}})});
  tls_peer peer(server);
  auto first = session(shared, {.name = "server.test"});
  first->start();
  exchange(*first, peer);
  read_all(*first);
  const std::string key = "no such key";
  CHECK_FALSE(shared->sessions().take(key));
  // OpenSSL's server gives two tickets; a third session that begins before any other has finished gets none.
  std::vector<std::unique_ptr<tls_session>> at_once;
  std::vector<bool> resumed;
  for (int i = 0; i < 3; ++i) at_once.push_back(session(shared, {.name = "server.test"}));
  for (auto& client : at_once) {
    tls_peer other(server);
    client->start();
    exchange(*client, other);
    resumed.push_back(client->is_resumed());
  }
  CHECK(resumed == std::vector{true, true, false});
}

TEST_CASE("DNS-08: the context is made while the socket connects, and one that is refused uses up no ticket") {
  const auto shared = context();
  const tls_server_context server({.with = authority().issue({.names = {"server.test"}})});
  tls_peer peer(server);
  auto first = session(shared, {.name = "server.test"});
  CHECK_FALSE(first->can_resume());
  first->start();
  exchange(*first, peer);
  read_all(*first);
  const test::listener other;  // on 127.0.0.1 alone
  const endpoint refusing{*address::parse("127.0.0.2"), other.where().port};
  int asked_for = 0;
  const auto wish = std::make_shared<const tls_wish>(
      tls_wish{.context = [&]() -> result<std::shared_ptr<tls_context>> { return ++asked_for, shared; },
               .settings = {.identity = {.name = "server.test"}, .peer = "server.test:853"}});
  for (int i = 1; i <= 3; ++i) {  // the server gave two
    socket_attempt attempt(refusing);
    CHECK_FALSE(attempt.begin({.tls = wish}).failed);
    CHECK(asked_for == i);
    pollfd ready{attempt.fd(), POLLOUT, 0};
    REQUIRE(::poll(&ready, 1, 5000) == 1);
    CHECK(attempt.go_on().failed);
  }
  CHECK(session(shared, {.name = "server.test"})->can_resume());
}

TEST_CASE("SEC-08: octets that come one by one are as good as all at once") {
  const tls_server_context server({.with = authority().issue({.names = {"server.test"}})});
  tls_peer peer(server);
  auto client = session(context(), {.name = "server.test"});
  client->start();
  exchange(*client, peer, 1);
  REQUIRE(client->now() == state::open);
  const std::string long_text(40'000, 'x');
  peer.say(long_text);
  CHECK(say(*client, long_text));
  exchange(*client, peer, 1);
  CHECK(peer.heard() == long_text);
  CHECK(read_all(*client) == long_text);
}

TEST_CASE("SEC-08: an end without a close_notify is a failure, after what came before it; with one it is an end") {
  const tls_server_context server({.with = authority().issue({.names = {"server.test"}})});
  for (const bool announced : {false, true}) {
    tls_peer peer(server);
    auto client = session(context(), {.name = "server.test"});
    client->start();
    exchange(*client, peer);
    peer.say("the last words");
    if (announced) peer.close_notify();
    exchange(*client, peer);
    client->receive_end();
    CHECK(read_all(*client) == "the last words");
    CHECK(client->now() == (announced ? state::closed : state::failed));
    if (!announced) CHECK(client->failure().code() == make_error_code(tls_errc::closed));
    CHECK_FALSE(say(*client, "more"));
  }
}

TEST_CASE("SEC-08: what is not TLS, an end in the handshake and an alert are told apart") {
  const auto begun = [] {
    auto client = session(context(), {.name = "server.test"});
    client->start();
    return client;
  };
  auto client = begun();
  const std::string http = "HTTP/1.1 400 Bad Request\r\n\r\n";
  client->receive({reinterpret_cast<const std::uint8_t*>(http.data()), http.size()});
  REQUIRE(client->now() == state::failed);
  CHECK(client->failure().code() == make_error_code(tls_errc::not_tls));
  client = begun();
  client->receive_end();
  CHECK(client->failure().code() == make_error_code(tls_errc::closed));
  client = begun();
  const std::array<std::uint8_t, 7> handshake_failure{21, 3, 3, 0, 2, 2, 40};  // RFC 8446 section 6.2
  client->receive(handshake_failure);
  CHECK(client->failure().code() == make_error_code(tls_errc::alert));
  CHECK(client->failure().message() == R"(server.test:853 ended TLS with the alert "handshake failure")");
}

TEST_CASE("SEC-08: the server is told by an alert that it was refused, and errors are not left to others") {
  const tls_server_context server({.with = authority().issue({.names = {"other.test"}})});
  tls_peer peer(server);
  auto client = session(context(), {.name = "server.test"});
  client->start();
  peer.receive(client->output());
  client->sent(client->output().size());
  client->receive(peer.take_output());
  REQUIRE(client->now() == state::failed);
  CHECK_FALSE(client->output().empty());
  CHECK(ERR_peek_error() == 0);
}

TEST_CASE("SEC-08: a CA file that cannot be read is an error, not an empty list of authorities") {
  const auto none = tls_context::create("/nonexistent/ca.pem");
  REQUIRE_FALSE(none);
  CHECK(none.error() == errc::invalid_option);
  CHECK(none.error().message().find("/nonexistent/ca.pem") != std::string::npos);
}

}  // namespace
}  // namespace lbresolve::io
