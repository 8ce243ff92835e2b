// An observer of a resolver, against a scripted DNS server and real sockets on loopback.
#include "support/fake_dns_server.hpp"
#include "support/listener.hpp"

#include <lbresolve/lbresolve.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace lbresolve::test {

namespace {

using namespace std::chrono_literals;

/// Keeps everything it is told, and asks the resolver back: no lock may be held.
class notebook final : public observer {
 public:
  struct pages {
    std::vector<lookup_event> lookups;
    std::vector<attempt_event> attempts;
    std::vector<choice_event> choices;
    std::vector<health_event> healths;
    std::vector<probe_event> probes;
    std::vector<std::thread::id> threads;
  };

  void on_lookup(const lookup_event& e) noexcept override { note(&pages::lookups, e); }
  void on_attempt(const attempt_event& e) noexcept override { note(&pages::attempts, e); }
  void on_choice(const choice_event& e) noexcept override { note(&pages::choices, e); }
  void on_health(const health_event& e) noexcept override { note(&pages::healths, e); }
  void on_probe(const probe_event& e) noexcept override { note(&pages::probes, e); }

  pages take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(pages_, {});
  }
  /// Waits until there is one.
  template <class Event>
  pages take_with(std::vector<Event> pages::*which) {
    for (int i = 0; i < 500; ++i) {
      {
        const std::lock_guard lock(mutex_);
        if (!(pages_.*which).empty()) return std::exchange(pages_, {});
      }
      std::this_thread::sleep_for(10ms);
    }
    return {};
  }

  std::atomic<resolver*> asks{nullptr};

 private:
  template <class Event>
  void note(std::vector<Event> pages::*which, const Event& e) {
    if (resolver* const r = asks) static_cast<void>(r->health());
    const std::lock_guard lock(mutex_);
    (pages_.*which).push_back(e);
    pages_.threads.push_back(std::this_thread::get_id());
  }

  std::mutex mutex_;
  pages pages_;
};

fake_dns_server::handler two_addresses() {
  const std::vector<address> here{address::v4({127, 0, 0, 1}), address::v4({127, 0, 0, 2})};
  return [here](const fake_dns_server::request& r) -> std::vector<fake_dns_server::reply> {
    return {{answer_to(r.query, here)}};
  };
}

struct watched {
  explicit watched(loop how = loop::own_thread) : dns(two_addresses()), seen(std::make_shared<notebook>()) {
    options o;
    o.servers = {dns.where().to_string()};
    o.families = families::ipv4_only;
    o.hosts = "";
    o.loop = how;
    o.selection.policy = policy::in_order;
    o.selection.probing = false;
    o.observer = seen;
    made = std::make_unique<result<resolver>>(resolver::create(std::move(o)));
    REQUIRE(*made);
    seen->asks = &made->value();
  }
  ~watched() { seen->asks = nullptr; }
  watched(const watched&) = delete;
  watched& operator=(const watched&) = delete;
  resolver* operator->() { return &made->value(); }
  std::string target() const { return "www.test:" + std::to_string(server.where().port); }

  fake_dns_server dns;
  listener server;
  std::shared_ptr<notebook> seen;
  std::unique_ptr<result<resolver>> made;
};

}  // namespace

TEST_CASE("an observer is told of the lookup, the attempts and the choice of a connect") {
  watched w;
  REQUIRE(w->connect(w.target()));
  const auto p = w.seen->take_with(&notebook::pages::choices);
  REQUIRE(p.lookups.size() == 1);
  CHECK(p.lookups[0].target == w.target());
  CHECK(p.lookups[0].query.name == "www.test");
  CHECK(p.lookups[0].query.from == query_record::source::network);
  CHECK(p.lookups[0].server_address == "127.0.0.1");
  CHECK(p.lookups[0].server_port == w.dns.where().port);
  CHECK(p.lookups[0].network_transport == "udp");
  CHECK(p.lookups[0].error_type.empty());
  CHECK(p.lookups[0].duration > 0ns);
  REQUIRE(p.attempts.size() == 1);
  CHECK(p.attempts[0].attempt.endpoint == w.server.where());
  CHECK(p.attempts[0].attempt.ended_as == attempt_record::outcome::won);
  REQUIRE(p.choices.size() == 1);
  CHECK(p.choices[0].chosen == w.server.where());
  CHECK(p.choices[0].policy == policy::in_order);
  CHECK(p.choices[0].place == 0);
  CHECK_FALSE(p.choices[0].reason.empty());
  for (const auto id : p.threads) CHECK(id != std::this_thread::get_id());  // the network was asked

  REQUIRE(w->connect(w.target()));  // the race runs here
  const auto cached = w.seen->take();
  REQUIRE(cached.lookups.size() == 1);
  CHECK(cached.lookups[0].query.from == query_record::source::cache);
  CHECK(cached.lookups[0].network_transport.empty());
  REQUIRE(cached.choices.size() == 1);
  for (const auto id : cached.threads) CHECK(id == std::this_thread::get_id());
}

TEST_CASE("an observer is told of what failed, and of endpoints that fall out of favour and come back") {
  watched w;
  const std::string nobody = "www.test:1";
  CHECK_FALSE(w->connect(nobody));
  auto p = w.seen->take_with(&notebook::pages::choices);
  REQUIRE(p.choices.size() == 1);
  CHECK_FALSE(p.choices[0].chosen);
  CHECK(p.choices[0].place == 2);
  CHECK(p.choices[0].error_type == "connection_refused");
  REQUIRE(p.attempts.size() == 2);
  CHECK(p.attempts[1].error_type == "connection_refused");
  if (p.healths.size() < 2) p.healths.push_back(w.seen->take_with(&notebook::pages::healths).healths.at(0));
  REQUIRE(p.healths.size() == 2);
  CHECK(p.healths[0].change == member_change::kind::suspect);

  REQUIRE(w->connect(w.target()));
  w.seen->take_with(&notebook::pages::choices);
  const endpoint bad{*address::parse("127.0.0.2"), w.server.where().port};
  for (int i = 0; i < 3; ++i) w->report(bad, outcome::failure);
  p = w.seen->take();
  REQUIRE(p.healths.size() == 2);
  CHECK(p.healths[0].endpoint == bad);
  CHECK(p.healths[0].change == member_change::kind::suspect);
  CHECK(p.healths[1].change == member_change::kind::ejected);
  REQUIRE(p.healths[1].comes_back);
  CHECK(*p.healths[1].comes_back > 2s);
  CHECK(p.healths[1].consecutive_failures == 3);
  w->report(bad, outcome::success);
  p = w.seen->take();
  REQUIRE(p.healths.size() == 1);
  CHECK(p.healths[0].change == member_change::kind::back);
}

TEST_CASE("an observer is told of probes and of the lookups behind a picker, and picks tell nothing") {
  watched w;
  REQUIRE(w->probe(w.target()));
  auto p = w.seen->take_with(&notebook::pages::probes);
  REQUIRE(p.probes.size() == 2);
  CHECK_FALSE(p.probes[0].background);
  CHECK(p.probes[0].error_type.empty());
  CHECK(p.probes[1].error_type == "connection_refused");

  auto picker = w->make_picker("other.test:443");
  REQUIRE(picker);
  p = w.seen->take_with(&notebook::pages::lookups);
  REQUIRE(p.lookups.size() == 1);
  CHECK(p.lookups[0].query.name == "other.test");
  for (int i = 0; i < 100; ++i) REQUIRE(picker.value().pick());
  CHECK(w.seen->take().lookups.empty());
}

TEST_CASE("with loop::caller an observer is told inside process(), callbacks first") {
  watched w(loop::caller);
  bool done = false;
  w->async_connect(w.target(), {}, [&](auto c) {
    CHECK(c.has_value());
    CHECK(w.seen->take().choices.empty());
    done = true;
  });
  for (int i = 0; i < 200 && !done; ++i) w->process(50ms);
  REQUIRE(done);
  const auto p = w.seen->take();
  CHECK(p.choices.size() == 1);
  for (const auto id : p.threads) CHECK(id == std::this_thread::get_id());
}

TEST_CASE("a background probe is told") {
  fake_dns_server dns(two_addresses());
  listener server;
  auto seen = std::make_shared<notebook>();
  options o;
  o.servers = {dns.where().to_string()};
  o.families = families::ipv4_only;
  o.hosts = "";
  o.observer = seen;
  auto made = resolver::create(std::move(o));
  REQUIRE(made);
  const std::string target = "www.test:" + std::to_string(server.where().port);
  REQUIRE(made.value().connect(target));
  made.value().report(server.where(), outcome::failure);
  const auto p = seen->take_with(&notebook::pages::probes);  // a probe follows a failure after 1 to 5 s
  REQUIRE_FALSE(p.probes.empty());
  CHECK(p.probes[0].background);
}

}  // namespace lbresolve::test
