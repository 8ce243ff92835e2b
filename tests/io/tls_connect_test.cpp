// Connects whose races TLS decides, through the public API, against real TLS servers on loopback addresses.
#include "support/fake_dns_server.hpp"
#include "support/listener.hpp"
#include "support/tls_listener.hpp"

#include <lbresolve/lbresolve.hpp>
#include <lbresolve/tls_error.hpp>

#include <doctest/doctest.h>
#include <openssl/ssl.h>
#include <poll.h>

#include <array>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lbresolve::test {
namespace {

using namespace std::chrono_literals;

const test_ca& authority() {
  static const test_ca ca;
  return ca;
}

tls_peer_settings server_named(const std::string& name) { return {.with = authority().issue({.names = {name}})}; }

/// A name with these addresses, in this order, and a resolver that asks for it.
class world {
 public:
  explicit world(const std::vector<std::string>& texts)
      : addresses_(read(texts)), dns_([this](const auto& r) { return answer(r); }) {
    options o;
    o.servers = {dns_.where().to_string()};
    o.hosts = "";
    o.families = families::ipv4_only;
    o.selection.policy = policy::in_order;
    o.selection.probing = false;
    resolver_.emplace(resolver::create(o).value());
  }

  resolver& with() { return *resolver_; }

 private:
  static std::vector<address> read(const std::vector<std::string>& texts) {
    std::vector<address> out;
    for (const std::string& text : texts) out.push_back(*address::parse(text));
    return out;
  }
  std::vector<fake_dns_server::reply> answer(const fake_dns_server::request& r) {
    return {{.bytes = answer_to(r.query, addresses_), .after = 0ms}};
  }

  const std::vector<address> addresses_;  // before the server, whose thread reads it
  fake_dns_server dns_;
  std::optional<resolver> resolver_;
};

connect_options asking_tls() {
  connect_options o;
  o.ready = ready::tls;
  o.tls.ca_file = authority().file();
  o.timeout = 5s;
  return o;
}

/// Listens on the port of `first`, on another loopback address.
tls_listener_settings beside(const tls_listener& first, const std::string& address) {
  tls_listener_settings s;
  s.address = address;
  s.port = first.where().port;
  return s;
}

std::string target_on(const tls_listener& l) { return "server.test:" + std::to_string(l.where().port); }

void wait_for(int fd, short what) {
  pollfd p{fd, what, 0};
  REQUIRE(::poll(&p, 1, 5000) == 1);
}

std::string read_text(connection& c) {
  std::array<std::uint8_t, 100> text;
  for (;;) {
    const auto count = c.tls().read(text);
    if (count) return {text.begin(), text.begin() + static_cast<std::ptrdiff_t>(count.value())};
    REQUIRE(count.error() == std::errc::operation_would_block);
    wait_for(c.fd(), POLLIN);
  }
}

std::span<const std::uint8_t> octets(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

TEST_CASE("HE-51: a connect that asks for TLS gives a verified session that reads and writes") {
  const tls_listener server({.tls = server_named("server.test"), .greeting = "good day"});
  world w({"127.0.0.1"});
  connect_options o = asking_tls();
  o.tls.alpn = {"h2"};
  auto c = w.with().connect(target_on(server), o);
  REQUIRE_MESSAGE(c, c.error().message());
  connection& made = c.value();
  REQUIRE(made.tls());
  CHECK(made.tls().version() == "TLSv1.3");
  CHECK(made.tls().protocol().empty());
  CHECK_FALSE(made.tls().cipher().empty());
  CHECK(made.tls().peer_certificate().names == std::vector<std::string>{"server.test"});
  CHECK(made.tls().peer_certificate().issuer == "lbresolve test authority");
  CHECK(read_text(made) == "good day");
  CHECK(made.tls().write(octets("hello")).value() == 5);
  CHECK(read_text(made) == "echo hello");
  const attempt_record& a = made.story()->attempts.front();
  CHECK(a.ended_as == attempt_record::outcome::won);
  CHECK(a.reached == attempt_record::stage::tls);
  REQUIRE(a.tls_started);
  CHECK(*a.tls_started <= *a.ended);
}

TEST_CASE("HE-51: OpenSSL's own functions go on where the race has stopped reading") {
  const tls_listener server({.tls = server_named("server.test"), .greeting = "good day"});
  world w({"127.0.0.1"});
  auto c = w.with().connect(target_on(server), asking_tls());
  REQUIRE(c);
  REQUIRE(c.value().set_blocking(true));
  SSL* const ssl = c.value().tls().native_handle();
  CHECK(SSL_get_fd(ssl) == c.value().fd());
  std::array<char, 100> text;
  CHECK(std::string(text.data(), static_cast<std::size_t>(SSL_read(ssl, text.data(), 100))) == "good day");
  CHECK(SSL_write(ssl, "hello", 5) == 5);
  CHECK(std::string(text.data(), static_cast<std::size_t>(SSL_read(ssl, text.data(), 100))) == "echo hello");
}

TEST_CASE("HE-51: a server that accepts and stays mute loses to the next one after the attempt delay") {
  const tls_listener mute({});
  auto with = beside(mute, "127.0.0.2");
  with.tls = server_named("server.test");
  const tls_listener talks(with);
  world w({"127.0.0.1", "127.0.0.2"});
  connect_options o = asking_tls();
  o.attempt_delay = 50ms;
  for (const bool cached : {false, true}) {  // on the resolver's thread, and on this one
    const auto c = w.with().connect(target_on(mute), o);
    REQUIRE_MESSAGE(c, c.error().message());
    CHECK(c.value().peer().address.to_string() == "127.0.0.2");
    if (cached) continue;
    const auto& attempts = c.value().story()->attempts;
    REQUIRE(attempts.size() == 2);
    CHECK(attempts[0].ended_as == attempt_record::outcome::cancelled);
    CHECK(attempts[0].reached == attempt_record::stage::tls);
    CHECK(attempts[1].started - attempts[0].started >= 50ms);
    CHECK(c.value().story()->took < 1s);
  }
}

TEST_CASE("HE-52: where the certificate of the first is wrong, the others go on and the reason is kept") {
  const tls_listener wrong({.tls = server_named("other.test")});
  auto with = beside(wrong, "127.0.0.2");
  with.tls = server_named("server.test");
  const tls_listener right(with);
  world w({"127.0.0.1", "127.0.0.2"});
  connect_options o = asking_tls();
  o.attempt_delay = 2s;
  const auto c = w.with().connect(target_on(wrong), o);
  REQUIRE_MESSAGE(c, c.error().message());
  CHECK(c.value().peer().address.to_string() == "127.0.0.2");
  const attempt_record& refused = c.value().story()->attempts.front();
  CHECK(refused.ended_as == attempt_record::outcome::failed);
  CHECK(refused.reached == attempt_record::stage::tls);
  CHECK(refused.code == make_error_code(tls_errc::wrong_name));
  CHECK(refused.failure.find(R"(is for "other.test", not for "server.test")") != std::string::npos);
  CHECK(c.value().story()->took < 1s);
  CHECK(wrong.heard().empty());

  // The way there is fine, and other names there may be too: only this name goes elsewhere first.
  const auto again = w.with().connect(target_on(wrong), o);
  REQUIRE(again);
  CHECK(again.value().story()->attempts.size() == 1);
  for (const endpoint_health_record& r : w.with().health()) CHECK(r.consecutive_failures == 0);
  o.tls.name = "other.test";
  CHECK(w.with().connect("other.test:" + std::to_string(wrong.where().port), o).value().peer() == wrong.where());
}

TEST_CASE("HE-53: where all fail, the error is of the kind that they share, with every reason") {
  const tls_listener wrong({.tls = server_named("other.test")});
  auto with = beside(wrong, "127.0.0.2");
  with.tls = tls_peer_settings{
      .with = authority().issue({.names = {"server.test"}, .from_seconds = -7200, .to_seconds = -3600})};
  const tls_listener expired(with);
  auto third = beside(wrong, "127.0.0.3");
  third.close_in_handshake = true;
  const tls_listener closes(third);

  world two({"127.0.0.1", "127.0.0.2"});
  const auto c = two.with().connect(target_on(wrong), asking_tls());
  REQUIRE_FALSE(c);
  CHECK(c.error() == errc::certificate_rejected);
  CHECK(c.error().message().find("other.test") != std::string::npos);
  CHECK(c.error().message().find("expired at") != std::string::npos);
  world one({"127.0.0.2"});
  CHECK(one.with().connect(target_on(wrong), asking_tls()).error().code() == make_error_code(tls_errc::expired));
  world other({"127.0.0.3"});
  CHECK(other.with().connect(target_on(wrong), asking_tls()).error() == errc::tls_failed);
  world mixed({"127.0.0.1", "127.0.0.3"});
  CHECK(mixed.with().connect(target_on(wrong), asking_tls()).error() == errc::connect_failed);
}

TEST_CASE("HE-54: a handshake that nobody answers ends with the deadline or a cancel, and leaves nothing open") {
  const tls_listener mute({});
  world w({"127.0.0.1"});
  connect_options o = asking_tls();
  o.timeout = 200ms;
  CHECK(w.with().connect(target_on(mute), o).error() == errc::timed_out);
  const std::size_t before = open_descriptors();
  CHECK(w.with().connect(target_on(mute), o).error() == errc::timed_out);
  o.timeout = 5s;
  auto ended = std::make_shared<std::promise<void>>();
  const operation begun = w.with().async_connect(target_on(mute), o, [ended](const auto&) { ended->set_value(); });
  while (mute.accepted() < 3) std::this_thread::sleep_for(1ms);
  CHECK(w.with().cancel(begun));
  CHECK(ended->get_future().wait_for(50ms) == std::future_status::timeout);
  for (int i = 0; i < 100 && open_descriptors() > before; ++i) std::this_thread::sleep_for(5ms);
  CHECK(open_descriptors() <= before + 1);  // the server's end of the last one
}

TEST_CASE("DNS-08: a second connect resumes the TLS session of the first") {
  const tls_listener server({.tls = server_named("server.test"), .greeting = "good day"});
  world w({"127.0.0.1"});
  for (const bool resumed : {false, true}) {
    auto c = w.with().connect(target_on(server), asking_tls());
    REQUIRE(c);
    CHECK(c.value().tls().is_resumed() == resumed);
    CHECK(read_text(c.value()) == "good day");  // the tickets come before it
  }
}

TEST_CASE("SEC-08: pins, an address as the name, and no verification, each as it was asked for") {
  const certificate own = test_ca::self_signed({.names = {"x.test"}, .addresses = {"127.0.0.1"}});
  const tls_listener server({.tls = tls_peer_settings{.with = own}});
  world w({"127.0.0.1"});
  connect_options o = asking_tls();
  CHECK(w.with().connect(target_on(server), o).error() == errc::certificate_rejected);
  o.tls.verify = false;
  CHECK(w.with().connect(target_on(server), o));
  o.tls.verify = true;
  o.tls.pins = {"sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="};
  CHECK(w.with().connect(target_on(server), o).error().code() == make_error_code(tls_errc::wrong_pin));
  o.tls.pins = {"sha256-short"};
  CHECK(w.with().connect(target_on(server), o).error() == errc::invalid_option);
  // SEC-08: whatever was refused, what was sent first was a TLS record of a handshake (RFC 8446 section 5.1).
  CHECK(server.first_octets().substr(0, 2) == "\x16\x03");
  CHECK(server.heard().empty());

  const tls_listener by_address({.tls = tls_peer_settings{.with = authority().issue({.addresses = {"127.0.0.1"}})}});
  o = asking_tls();
  CHECK(w.with().connect(by_address.where().to_string(), o));
  CHECK(w.with().connect(target_on(by_address), o).error() == errc::certificate_rejected);
  o.tls.name = "127.0.0.1";
  CHECK(w.with().connect(target_on(by_address), o));
}

TEST_CASE("SEC-08: a CA file that is missing fails a connect before anything is asked or sent") {
  const tls_listener server({.tls = server_named("server.test")});
  world w({"127.0.0.1"});
  connect_options o = asking_tls();
  o.tls.ca_file = "/nonexistent/ca.pem";
  CHECK(w.with().connect(target_on(server), o).error() == errc::invalid_option);
  CHECK(server.accepted() == 0);
}

}  // namespace
}  // namespace lbresolve::test
