// Choosing without connecting, watching, reporting and explaining, through the public API.
#include "io/shared_selection.hpp"
#include "support/fake_dns_server.hpp"
#include "support/listener.hpp"

#include <lbresolve/lbresolve.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace lbresolve::test {
namespace {

using namespace std::chrono_literals;

/// A server whose one name has the addresses that are set, for a second each time.
class names {
 public:
  explicit names(std::vector<std::string> texts) { set(std::move(texts)); }

  void set(std::vector<std::string> texts) {
    const std::lock_guard lock(mutex_);
    addresses_.clear();
    for (const auto& text : texts) addresses_.push_back(*address::parse(text));
  }

  options asking() const {
    options o;
    o.servers = {server_.where().to_string()};
    o.hosts = "";
    o.selection.probing = false;
    return o;
  }
  std::size_t requests() const { return server_.request_count(); }

 private:
  std::vector<fake_dns_server::reply> answer(const fake_dns_server::request& r) {
    std::size_t at = 12;
    while (r.query[at] != 0) at += 1U + r.query[at];
    const bool asks_a = r.query[at + 2] == 1;
    const bool absent = r.query[13] == 'x' || r.query[13] == 'X';
    if (absent) return {{answer_to(r.query, {}, 3), 0ms}};
    const std::lock_guard lock(mutex_);
    return {{answer_to(r.query, asks_a ? addresses_ : std::vector<address>{}, 0, false, 1), 0ms}};
  }

  std::mutex mutex_;
  std::vector<address> addresses_;
  fake_dns_server server_{[this](const fake_dns_server::request& r) { return answer(r); }};
};

endpoint at(const std::string& text, std::uint16_t port = 7) { return {*address::parse(text), port}; }

const std::vector<std::string> four{"127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"};

/// What a watch was told, as "added 127.0.0.1:7".
class told_changes {
 public:
  watch_callback callback() {
    return [this](const member_change& c) {
      const std::lock_guard lock(mutex_);
      seen_.push_back(std::string(to_string(c.is)) + " " + c.endpoint.to_string());
    };
  }
  std::vector<std::string> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }
  bool has(const std::string& what, std::chrono::milliseconds patience = 20s) const {
    for (const auto end = std::chrono::steady_clock::now() + patience; std::chrono::steady_clock::now() < end;) {
      const auto all = seen();
      if (std::find(all.begin(), all.end(), what) != all.end()) return true;
      std::this_thread::sleep_for(5ms);
    }
    return false;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> seen_;
};

TEST_CASE("SEL-09: a picker shares its picks evenly over what nothing is known of") {
  names dns(four);
  auto r = resolver::create(dns.asking()).value();
  auto made = r.make_picker("a.test:7");
  REQUIRE(made);
  picker p = made.value();
  std::map<endpoint, int> counts;
  for (int i = 0; i < 4'000; ++i) ++counts[*p.pick()];
  REQUIRE(counts.size() == 4);
  for (const auto& [to, count] : counts) CHECK(std::abs(count - 1'000) < 200);
}

TEST_CASE("MEM-12: three reported failures take an endpoint out of a picker's picks, and a success brings it back") {
  names dns(four);
  auto r = resolver::create(dns.asking()).value();
  picker p = r.make_picker("a.test:7").value();
  const endpoint bad = at("127.0.0.2");
  for (int i = 0; i < 3; ++i) {
    r.begin(bad);
    r.report(bad, outcome::failure);
  }
  const auto picked = [&] {
    for (int i = 0; i < 1'000; ++i)
      if (*p.pick() == bad) return true;
    return false;
  };
  const auto becomes = [&](bool wanted) {
    for (int i = 0; i < 2'000; ++i, std::this_thread::sleep_for(5ms))
      if (picked() == wanted) return true;
    return false;
  };
  CHECK(becomes(false));
  const auto known = r.health();
  const auto record = std::find_if(known.begin(), known.end(), [&](const auto& h) { return h.endpoint == bad; });
  REQUIRE(record != known.end());
  CHECK(record->state == endpoint_state::ejected);
  CHECK(record->comes_back.has_value());
  r.report(bad, outcome::success, 2ms);
  CHECK(becomes(true));
}

TEST_CASE("SEL-15: requests that have begun and not ended turn picks away") {
  names dns({"127.0.0.1", "127.0.0.2"});
  auto r = resolver::create(dns.asking()).value();
  picker p = r.make_picker("a.test:7").value();
  for (int i = 0; i < 50; ++i) r.begin(at("127.0.0.1"));
  int first = 0;
  for (int i = 0; i < 2'000; ++i) first += *p.pick() == at("127.0.0.1") ? 1 : 0;
  CHECK(first < 700);  // a quarter, where both draws say so
  for (int i = 0; i < 50; ++i) r.report(at("127.0.0.1"), outcome::success);
  first = 0;
  for (int i = 0; i < 2'000; ++i) first += *p.pick() == at("127.0.0.1") ? 1 : 0;
  CHECK(first > 700);
}

TEST_CASE("SEL-15: picks by name turn away too, as soon as the resolver's thread has heard of it") {
  names dns({"127.0.0.1", "127.0.0.2"});
  auto r = resolver::create(dns.asking()).value();
  REQUIRE(r.pick("a.test:7"));
  const auto comes_to = [&](auto&& wanted) {
    for (int round = 0; round < 1'000; ++round, std::this_thread::sleep_for(5ms)) {
      int first = 0;
      for (int i = 0; i < 2'000; ++i) first += r.pick("a.test:7").value() == at("127.0.0.1") ? 1 : 0;
      if (wanted(first)) return true;
    }
    return false;
  };
  CHECK(comes_to([](int first) { return first > 800; }));
  for (int i = 0; i < 50; ++i) r.begin(at("127.0.0.1"));
  CHECK(comes_to([](int first) { return first < 700; }));
  for (int i = 0; i < 50; ++i) r.report(at("127.0.0.1"), outcome::success);
  CHECK(comes_to([](int first) { return first > 800; }));
}

TEST_CASE("what goes on at an endpoint is told also when many others have been asked about") {
  io::shared_selection memory({});
  for (unsigned n = 0; n < 1'000; ++n) {
    const endpoint to{address::v4({127, 1, static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n & 0xff)}), 7};
    const auto count = memory.in_flight(to);
    REQUIRE(count->load() == 0);
    memory.begin(to, core::time_point{1h});
    REQUIRE(count->load() == 1);
  }
}

TEST_CASE("MEM-10: on another network nothing goes on at an endpoint any more") {
  io::shared_selection memory({});
  const auto count = memory.in_flight(at("127.0.0.1"));
  memory.begin(at("127.0.0.1"), core::time_point{1h});
  REQUIRE(count->load() == 1);
  CHECK(memory.use_network(7, core::time_point{1h}));
  CHECK(count->load() == 0);
}

TEST_CASE("SEL-08: a picker takes turns, or stays with one, where its policy says so") {
  names dns(four);
  auto r = resolver::create(dns.asking()).value();
  picker turns = r.make_picker("a.test:7", {.policy = policy::round_robin}).value();
  std::map<endpoint, int> counts;
  for (int i = 0; i < 400; ++i) ++counts[*turns.pick()];
  for (const auto& [to, count] : counts) CHECK(count == 100);
  picker sticky = r.make_picker("a.test:7", {.policy = policy::hash, .hash_key = "user 7"}).value();
  const endpoint mine = *sticky.pick();
  for (int i = 0; i < 100; ++i) CHECK(*sticky.pick() == mine);
}

TEST_CASE("copies of a picker pick on threads of their own while health changes") {
  names dns(four);
  auto r = resolver::create(dns.asking()).value();
  const picker p = r.make_picker("a.test:7").value();
  std::atomic<int> missing{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t)
    threads.emplace_back([&, own = p]() mutable {
      for (int i = 0; i < 20'000; ++i)
        if (!own.pick()) ++missing;
    });
  for (int i = 0; i < 500; ++i) {
    const endpoint to = at(four[static_cast<std::size_t>(i) % 4]);
    r.begin(to);
    r.report(to, i % 3 == 0 ? outcome::failure : outcome::success, 1ms);
  }
  for (std::thread& t : threads) t.join();
  CHECK(missing == 0);
}

TEST_CASE("a picker outlives its resolver") {
  names dns(four);
  std::optional<picker> p;
  {
    auto r = resolver::create(dns.asking()).value();
    p = r.make_picker("a.test:7").value();
    CHECK(p->pick().has_value());
  }
  CHECK(p->pick().has_value());
}

TEST_CASE("a picker of a name that does not exist, or of half a target, says why") {
  names dns(four);
  auto r = resolver::create(dns.asking()).value();
  const auto absent = r.make_picker("x.test:7");
  REQUIRE_FALSE(absent);
  CHECK(absent.error() == errc::no_addresses);
  const auto half = r.make_picker("a.test");
  REQUIRE_FALSE(half);
  CHECK(half.error() == errc::invalid_target);
}

TEST_CASE("picks by name look a name up once") {
  names dns(four);
  options o = dns.asking();
  for (const loop how : {loop::own_thread, loop::caller}) {
    o.loop = how;
    auto r = resolver::create(o).value();
    const std::size_t before = dns.requests();
    std::map<endpoint, int> counts;
    for (int i = 0; i < 1'000; ++i) ++counts[r.pick("a.test:7").value()];
    CHECK(counts.size() == 4);
    CHECK(dns.requests() - before <= 4);  // A and AAAA, and again when a second has passed
  }
}

TEST_CASE("SEL-03: a watch tells who came, who was withdrawn, who failed and who is back") {
  names dns({"127.0.0.1", "127.0.0.2"});
  auto r = resolver::create(dns.asking()).value();
  told_changes told;
  const auto watching = r.watch("a.test:7", told.callback());
  REQUIRE(watching);
  CHECK(told.has("added 127.0.0.1:7"));
  CHECK(told.has("added 127.0.0.2:7"));
  r.report(at("127.0.0.1"), outcome::failure);
  CHECK(told.has("suspect 127.0.0.1:7"));
  r.report(at("127.0.0.1"), outcome::success);
  CHECK(told.has("back 127.0.0.1:7"));
  for (int i = 0; i < 3; ++i) r.report(at("127.0.0.2"), outcome::failure);
  CHECK(told.has("ejected 127.0.0.2:7"));
  dns.set({"127.0.0.1", "127.0.0.3"});
  CHECK(told.has("withdrawn 127.0.0.2:7"));
  CHECK(told.has("added 127.0.0.3:7"));
  CHECK(r.unwatch(watching.value()));
  CHECK_FALSE(r.unwatch(watching.value()));
  const std::size_t before = told.seen().size();
  dns.set({"127.0.0.4"});
  std::this_thread::sleep_for(1'500ms);
  CHECK(told.seen().size() == before);
}

TEST_CASE("MEM-03: an address that is withdrawn and named anew is told of as such, and waits no longer") {
  names dns(four);
  auto r = resolver::create(dns.asking()).value();
  told_changes told;
  REQUIRE(r.watch("a.test:7", told.callback()));
  CHECK(told.has("added 127.0.0.2:7"));
  for (int i = 0; i < 3; ++i) r.report(at("127.0.0.2"), outcome::failure);
  CHECK(told.has("ejected 127.0.0.2:7"));
  dns.set({"127.0.0.1", "127.0.0.3", "127.0.0.4"});
  CHECK(told.has("withdrawn 127.0.0.2:7"));
  dns.set(four);
  const auto added_again = [&] {
    const auto all = told.seen();
    return std::count(all.begin(), all.end(), "added 127.0.0.2:7") == 2;
  };
  for (int i = 0; i < 2'000 && !added_again(); ++i) std::this_thread::sleep_for(5ms);
  CHECK(added_again());
  const auto known = r.health();
  const auto record =
      std::find_if(known.begin(), known.end(), [](const auto& h) { return h.endpoint == at("127.0.0.2"); });
  REQUIRE(record != known.end());
  CHECK(record->state == endpoint_state::half_open);
  r.report(at("127.0.0.2"), outcome::success);
  CHECK(told.has("back 127.0.0.2:7"));
}

TEST_CASE("SEL-02: a picker in mode client picks what earlier answers of a rotating name had, too") {
  names dns({"127.0.0.1", "127.0.0.2"});
  auto r = resolver::create(dns.asking()).value();
  connect_options settings;
  settings.mode = selection_mode::client;
  picker p = r.make_picker("a.test:7", settings).value();
  dns.set({"127.0.0.3", "127.0.0.4"});
  const auto picked = [&] {
    std::map<endpoint, int> counts;
    for (int i = 0; i < 1'000; ++i)
      if (const auto to = p.pick()) ++counts[*to];
    return counts;
  };
  std::map<endpoint, int> counts;
  for (int i = 0; i < 1'000 && counts.size() < 4; ++i, std::this_thread::sleep_for(5ms)) counts = picked();
  CHECK(counts.size() == 4);
}

TEST_CASE("SEC-10: a watch may end itself, and its resolver, from inside its callback") {
  names dns(four);
  auto r = std::make_unique<resolver>(resolver::create(dns.asking()).value());
  std::atomic<int> calls{0};
  std::atomic<std::uint64_t> number{0};
  std::atomic<bool> destroyed{false};
  const auto id = r->watch("a.test:7", [&](const member_change&) {
    if (++calls > 1) return;
    while (number == 0) std::this_thread::yield();
    r->unwatch({number});
    r.reset();
    destroyed = true;
  });
  number = id.value().id;
  for (int i = 0; i < 4'000 && !destroyed; ++i) std::this_thread::sleep_for(5ms);
  CHECK(destroyed);
  CHECK(calls == 1);
}

TEST_CASE("SEL-13: an explanation has a reason for every place, and opens no socket") {
  names dns(four);
  listener l;
  auto r = resolver::create(dns.asking()).value();
  const std::string target = "a.test:" + std::to_string(l.where().port);
  CHECK(r.pick(target));  // from here on they are known to be four
  for (int i = 0; i < 3; ++i) r.report(at("127.0.0.2", l.where().port), outcome::failure);
  r.report(at("127.0.0.3", l.where().port), outcome::failure);
  const auto told = r.explain(target);
  REQUIRE(told);
  const explanation& e = told.value();
  REQUIRE(e.candidates.size() == 4);
  double share = 0;
  for (const auto& c : e.candidates) {
    CHECK_FALSE(c.why.empty());
    share += c.share;
  }
  CHECK(share == doctest::Approx(1));
  CHECK(e.candidates[3].endpoint == at("127.0.0.2", l.where().port));
  CHECK(e.candidates[2].endpoint == at("127.0.0.3", l.where().port));
  CHECK(e.candidates[2].share == 0);
  CHECK(l.accepted() == 0);
}

TEST_CASE("a probe connects to every address and remembers what it found") {
  names dns({"127.0.0.1", "127.0.0.2"});
  listener l;  // on 127.0.0.1 only
  auto r = resolver::create(dns.asking()).value();
  const auto report = r.probe("a.test:" + std::to_string(l.where().port));
  REQUIRE(report);
  REQUIRE(report.value().attempts.size() == 2);
  for (const attempt_record& a : report.value().attempts) {
    const bool there = a.endpoint.address == *address::parse("127.0.0.1");
    CHECK(a.ended_as == (there ? attempt_record::outcome::won : attempt_record::outcome::failed));
    CHECK((a.code == std::errc::connection_refused) == !there);
  }
  CHECK(r.health().size() == 2);
  r.forget_health();
  CHECK(r.health().empty());
}

TEST_CASE("MEM-13: what one resolver has learned the next one knows, by the state file") {
  const auto folder = std::filesystem::temp_directory_path() / ("lbresolve-" + std::to_string(std::rand()));
  std::filesystem::create_directory(folder);
  names dns(four);
  options o = dns.asking();
  o.selection.state_file = (folder / "health.sqlite").string();
  {
    auto first = resolver::create(o);
    if (!first) {
      CHECK(first.error() == errc::unsupported);  // a build without SQLite
      std::filesystem::remove_all(folder);
      return;
    }
    first.value().report(at("127.0.0.2"), outcome::failure);
  }
  {
    auto second = resolver::create(o).value();
    const auto known = second.health();
    REQUIRE(known.size() == 1);
    CHECK(known[0].endpoint == at("127.0.0.2"));
    CHECK(known[0].state == endpoint_state::suspect);
    second.forget_health();
  }
  auto third = resolver::create(o).value();
  CHECK(third.health().empty());
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace lbresolve::test
