// fork(): the child starts afresh, and the parent notices nothing.
#include "io/fork.hpp"

#include "io/event_loop.hpp"
#include "support/fake_dns_server.hpp"
#include "support/listener.hpp"
#include "support/own_namespace.hpp"
#include "support/test_ca.hpp"
#include "support/tls_listener.hpp"

#include <lbresolve/lbresolve.hpp>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

// ThreadSanitizer cannot follow: a child of a process with threads may start none under it.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LBRESOLVE_TEST_NO_THREADS_AFTER_FORK 1
#endif
#endif
#if defined(__SANITIZE_THREAD__) && !defined(LBRESOLVE_TEST_NO_THREADS_AFTER_FORK)
#define LBRESOLVE_TEST_NO_THREADS_AFTER_FORK 1
#endif

namespace lbresolve::test {

namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

/// What `f` returns in a child; that of a signal where it hangs.
template <class F>
int forked(F f) {
  return in_child([&f] {
    ::alarm(20);
    return f();
  });
}

const std::vector<address> here{address::v4({127, 0, 0, 1})};

fake_dns_server::handler all_here(std::chrono::milliseconds after = 0ms) {
  return [after](const fake_dns_server::request& r) -> std::vector<fake_dns_server::reply> {
    return {{answer_to(r.query, here), after}};
  };
}

options asking(const fake_dns_server& server, loop how = loop::own_thread) {
  options o;
  o.servers = {"tcp://" + server.where().to_string()};
  o.families = families::ipv4_only;
  o.loop = how;
  o.hosts = "";
  return o;
}

/// A DNS server, something to connect to, and a resolver whose thread, cache and connection are there.
struct lab {
  explicit lab(std::chrono::milliseconds answers_after = 0ms, loop how = loop::own_thread)
      : dns(all_here(answers_after)), resolver(resolver::create(asking(dns, how))) {
    REQUIRE(resolver);
    REQUIRE(resolver.value().connect(target("first.test")));
  }
  std::string target(const std::string& name) const { return name + ":" + std::to_string(server.where().port); }
  class resolver& operator*() {
    return resolver.value();
  }
  class resolver* operator->() {
    return &resolver.value();
  }

  fake_dns_server dns;
  listener server;
  result<class resolver> resolver;
};

}  // namespace

TEST_CASE("USE-06: fork() waits until a thread has left its shelter, but not for long") {
  io::fork_shelter shelter;
  std::promise<void> entered;
  std::promise<void> forked;
  std::atomic<bool> left{false};
  std::thread inside([&] {
    {
      const std::lock_guard lock(shelter);
      entered.set_value();
      std::this_thread::sleep_for(20ms);
      left = true;
    }
    forked.get_future().wait();  // ThreadSanitizer takes one that has ended by then for a leak of the child's
  });
  entered.get_future().wait();
  CHECK(in_child([&] { return left ? 0 : 1; }) == 0);
  forked.set_value();
  inside.join();

  std::promise<void> again;
  std::promise<void> done;
  std::thread stays([&] {
    const std::lock_guard lock(shelter);
    again.set_value();
    done.get_future().wait();
  });
  again.get_future().wait();
  const auto began = steady::now();
  CHECK(in_child([] { return 0; }) == 0);
  CHECK(steady::now() - began >= io::fork_shelter::patience);
  done.set_value();
  stays.join();
  const std::lock_guard lock(shelter);
  CHECK(in_child([] { return 0; }) == 0);  // of the thread that forks itself
}

TEST_CASE("USE-06: a parent's event loop does nothing in the child, and the parent's goes on") {
  auto loop = io::event_loop::create();
  REQUIRE(loop);
  struct counter final : io::event_loop::watcher {
    void on_ready(bool, bool) override { ++times; }
    int times = 0;
  };
  counter watcher;
  io::unique_fd event(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  REQUIRE_FALSE(loop.value()->watch(event.get(), true, false, watcher));
  CHECK(in_child([&] {
          io::event_loop& l = *loop.value();
          if (!l.is_inherited()) return 1;
          if (::fcntl(event.get(), F_GETFD) != -1) return 2;  // closed, with the loop's own
          l.unwatch(event.get());
          l.post([] { ::_exit(3); });
          l.run_once(std::nullopt);
          return l.fd() == -1 && l.watch(STDIN_FILENO, true, false, watcher) ? 0 : 4;
        }) == 0);
  const std::uint64_t one = 1;
  REQUIRE(::write(event.get(), &one, sizeof one) == sizeof one);
  loop.value()->run_once(10s);
  CHECK(watcher.times == 1);
}

#ifndef LBRESOLVE_TEST_NO_THREADS_AFTER_FORK

TEST_CASE("USE-06: after fork() the child connects with a cache and a connection of its own") {
  lab l;
  const std::size_t asked = l.dns.request_count();
  REQUIRE(l.dns.connection_count() == 1);
  CHECK(forked([&] {
          if (!l->health().empty()) return 1;
          if (!l->connect(l.target("first.test"))) return 2;
          if (!l->connect(l.target("second.test"))) return 3;
          l.resolver = resolver::create({});  // destroys it
          return 0;
        }) == 0);
  CHECK(l.dns.request_count() == asked + 2);
  CHECK(l.dns.connection_count() == 2);
  CHECK(l->health().size() == 1);
  CHECK(l->connect(l.target("third.test")));
  CHECK(l.dns.connection_count() == 2);  // its own is as it was
}

TEST_CASE("USE-06: a child that destroys the resolver unused, or forks again, disturbs nobody") {
  lab l;
  CHECK(forked([&] {
          l.resolver = resolver::create({});
          return 0;
        }) == 0);
  CHECK(forked([&] {
          if (!l->connect(l.target("second.test"))) return 1;
          const int grandchild = forked([&] { return l->connect(l.target("third.test")) ? 0 : 1; });
          return grandchild == 0 && l->connect(l.target("fourth.test")) ? 0 : 2;
        }) == 0);
  CHECK(l->connect(l.target("fifth.test")));
  CHECK(l.dns.connection_count() == 3);
}

TEST_CASE("USE-06: pickers, watches, callbacks and cancel after fork()") {
  lab l;
  auto made = l->make_picker(l.target("first.test"));
  REQUIRE(made);
  REQUIRE(made.value().pick());
  REQUIRE(l->pick(l.target("first.test")));
  const auto watched = l->watch(l.target("first.test"), [](const member_change&) {});
  REQUIRE(watched);
  CHECK(forked([&] {
          if (l->unwatch(watched.value()) || l->cancel({watched.value().id})) return 1;
          if (made.value().pick()) return 2;
          auto own = l->make_picker(l.target("first.test"));
          if (!own || !own.value().pick() || !l->pick(l.target("first.test"))) return 3;
          std::promise<member_change> told;
          auto mine = l->watch(l.target("first.test"), [&](const member_change& c) { told.set_value(c); });
          if (!mine || told.get_future().get().endpoint != l.server.where()) return 4;
          if (l->unwatch(watched.value()) || !l->unwatch(mine.value())) return 5;
          std::promise<bool> done;
          l->async_connect(l.target("second.test"), {}, [&](auto c) { done.set_value(c.has_value()); });
          if (!done.get_future().get()) return 6;
          l->report(l.server.where(), outcome::success, 1ms);
          return l->health().size() == 1 ? 0 : 7;
        }) == 0);
  CHECK(made.value().pick());
  CHECK(l->unwatch(watched.value()));
}

TEST_CASE("USE-06: what was under way completes in the parent, once, and not in the child") {
  lab l(200ms);
  const pid_t parent = ::getpid();
  std::atomic<int> completed{0};
  std::promise<bool> done;
  const operation asked = l->async_connect(l.target("second.test"), {}, [&](auto c) {
    if (::getpid() != parent) ::_exit(9);
    ++completed;
    done.set_value(c.has_value());
  });
  REQUIRE(asked);
  CHECK(forked([&] {
          if (l->cancel(asked)) return 1;
          if (!l->connect(l.target("third.test")) || l->cancel(asked)) return 2;
          std::this_thread::sleep_for(300ms);
          return completed.load();
        }) == 0);
  CHECK(done.get_future().get());
  CHECK(completed == 1);
}

TEST_CASE("USE-06: a callback forks, and its child connects there") {
  lab l;
  std::promise<int> status;
  l->async_resolve(l.target("second.test"), {}, [&](auto) {
    status.set_value(forked([&] {
      if (!l->connect(l.target("third.test"))) return 1;
      l.resolver = resolver::create({});
      return 0;
    }));
  });
  CHECK(status.get_future().get() == 0);
  CHECK(l->connect(l.target("fourth.test")));
  CHECK(l.dns.connection_count() == 2);
}

TEST_CASE("USE-06: a child that returns from the callback that forked ends with that thread") {
  lab l;
  std::promise<pid_t> child;
  const auto told = l->watch(l.target("first.test"), [&](const member_change&) {
    const pid_t pid = ::fork();
    if (pid != 0) return child.set_value(pid);
    ::alarm(20);
    std::atexit([] { ::_exit(7); });
  });
  REQUIRE(told);
  int status = 0;
  REQUIRE(::waitpid(child.get_future().get(), &status, 0) > 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 7);
  CHECK(l->connect(l.target("second.test")));
  CHECK(l.dns.connection_count() == 1);
}

TEST_CASE("USE-06: with loop::caller the child has another fd(), and goes on behind the process() that forked") {
  lab l(0ms, loop::caller);
  const int fd = l->fd();
  REQUIRE(fd >= 0);
  bool done = false;
  const auto connects = [&](const std::string& name) {
    done = false;
    l->async_connect(l.target(name), {}, [&](auto c) { done = c.has_value(); });
    for (int i = 0; i < 200 && !done; ++i) l->process(50ms);
    return done;
  };
  pid_t child = -1;
  l->async_connect(l.target("second.test"), {}, [&](auto) { child = ::fork(); });
  while (child < 0) l->process(50ms);
  if (child == 0) {
    ::alarm(20);
    const bool good = l->fd() >= 0 && connects("third.test") && l->connect(l.target("fourth.test"));
    l.resolver = resolver::create({});
    ::_exit(good ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) > 0);
  CHECK(status == 0);
  CHECK(l->fd() == fd);
  CHECK(connects("fifth.test"));
  CHECK(l.dns.connection_count() == 2);
}

TEST_CASE("USE-06: children forked while other threads are in the middle of connects connect too") {
  const test_ca ca;
  tls_listener server({.tls = tls_peer_settings{.with = ca.issue({.names = {"first.test"}})}});
  fake_dns_server dns(all_here());
  auto made = resolver::create(asking(dns));
  REQUIRE(made);
  connect_options o;
  o.ready = ready::tls;
  o.tls.ca_file = ca.file();
  const std::string target = "first.test:" + std::to_string(server.where().port);
  std::atomic<bool> stop{false};
  std::atomic<int> failed{0};
  std::vector<std::thread> busy;
  for (const bool use_cache : {true, false}) {  // on its own thread, and on the resolver's
    busy.emplace_back([&, use_cache] {
      connect_options mine = o;
      mine.use_cache = use_cache;
      while (!stop)
        if (!made.value().connect(target, mine)) ++failed;
    });
  }
  for (int i = 0; i < 25; ++i) {
    std::this_thread::sleep_for(std::chrono::microseconds(i * 100));
    CHECK(forked([&] { return made.value().connect(target, o) ? 0 : 1; }) == 0);
  }
  stop = true;
  for (auto& t : busy) t.join();
  CHECK(failed == 0);
}

TEST_CASE("USE-06: the child closes what only the parent needs, so that ends reach the servers") {
  auto l = std::make_unique<lab>();
  const std::size_t open_here = open_descriptors();
  CHECK(forked([&] { return open_descriptors() + 4 <= open_here ? 0 : 1; }) == 0);  // the loop's three, the connection
}

TEST_CASE("USE-06: the default resolver after fork()") {
  listener server;
  const std::string target = server.where().to_string();
  REQUIRE(lbresolve::connect(target));
  auto* const mine = default_resolver().value();
  CHECK(forked([&] {
          if (default_resolver().value() != mine || !mine->health().empty()) return 1;
          return lbresolve::connect(target) ? 0 : 2;
        }) == 0);
}

#ifdef LBRESOLVE_TEST_SQLITE
TEST_CASE("USE-06: of what the parent has learned the child knows what is in the state file") {
  const auto folder = std::filesystem::temp_directory_path() / ("fork_test." + std::to_string(::getpid()));
  {
    fake_dns_server dns(all_here());
    listener server;
    options o = asking(dns);
    o.selection.state_file = (folder / "health").string();
    const std::string target = "first.test:" + std::to_string(server.where().port);
    {
      auto earlier = resolver::create(o);
      REQUIRE(earlier);
      REQUIRE(earlier.value().connect(target));
    }
    auto made = resolver::create(o);
    REQUIRE(made);
    REQUIRE(made.value().connect(target));
    const endpoint elsewhere{*address::parse("192.0.2.1"), 1};
    CHECK(forked([&] {
            if (made.value().health().size() != 1) return 1;
            made.value().report(elsewhere, outcome::failure);
            made = resolver::create({});  // writes what is left
            return 0;
          }) == 0);
    auto later = resolver::create(o);
    REQUIRE(later);
    CHECK(later.value().health().size() == 2);
    CHECK(made.value().connect(target));
  }
  std::filesystem::remove_all(folder);
}
#endif

#endif

}  // namespace lbresolve::test
