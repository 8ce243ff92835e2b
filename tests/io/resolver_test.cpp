// The public API against a scripted DNS server and real sockets on loopback.
#include "support/fake_dns_server.hpp"
#include "support/listener.hpp"

#include <lbresolve/lbresolve.hpp>

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace lbresolve::test {

namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

bool asks_a(const fake_dns_server::request& r) {
  // The type is the last but one pair of octets of the question; the fake server is only asked with OPT behind it.
  std::size_t at = 12;
  while (r.query[at] != 0) at += 1U + r.query[at];
  return r.query[at + 2] == 1;
}

/// Every name has the addresses given; no AAAA.
fake_dns_server::handler always(std::vector<std::string> texts, std::chrono::milliseconds after = 0ms) {
  std::vector<address> addresses;
  for (const auto& text : texts) addresses.push_back(*address::parse(text));
  return [addresses, after](const fake_dns_server::request& r) -> std::vector<fake_dns_server::reply> {
    if (!asks_a(r)) return {{answer_to(r.query), after}};
    return {{answer_to(r.query, addresses), after}};
  };
}

fake_dns_server::handler silent() {
  return [](const fake_dns_server::request&) -> std::vector<fake_dns_server::reply> { return {}; };
}

options asking(const fake_dns_server& server, loop how = loop::own_thread) {
  options o;
  o.servers = {server.where().to_string()};
  o.loop = how;
  o.hosts = "";
  return o;
}

std::string target_of(const std::string& name, const listener& l) {
  return name + ":" + std::to_string(l.where().port);
}

/// Listens on 127.0.0.1 with its queue full and never accepts: what connects to it hangs.
class mute_listener {
 public:
  mute_listener() : listening_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    ::bind(listening_, reinterpret_cast<sockaddr*>(&at), size);
    ::listen(listening_, 0);
    ::getsockname(listening_, reinterpret_cast<sockaddr*>(&at), &size);
    port_ = ntohs(at.sin_port);
    for (int& fd : waiting_) {
      fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      ::connect(fd, reinterpret_cast<const sockaddr*>(&at), size);
    }
  }
  ~mute_listener() {
    for (const int fd : waiting_) ::close(fd);
    ::close(listening_);
  }
  mute_listener(const mute_listener&) = delete;
  mute_listener& operator=(const mute_listener&) = delete;
  std::uint16_t port() const { return port_; }

 private:
  int listening_;
  int waiting_[4] = {-1, -1, -1, -1};
  std::uint16_t port_ = 0;
};

/// Closes with a reset: ten thousand connects leave no ten thousand sockets in TIME_WAIT.
std::error_code reset_on_close(int fd, const endpoint&) {
  const linger l{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
  return {};
}

}  // namespace

TEST_CASE("connect by name gives a connected socket, its peer and the story") {
  fake_dns_server dns(always({"127.0.0.1"}));
  listener l;
  auto r = resolver::create(asking(dns));
  REQUIRE(r);
  auto c = r.value().connect(target_of("example.test", l));
  REQUIRE(c);
  CHECK(c.value().fd() >= 0);
  CHECK(c.value().peer() == l.where());
  REQUIRE(c.value().story() != nullptr);
  CHECK(c.value().story()->attempts.size() == 1);
  CHECK(c.value().story()->attempts[0].ended_as == attempt_record::outcome::won);
  const int fd = c.value().release();
  CHECK(fd >= 0);
  CHECK(c.value().fd() == -1);
  ::close(fd);
}

TEST_CASE("a second connect answers from the cache and asks nobody") {
  fake_dns_server dns(always({"127.0.0.1"}));
  listener l;
  auto o = asking(dns);
  o.families = families::ipv4_only;  // the fake server's NODATA has no SOA: not cached (RFC 2308 section 5)
  auto r = resolver::create(o);
  REQUIRE(r.value().connect(target_of("example.test", l)));
  const auto asked = dns.request_count();
  auto c = r.value().connect(target_of("EXAMPLE.test", l));
  REQUIRE(c);
  CHECK(dns.request_count() == asked);
  CHECK(c.value().story()->queries[0].from == query_record::source::cache);
}

TEST_CASE("HE-17, TTL-06: a blocking call takes what is stale while the upstream is silent") {
  std::atomic<bool> mute{false};
  fake_dns_server dns([&mute](const fake_dns_server::request& r) {
    return mute ? std::vector<fake_dns_server::reply>{} : always({"127.0.0.1"})(r);
  });
  listener l;
  auto o = asking(dns);
  o.families = families::ipv4_only;
  o.cache.max_ttl = 1s;
  o.cache.stale_window = 3'600s;
  auto r = resolver::create(o);
  REQUIRE(r.value().connect(target_of("example.test", l)));
  mute = true;
  std::this_thread::sleep_for(1'050ms);
  const auto asked = dns.request_count();

  auto c = r.value().connect(target_of("example.test", l));
  REQUIRE(c);
  CHECK(c.value().story()->took < 1s);
  CHECK(c.value().story()->queries[0].from == query_record::source::stale);
  for (int i = 0; i < 500 && dns.request_count() == asked; ++i) std::this_thread::sleep_for(10ms);
  CHECK(dns.request_count() > asked);  // the refresh

  auto found = r.value().resolve("example.test");  // the refresh had its time: not waited for again
  REQUIRE(found);
  CHECK(found.value().ttl == 30s);
  CHECK(found.value().story->took < 1s);
  CHECK_FALSE(r.value().resolve("example.test", {.timeout = 200ms, .use_stale = false}));
}

TEST_CASE("TTL-07: a hit on the caller's thread has the loop ask again, once") {
  for (const loop how : {loop::own_thread, loop::caller}) {
    fake_dns_server dns(always({"127.0.0.1"}));
    auto o = asking(dns, how);
    o.families = families::ipv4_only;
    o.cache.max_ttl = 2s;
    o.cache.prefetch_min_ttl = 1s;
    auto r = resolver::create(o);
    REQUIRE(r.value().resolve("example.test"));
    const auto fetched = steady::now();
    // Hits until one of them falls into the last tenth, or there was none and the answer has ended.
    while (dns.request_count() == 1 && steady::now() - fetched < 5s) {
      REQUIRE(r.value().resolve("example.test"));
      r.value().process();
      std::this_thread::sleep_for(5ms);
    }
    CHECK(dns.request_count() == 2);
    if (steady::now() - fetched < 2s) {  // else this machine slept through it, and nothing can be said
      auto found = r.value().resolve("example.test");
      REQUIRE(found);
      CHECK(found.value().story->queries[0].from == query_record::source::cache);
    }
  }
}

TEST_CASE("HE-55: 10,000 sequential and 100 parallel connects leave the descriptor count as it was") {
  fake_dns_server dns(always({"127.0.0.1"}));
  listener l;
  auto r = resolver::create(asking(dns));
  const connect_options o{.hook = reset_on_close};
  REQUIRE(r.value().connect(target_of("example.test", l), o));
  // The listener accepts in this process too: what it has just accepted is open for a moment. A leak is for good.
  for (int i = 0; i < 500 && l.accepted() < 1; ++i) std::this_thread::sleep_for(10ms);
  std::this_thread::sleep_for(50ms);
  const auto before = open_descriptors();
  const auto settle = [before] {
    for (int i = 0; i < 500 && open_descriptors() != before; ++i) std::this_thread::sleep_for(10ms);
  };
  int failed = 0;
  for (int i = 0; i < 10'000; ++i) failed += r.value().connect(target_of("example.test", l), o) ? 0 : 1;
  CHECK(failed == 0);
  settle();
  CHECK(open_descriptors() == before);

  std::atomic<int> done{0};
  for (int i = 0; i < 100; ++i) {
    r.value().async_connect(target_of("n" + std::to_string(i) + ".test", l), o, [&done](result<connection> c) {
      if (c) ++done;
    });
  }
  for (int i = 0; i < 500 && done < 100; ++i) std::this_thread::sleep_for(10ms);
  CHECK(done == 100);
  // The last connection object is gone by the time the counter says so, but for the one inside its callback.
  settle();
  CHECK(open_descriptors() == before);
}

TEST_CASE("HE-58: the socket hook runs once for each attempt, before connect") {
  listener l;
  fake_dns_server dns(always({"127.0.0.9", "127.0.0.1"}));  // nobody listens on the first
  auto o = asking(dns);
  o.selection.policy = policy::in_order;
  auto r = resolver::create(o);
  std::vector<std::string> seen;
  bool connected_before = false;
  connect_options c;
  c.hook = [&](int fd, const endpoint& to) {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0) connected_before = true;
    seen.push_back(to.address.to_string());
    return std::error_code();
  };
  REQUIRE(r.value().connect(target_of("example.test", l), c));
  CHECK(seen == std::vector<std::string>{"127.0.0.9", "127.0.0.1"});
  CHECK_FALSE(connected_before);
}

TEST_CASE("HE-58: an error from the hook skips that attempt and names its reason") {
  listener l;
  fake_dns_server dns(always({"127.0.0.9", "127.0.0.1"}));
  auto o = asking(dns);
  o.selection.policy = policy::in_order;
  auto r = resolver::create(o);
  connect_options c;
  c.hook = [](int, const endpoint& to) {
    return to.address == *address::parse("127.0.0.9") ? std::make_error_code(std::errc::permission_denied)
                                                      : std::error_code();
  };
  auto made = r.value().connect(target_of("example.test", l), c);
  REQUIRE(made);
  CHECK(made.value().story()->attempts[0].code == std::errc::permission_denied);
}

TEST_CASE("HE-54: a cancelled connect never calls back and leaves nothing open") {
  fake_dns_server dns(silent());
  auto r = resolver::create(asking(dns));
  std::atomic<int> called{0};
  const auto begun = open_descriptors();
  const auto op = r.value().async_connect("example.test:80", {}, [&called](result<connection>) { ++called; });
  while (dns.request_count() < 1) std::this_thread::sleep_for(1ms);
  const auto start = steady::now();
  CHECK(r.value().cancel(op));
  CHECK(steady::now() - start < 100ms);
  CHECK_FALSE(r.value().cancel(op));
  std::this_thread::sleep_for(50ms);
  CHECK(called == 0);
  // Late answers are still waited for; after that the query's socket is closed too.
  for (int i = 0; i < 300 && open_descriptors() > begun; ++i) std::this_thread::sleep_for(10ms);
  CHECK(open_descriptors() <= begun + 1);  // the transport keeps its group descriptor
}

TEST_CASE("HE-54: destroying the resolver ends a blocking connect as cancelled within 100 ms") {
  fake_dns_server dns(always({"127.0.0.1"}));
  const mute_listener mute;
  auto r = std::make_unique<resolver>(resolver::create(asking(dns)).value());
  std::optional<error> failed;
  steady::time_point ended;
  std::atomic<bool> racing{false};
  connect_options o;
  o.hook = [&racing](int, const endpoint&) {
    racing = true;
    return std::error_code();
  };
  const std::string target = "example.test:" + std::to_string(mute.port());
  std::thread blocked([&, &call = *r] {
    auto c = call.connect(target, o);
    ended = steady::now();
    if (!c) failed = c.error();
  });
  while (!racing) std::this_thread::sleep_for(1ms);
  const auto start = steady::now();
  r.reset();
  blocked.join();
  CHECK(ended - start < 100ms);
  REQUIRE(failed);
  CHECK(*failed == errc::cancelled);
}

TEST_CASE("HE-54: a pick that waits for its first lookup ends as cancelled when its resolver is destroyed") {
  fake_dns_server dns(silent());
  auto r = std::make_unique<resolver>(resolver::create(asking(dns)).value());
  std::optional<error> failed;
  std::thread blocked([&, &call = *r] {
    auto picked = call.pick("example.test:443");
    if (!picked) failed = picked.error();
  });
  while (dns.request_count() == 0) std::this_thread::sleep_for(1ms);
  r.reset();
  blocked.join();
  REQUIRE(failed);
  CHECK(*failed == errc::cancelled);
}

TEST_CASE("HE-56: the deadline holds to 10 ms on a silent upstream") {
  fake_dns_server dns(silent());
  auto r = resolver::create(asking(dns));
  REQUIRE_FALSE(r.value().resolve("warm.test", {.timeout = 1ms}));
  const auto start = steady::now();
  auto c = r.value().connect("example.test:80", {.timeout = 200ms});
  const auto took = steady::now() - start;
  REQUIRE_FALSE(c);
  CHECK(c.error() == errc::timed_out);
  CHECK(c.error() == std::make_error_condition(std::errc::timed_out));
  CHECK(took >= 200ms);
  CHECK(c.error().story()->took < 210ms);
}

TEST_CASE("SEC-10: the resolver may be destroyed inside a callback") {
  for (const bool succeeds : {true, false}) {
    fake_dns_server dns(succeeds ? always({"127.0.0.1"}) : silent());
    listener l;
    auto r = std::make_shared<std::optional<resolver>>(resolver::create(asking(dns)).value());
    std::promise<void> gone;
    (*r)->async_connect(target_of("example.test", l), {.timeout = 50ms}, [r, &gone](result<connection>) {
      r->reset();
      gone.set_value();
    });
    CHECK(gone.get_future().wait_for(5s) == std::future_status::ready);
  }
}

TEST_CASE("SEC-10: operations may be begun and cancelled inside callbacks") {
  fake_dns_server dns(always({"127.0.0.1"}, 1ms));
  listener l;
  auto made = resolver::create(asking(dns));
  resolver& r = made.value();
  std::promise<bool> outcome;
  std::atomic<int> wrong{0};
  operation other = r.async_resolve("other.test", {}, [&wrong](result<resolution>) { ++wrong; });
  CHECK(r.cancel(other));
  r.async_resolve("one.test", {}, [&](result<resolution> first) {
    const auto doomed = r.async_connect(target_of("two.test", l), {}, [&wrong](result<connection>) { ++wrong; });
    const bool cancelled = r.cancel(doomed);
    r.async_connect(target_of("three.test", l), {}, [&, cancelled, ok = first.has_value()](result<connection> c) {
      outcome.set_value(ok && cancelled && c.has_value());
    });
  });
  auto future = outcome.get_future();
  REQUIRE(future.wait_for(5s) == std::future_status::ready);
  CHECK(future.get());
  CHECK(wrong == 0);
}

TEST_CASE("SEC-10: a caller's loop survives the destruction of the resolver inside process()") {
  fake_dns_server dns(always({"127.0.0.1"}));
  auto r = std::make_shared<std::optional<resolver>>(resolver::create(asking(dns, loop::caller)).value());
  bool called = false;
  (*r)->async_resolve("example.test", {}, [r, &called](result<resolution>) {
    called = true;
    r->reset();
  });
  for (int i = 0; i < 1000 && !called; ++i) (*r)->process(10ms);
  CHECK(called);
  CHECK_FALSE(r->has_value());
}

TEST_CASE("a completion never runs inside the call that started it") {
  auto made = resolver::create({.loop = loop::caller});
  resolver& r = made.value();
  int called = 0;
  r.async_resolve("192.0.2.1", {}, [&called](result<resolution>) { ++called; });
  r.async_resolve("bad target", {}, [&called](result<resolution> x) { called += x ? 100 : 1; });
  CHECK(called == 0);
  r.process();
  CHECK(called == 2);
}

TEST_CASE("part of USE-09: fd() is readable when process() has work, timers included") {
  fake_dns_server dns(silent());
  auto made = resolver::create(asking(dns, loop::caller));
  resolver& r = made.value();
  std::optional<error> failed;
  const auto start = steady::now();
  r.async_resolve("example.test", {.timeout = 100ms}, [&failed](result<resolution> x) {
    if (!x) failed = x.error();
  });
  while (!failed && steady::now() - start < 5s) {
    pollfd p{r.fd(), POLLIN, 0};
    REQUIRE(::poll(&p, 1, 5000) == 1);
    r.process();
  }
  REQUIRE(failed);
  CHECK(*failed == errc::timed_out);
  CHECK(steady::now() - start >= 100ms);
  CHECK(steady::now() - start < 1s);
}

TEST_CASE("blocking calls work with a caller's loop too") {
  fake_dns_server dns(always({"127.0.0.1"}));
  listener l;
  auto r = resolver::create(asking(dns, loop::caller));
  CHECK(r.value().resolve("example.test"));
  CHECK(r.value().connect(target_of("example.org", l)));
}

TEST_CASE("a blocking call inside a callback says why it cannot be, instead of hanging") {
  fake_dns_server dns(always({"127.0.0.1"}));
  auto made = resolver::create(asking(dns));
  resolver& r = made.value();
  std::promise<std::optional<error>> said;
  r.async_resolve("example.test", {}, [&](result<resolution>) {
    auto again = r.resolve("uncached.test");
    said.set_value(again ? std::nullopt : std::optional<error>(again.error()));
  });
  auto future = said.get_future();
  REQUIRE(future.wait_for(5s) == std::future_status::ready);
  const auto e = future.get();
  REQUIRE(e);
  CHECK(*e == errc::unsupported);
  CHECK(e->message() == "a blocking lookup inside a callback would wait for itself: use async_resolve");
}

TEST_CASE("TTL-08: many threads at once for one cold name make one query per type") {
  fake_dns_server dns(always({"127.0.0.1"}, 100ms));
  auto o = asking(dns);
  o.ask_unroutable = true;
  auto made = resolver::create(o);
  resolver& r = made.value();
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i)
    threads.emplace_back([&] {
      if (r.resolve("example.test")) ++good;
    });
  for (auto& t : threads) t.join();
  CHECK(good == 16);
  CHECK(dns.request_count() == 2);
}

TEST_CASE("threads may share a resolver for everything at once") {
  fake_dns_server dns(always({"127.0.0.1"}));
  listener l;
  auto made = resolver::create(asking(dns));
  resolver& r = made.value();
  std::atomic<int> connected{0}, called{0}, begun{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const std::string name = "n" + std::to_string((t * 50 + i) % 20) + ".test";
        if (r.connect(target_of(name, l), {.hook = reset_on_close})) ++connected;
        const auto op = r.async_resolve(name, {}, [&called](result<resolution>) { ++called; });
        if (i % 3 != 0 || !r.cancel(op)) ++begun;
        if (i % 10 == 0) r.clear_cache();
      }
    });
  }
  for (auto& t : threads) t.join();
  CHECK(connected == 200);
  for (int i = 0; i < 500 && called < begun; ++i) std::this_thread::sleep_for(10ms);
  CHECK(called == begun);
}

TEST_CASE("DNS-12: resolv.conf and hosts are read again when they change") {
  fake_dns_server first(always({"192.0.2.1"}));
  const std::string hosts = "hosts_for_resolver_test.txt";
  std::ofstream(hosts) << "192.0.2.50 box.test\n";
  auto o = asking(first);
  o.hosts = hosts;
  auto made = resolver::create(o);
  resolver& r = made.value();
  CHECK(r.resolve("box.test").value().endpoints[0].address.to_string() == "192.0.2.50");
  std::ofstream(hosts) << "192.0.2.51 box.test\n192.0.2.52 new.test\n";
  std::this_thread::sleep_for(1100ms);
  CHECK(r.resolve("box.test").value().endpoints[0].address.to_string() == "192.0.2.51");
  CHECK(r.resolve("new.test").value().endpoints[0].address.to_string() == "192.0.2.52");
  std::remove(hosts.c_str());
}

TEST_CASE("a missing resolv.conf means 127.0.0.1, as libc has it") {
  options o;
  o.resolv_conf = "/nonexistent/resolv.conf";
  o.hosts = "";
  o.query.timeout = 50ms;
  auto r = resolver::create(o);
  auto x = r.value().resolve("example.test", {.timeout = 200ms});
  REQUIRE_FALSE(x);
  REQUIRE(x.error().story() != nullptr);
  REQUIRE_FALSE(x.error().story()->queries.empty());
  CHECK(x.error().story()->queries[0].upstream == "127.0.0.1:53");
}

TEST_CASE("bad settings give one sentence that names them") {
  CHECK(resolver::create({.servers = {"dns.example"}}).error() == errc::invalid_option);
  CHECK(resolver::create({.servers = {"1.2.3.4:99999"}}).error() == errc::invalid_option);
  options o;
  o.query.udp_payload_size = 100;
  CHECK(resolver::create(o).error().message() == "query.udp_payload_size is 100: give 512 to 4096");
  o = {};
  o.query.client_subnet = "192.0.2.1/24";
  CHECK(resolver::create(o).error() == errc::invalid_option);
  o = {};
  o.racing.first_family_count = 0;
  CHECK(resolver::create(o).error().message() == "racing.first_family_count is under 1: give 1 or more");
  auto r = resolver::create();
  CHECK(r.value().connect("example.test:80", {.timeout = 0ms}).error() == errc::invalid_option);
  CHECK(r.value().connect("example.test").error() == errc::invalid_target);
}

TEST_CASE("HE-53: when all attempts fail alike, the error keeps their errno and lists each") {
  fake_dns_server dns(always({"127.0.0.8", "127.0.0.9"}));
  auto o = asking(dns);
  o.selection.policy = policy::in_order;
  auto r = resolver::create(o);
  listener l;  // its port is free on the other addresses
  auto c = r.value().connect(target_of("example.test", l));
  REQUIRE_FALSE(c);
  CHECK(c.error() == std::make_error_condition(std::errc::connection_refused));
  const std::string port = std::to_string(l.where().port);
  CHECK(c.error().message() == "could not connect to example.test:" + port + ": 127.0.0.8:" + port +
                                   " Connection refused; 127.0.0.9:" + port + " Connection refused");
  REQUIRE(c.error().story() != nullptr);
  CHECK(c.error().story()->attempts.size() == 2);
  c = r.value().connect("127.0.0.8:" + port);
  REQUIRE_FALSE(c);
  CHECK(c.error().message() == "could not connect to 127.0.0.8:" + port + ": Connection refused");
}

}  // namespace lbresolve::test
