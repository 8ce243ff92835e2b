#include "io/event_loop.hpp"

#include "io/clock.hpp"
#include "support/test_random.hpp"

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

namespace lbresolve::io {
namespace {

using namespace std::chrono_literals;
using core::duration;

std::unique_ptr<event_loop> make_loop() { return event_loop::create().value(); }

struct pipe_pair {
  pipe_pair() {
    std::array<int, 2> fds{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds.data()) == 0);
    ours.reset(fds[0]);
    theirs.reset(fds[1]);
  }
  void poke() const { REQUIRE(::write(theirs.get(), "x", 1) == 1); }
  void drain() const {
    char c = 0;
    while (::read(ours.get(), &c, 1) == 1) continue;
  }
  unique_fd ours;
  unique_fd theirs;
};

struct on_fd final : event_loop::watcher {
  explicit on_fd(std::function<void(bool, bool)> f) : call(std::move(f)) {}
  void on_ready(bool readable, bool writable) override { call(readable, writable); }
  std::function<void(bool, bool)> call;
};

struct on_time final : event_loop::timer_handler {
  explicit on_time(std::function<void()> f) : call(std::move(f)) {}
  void on_timer() override { call(); }
  std::function<void()> call;
};

bool is_readable(int fd, std::chrono::milliseconds wait = 0ms) {
  pollfd p{fd, POLLIN, 0};
  return ::poll(&p, 1, static_cast<int>(wait.count())) == 1;
}

TEST_CASE("a watched descriptor is told of data until it has been read, and of nothing else") {
  const auto loop = make_loop();
  const pipe_pair pipe;
  int told = 0;
  on_fd w([&](bool readable, bool writable) {
    CHECK(readable);
    CHECK_FALSE(writable);
    ++told;
  });
  REQUIRE_FALSE(loop->watch(pipe.ours.get(), true, false, w));
  loop->run_once(duration::zero());
  CHECK(told == 0);
  pipe.poke();
  loop->run_once(duration::zero());
  loop->run_once(duration::zero());
  CHECK(told == 2);
  pipe.drain();
  loop->run_once(duration::zero());
  CHECK(told == 2);
}

TEST_CASE("an edge-triggered descriptor is told once for each arrival") {
  const auto loop = make_loop();
  const pipe_pair pipe;
  int told = 0;
  on_fd w([&](bool, bool) { ++told; });
  pipe.poke();  // before it is watched: that counts too
  REQUIRE_FALSE(loop->watch(pipe.ours.get(), true, false, w, event_loop::trigger::edge));
  loop->run_once(duration::zero());
  loop->run_once(duration::zero());
  CHECK(told == 1);
  pipe.poke();
  loop->run_once(duration::zero());
  CHECK(told == 2);
}

TEST_CASE("a hang-up counts as readable, and as writable where that is watched") {
  const auto loop = make_loop();
  pipe_pair pipe;
  bool readable = false;
  bool writable = false;
  on_fd w([&](bool r, bool wr) {
    readable = r;
    writable = wr;
  });
  REQUIRE_FALSE(loop->watch(pipe.ours.get(), true, false, w));
  pipe.theirs.reset();
  loop->run_once(duration::zero());
  CHECK(readable);
  CHECK_FALSE(writable);
  REQUIRE_FALSE(loop->watch(pipe.ours.get(), true, true, w));
  loop->run_once(duration::zero());
  CHECK(writable);
}

TEST_CASE("an error alone counts as readable") {
  const auto loop = make_loop();
  std::array<int, 2> fds{};
  REQUIRE(::pipe(fds.data()) == 0);
  const unique_fd write_end(fds[1]);
  ::close(fds[0]);  // the write end now reports EPOLLERR, and nothing to read
  bool readable = false;
  on_fd w([&](bool r, bool) { readable = r; });
  REQUIRE_FALSE(loop->watch(write_end.get(), true, false, w));
  loop->run_once(duration::zero());
  CHECK(readable);
}

TEST_CASE("what is watched can change, and unwatching twice does no harm") {
  const auto loop = make_loop();
  const pipe_pair pipe;
  int writable_count = 0;
  on_fd w([&](bool, bool writable) { writable_count += writable ? 1 : 0; });
  REQUIRE_FALSE(loop->watch(pipe.ours.get(), true, true, w));
  loop->run_once(duration::zero());
  CHECK(writable_count == 1);
  REQUIRE_FALSE(loop->watch(pipe.ours.get(), true, false, w));
  loop->run_once(duration::zero());
  CHECK(writable_count == 1);
  loop->unwatch(pipe.ours.get());
  loop->unwatch(pipe.ours.get());
  loop->unwatch(-1);
  pipe.poke();
  loop->run_once(duration::zero());
  CHECK(writable_count == 1);
}

TEST_CASE("watching a descriptor that is not open is an error") {
  const auto loop = make_loop();
  on_fd w([](bool, bool) {});
  CHECK(loop->watch(999, true, false, w) == std::errc::bad_file_descriptor);
}

TEST_CASE("SEC-10: a descriptor unwatched by the one before it in the same round is not told") {
  const auto loop = make_loop();
  const pipe_pair a;
  const pipe_pair b;
  int told = 0;
  std::unique_ptr<on_fd> wa;
  std::unique_ptr<on_fd> wb;
  wa = std::make_unique<on_fd>([&](bool, bool) {
    ++told;
    loop->unwatch(b.ours.get());
    wb.reset();
  });
  wb = std::make_unique<on_fd>([&](bool, bool) {
    ++told;
    loop->unwatch(a.ours.get());
    wa.reset();
  });
  REQUIRE_FALSE(loop->watch(a.ours.get(), true, false, *wa));
  REQUIRE_FALSE(loop->watch(b.ours.get(), true, false, *wb));
  a.poke();
  b.poke();
  loop->run_once(duration::zero());
  loop->run_once(duration::zero());
  // Whoever came first was told in both rounds, the other never.
  CHECK(told == 2);
  CHECK((wa == nullptr) != (wb == nullptr));
}

TEST_CASE("SEC-10: a descriptor closed and opened again in a round does not get its predecessor's event") {
  const auto loop = make_loop();
  const pipe_pair a;
  pipe_pair b;
  int told_new = 0;
  on_fd fresh([&](bool, bool) { ++told_new; });
  std::unique_ptr<pipe_pair> again;
  on_fd wb([](bool, bool) {});
  on_fd wa([&](bool, bool) {
    a.drain();
    const int old = b.ours.get();
    loop->forget(old);
    b.ours.reset();
    again = std::make_unique<pipe_pair>();
    if (again->ours.get() == old) {
      REQUIRE_FALSE(loop->watch(again->ours.get(), true, false, fresh));
    }
  });
  REQUIRE_FALSE(loop->watch(a.ours.get(), true, false, wa));
  REQUIRE_FALSE(loop->watch(b.ours.get(), true, false, wb));
  a.poke();
  b.poke();
  loop->run_once(duration::zero());
  REQUIRE(again != nullptr);
  CHECK(told_new == 0);
  again->poke();
  loop->run_once(duration::zero());
  CHECK(told_new == 1);
}

TEST_CASE("timers fire in the order of their deadlines, once, and not early") {
  const auto loop = make_loop();
  std::vector<int> fired;
  std::vector<std::unique_ptr<on_time>> handlers;
  std::vector<std::unique_ptr<event_loop::timer>> timers;
  const auto start = now();
  for (const int ms : {30, 10, 20, 5, 25, 15}) {
    handlers.push_back(std::make_unique<on_time>([&fired, ms, start] {
      CHECK(now() >= start + std::chrono::milliseconds(ms));
      fired.push_back(ms);
    }));
    timers.push_back(std::make_unique<event_loop::timer>(*loop, *handlers.back()));
    timers.back()->set(start + std::chrono::milliseconds(ms));
  }
  while (fired.size() < 6 && now() < start + 2s) loop->run_once(1s);
  CHECK(fired == std::vector<int>{5, 10, 15, 20, 25, 30});
  loop->run_once(duration::zero());
  CHECK(fired.size() == 6);
}

TEST_CASE("a timer wakes a loop that waits for ever, also after more than a second") {
  const auto loop = make_loop();
  int fired = 0;
  on_time handler([&] { ++fired; });
  event_loop::timer t(*loop, handler);
  const auto start = now();
  for (const auto wait : {core::duration(2ms), core::duration(1100ms)}) {
    const auto due = now() + wait;
    t.set(due);
    const int before = fired;
    while (fired == before && now() < start + 5s) loop->run_once(std::nullopt);
    CHECK(now() >= due);
    CHECK(now() < due + 1s);
  }
  CHECK(fired == 2);
}

TEST_CASE("a timer that was cleared, moved or destroyed does not fire for its old deadline") {
  const auto loop = make_loop();
  int fired = 0;
  on_time handler([&] { ++fired; });
  event_loop::timer cleared(*loop, handler);
  event_loop::timer moved(*loop, handler);
  auto gone = std::make_unique<event_loop::timer>(*loop, handler);
  for (auto* t : {&cleared, &moved, gone.get()}) t->set(core::time_point{});
  cleared.clear();
  CHECK_FALSE(cleared.is_set());
  moved.set(now() + 1h);
  gone.reset();
  loop->run_once(duration::zero());
  CHECK(fired == 0);
  moved.set(core::never);
  CHECK_FALSE(moved.is_set());
}

TEST_CASE("SEC-10: timers may clear, set and destroy each other while they fire") {
  const auto loop = make_loop();
  int fired = 0;
  std::unique_ptr<event_loop::timer> first;
  std::unique_ptr<event_loop::timer> second;
  std::unique_ptr<event_loop::timer> third;
  on_time ends_others([&] {
    ++fired;
    second.reset();
    third->clear();
    first->set(core::time_point{});  // due already, and yet for the next round
  });
  on_time never_called([] { FAIL("fired after its end"); });
  first = std::make_unique<event_loop::timer>(*loop, ends_others);
  second = std::make_unique<event_loop::timer>(*loop, never_called);
  third = std::make_unique<event_loop::timer>(*loop, never_called);
  first->set(core::time_point{});
  second->set(core::time_point{} + 1ns);
  third->set(core::time_point{} + 2ns);
  loop->run_once(duration::zero());
  CHECK(fired == 1);
  on_time destroys_itself([&] { first.reset(); });
  first = std::make_unique<event_loop::timer>(*loop, destroys_itself);
  first->set(core::time_point{});
  loop->run_once(duration::zero());
  CHECK(first == nullptr);
}

TEST_CASE("thousands of timers, set and cleared at random, fire exactly those that are left, in order") {
  const auto loop = make_loop();
  std::vector<std::int64_t> fired;
  struct one final : event_loop::timer_handler {
    one(event_loop& l, std::vector<std::int64_t>& out) : list(out), timer(l, *this) {}
    void on_timer() override { list.push_back(when); }
    std::vector<std::int64_t>& list;
    std::int64_t when = 0;
    event_loop::timer timer;
  };
  std::vector<std::unique_ptr<one>> timers;
  for (int i = 0; i < 2000; ++i) timers.push_back(std::make_unique<one>(*loop, fired));
  test::test_random random(42);
  for (int i = 0; i < 20'000; ++i) {
    auto& t = *timers[random.below(timers.size())];
    if (random.below(3) == 0) {
      t.timer.clear();
    } else {
      t.when = static_cast<std::int64_t>(random.below(1'000'000)) + 1;
      t.timer.set(core::time_point(duration(t.when)));
    }
  }
  std::size_t set = 0;
  for (const auto& t : timers) set += t->timer.is_set() ? 1U : 0U;
  REQUIRE(set > 100);
  loop->run_once(duration::zero());
  CHECK(fired.size() == set);
  CHECK(std::is_sorted(fired.begin(), fired.end()));
}

TEST_CASE("posted functions run in order, in a later round, and what they post runs later still") {
  const auto loop = make_loop();
  std::vector<int> ran;
  loop->post([&] {
    ran.push_back(1);
    loop->post([&] { ran.push_back(3); });
  });
  loop->post([&] { ran.push_back(2); });
  CHECK(ran.empty());
  loop->run_once(duration::zero());
  CHECK(ran == std::vector<int>{1, 2});
  loop->run_once(std::nullopt);
  CHECK(ran == std::vector<int>{1, 2, 3});
}

TEST_CASE("functions posted from other threads all arrive, each thread's in order") {
  const auto loop = make_loop();
  constexpr std::size_t threads = 4;
  constexpr std::size_t each = 5'000;
  std::array<std::size_t, threads> next{};
  std::size_t total = 0;
  std::vector<std::thread> posters;
  for (std::size_t t = 0; t < threads; ++t) {
    posters.emplace_back([&, t] {
      for (std::size_t i = 0; i < each; ++i) {
        loop->post([&, t, i] {
          CHECK(next[t] == i);
          ++next[t];
          ++total;
        });
      }
    });
  }
  while (total < threads * each) loop->run_once(5s);
  for (auto& p : posters) p.join();
  CHECK(total == threads * each);
}

TEST_CASE("what was posted and never run is destroyed with the loop") {
  const auto alive = std::make_shared<int>(1);
  {
    const auto loop = make_loop();
    loop->post([alive] {});
    CHECK(alive.use_count() == 2);
  }
  CHECK(alive.use_count() == 1);
}

TEST_CASE("part of USE-09: the one descriptor is readable for data, for posts and for timers, and not without work") {
  const auto loop = make_loop();
  const int fd = loop->fd();
  CHECK_FALSE(is_readable(fd));

  const pipe_pair pipe;
  on_fd w([&](bool, bool) { pipe.drain(); });
  REQUIRE_FALSE(loop->watch(pipe.ours.get(), true, false, w));
  pipe.poke();
  CHECK(is_readable(fd));
  loop->run_once(duration::zero());
  CHECK_FALSE(is_readable(fd));

  int ran = 0;
  loop->post([&] { ++ran; });
  CHECK(is_readable(fd));
  loop->run_once(duration::zero());
  CHECK(ran == 1);
  CHECK_FALSE(is_readable(fd));

  on_time handler([&] { ++ran; });
  event_loop::timer t(*loop, handler);
  t.set(now() + 20ms);
  CHECK_FALSE(is_readable(fd));
  CHECK(is_readable(fd, 2000ms));
  loop->run_once(duration::zero());
  CHECK(ran == 2);
  CHECK_FALSE(is_readable(fd));
}

TEST_CASE("part of USE-09: what a round posts keeps the one descriptor readable, and wakes the next round at once") {
  const auto loop = make_loop();
  pollfd one{loop->fd(), POLLIN, 0};
  bool ran = false;
  loop->post([&] { loop->post([&] { ran = true; }); });
  REQUIRE(::poll(&one, 1, 0) == 1);
  loop->run_once(duration::zero());
  CHECK_FALSE(ran);
  CHECK(::poll(&one, 1, 0) == 1);
  loop->run_once(std::nullopt);
  CHECK(ran);
  CHECK(::poll(&one, 1, 0) == 0);
}

TEST_CASE("part of USE-09: what users begin in a callback runs in the same round, and what follows that in the next") {
  const auto loop = make_loop();
  pollfd one{loop->fd(), POLLIN, 0};
  int callbacks = 0;
  std::function<void()> begin_again;
  begin_again = [&] {
    loop->defer([&] {
      loop->tell([&] {
        ++callbacks;
        loop->post(begin_again);
      });
    });
  };
  loop->post(begin_again);
  loop->run_once(duration::zero());
  CHECK(callbacks == 2);
  CHECK(::poll(&one, 1, 0) == 1);
  loop->run_once(std::nullopt);
  CHECK(callbacks == 4);
}

TEST_CASE("part of USE-09: a timer set before the descriptor was asked for, or while the loop runs, wakes it too") {
  const auto loop = make_loop();
  int fired = 0;
  on_time handler([&] { ++fired; });
  event_loop::timer t(*loop, handler);
  t.set(now() + 5ms);
  const int fd = loop->fd();
  CHECK(is_readable(fd, 2000ms));
  loop->run_once(duration::zero());
  CHECK(fired == 1);

  loop->post([&] { t.set(now() + 5ms); });
  loop->run_once(duration::zero());
  CHECK(is_readable(fd, 2000ms));
  // One that moved to a later time may wake the loop early, and then wakes it again.
  t.set(now() + 10ms);
  t.set(now() + 30ms);
  const auto start = now();
  while (fired == 1 && now() < start + 2s) {
    CHECK(is_readable(fd, 2000ms));
    loop->run_once(duration::zero());
  }
  CHECK(fired == 2);
}

TEST_CASE("a wait is over when its time is, and not before") {
  const auto loop = make_loop();
  const auto start = now();
  loop->run_once(core::duration(15ms));
  const auto took = now() - start;
  CHECK(took >= 15ms);
  CHECK(took < 2s);
}

}  // namespace
}  // namespace lbresolve::io
