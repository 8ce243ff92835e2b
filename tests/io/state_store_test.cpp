// The store as those use it who share it: what was put is there, for everyone, whoever is killed.
#include "io/state_store.hpp"

#include <doctest/doctest.h>

#if !defined(LBRESOLVE_TEST_SQLITE)

TEST_CASE("a build without SQLite says that it keeps no state") {
  const auto opened = lbresolve::io::state_store::open("/nowhere");
  REQUIRE_FALSE(opened);
  CHECK(opened.error() == lbresolve::errc::unsupported);
  CHECK(opened.error().message().find("LBRESOLVE_WITH_SQLITE") != std::string::npos);
}

#else

#include "support/own_namespace.hpp"
#include "support/state_lab.hpp"

#include <sys/mman.h>

#include <array>
#include <atomic>
#include <csignal>
#include <limits>
#include <mutex>
#include <random>
#include <set>
#include <thread>

namespace lbresolve::test {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

// -------------------------------------------------------------------------------------- what it keeps

TEST_CASE("MEM-13: what one process has put the next one finds, in every detail") {
  const temporary_folder folder;
  remembered r;
  r.network = std::numeric_limits<std::uint64_t>::max() - 5;
  r.at = {address::parse("2001:db8::7").value(), 8443};
  r.seen = wall_now() - 3s;
  r.srtt = 5432us;
  r.rttvar = 100us;
  r.failure_time = 1200ms;
  r.successes = 9;
  r.failures = 4;
  r.consecutive_failures = 2;
  r.backoff = 3;
  r.ejected_until = wall_now() + 12s;
  CHECK(keep(*open_store(folder.file()), {r}));

  const auto found = load_fresh(folder.file(), nullptr, r.network);
  REQUIRE(found.size() == 1);
  CHECK(found[0].network == r.network);
  CHECK(found[0].at == r.at);
  CHECK(found[0].seen == r.seen);
  CHECK(found[0].srtt == r.srtt);
  CHECK(found[0].rttvar == r.rttvar);
  CHECK(found[0].failure_time == r.failure_time);
  CHECK(found[0].successes == 9);
  CHECK(found[0].failures == 4);
  CHECK(found[0].consecutive_failures == 2);
  CHECK(found[0].backoff == 3);
  CHECK(found[0].ejected_until == r.ejected_until);
}

TEST_CASE("part of MEM-10: what was learned on another network is not loaded") {
  const temporary_folder folder;
  const auto store = open_store(folder.file());
  CHECK(keep(*store, {row_of(1, wall_now(), 1, 7), row_of(1, wall_now(), 2, 8), row_of(2, wall_now(), 3, 8)}));
  CHECK(load_fresh(folder.file(), nullptr, 7).size() == 1);
  CHECK(load_fresh(folder.file(), nullptr, 8).size() == 2);
  CHECK(load_fresh(folder.file(), nullptr, 9).empty());
}

TEST_CASE("rows older than an hour are not loaded, and the next write removes them") {
  const temporary_folder folder;
  {
    const auto store = open_store(folder.file());
    CHECK(keep(*store, {row_of(1, wall_now()), row_of(2, wall_now())}));
    sql(folder.file(), "UPDATE health SET seen = seen - 3601000000 WHERE address = x'0a010001'");
  }
  CHECK(load_fresh(folder.file()).size() == 1);
  CHECK(keep(*open_store(folder.file()), {row_of(3, wall_now())}));
  CHECK(sql(folder.file(), "SELECT count(*) FROM health") == "2");
}

TEST_CASE("the file holds 65,536 rows at most, the newest") {
  const temporary_folder folder;
  const auto newest = wall_now();
  const auto store = open_store(folder.file());
  for (int part = 0; part < 3; ++part) {
    std::vector<remembered> rows;
    for (int i = 0; i < 25'000; ++i) {
      rows.push_back(
          row_of(static_cast<std::uint16_t>(i), newest - 100s + std::chrono::milliseconds(part * 25'000 + i)));
      rows.back().at.port = static_cast<std::uint16_t>(part + 1);
    }
    CHECK(keep(*store, rows));
  }
  CHECK(sql(folder.file(), "SELECT count(*) FROM health") == "65536");
  CHECK(sql(folder.file(), "SELECT count(*) FROM health WHERE port = 3") == "25000");
  CHECK(load_fresh(folder.file()).size() == 65'536);
}

TEST_CASE("clear forgets the file's rows and what is queued, not what is put after it") {
  const temporary_folder folder;
  CHECK(keep(*open_store(folder.file()), {row_of(1, wall_now(), 1, 7), row_of(1, wall_now(), 1, 8)}));
  const auto store = open_store(folder.file());
  store->put(std::vector{row_of(2, wall_now())});
  store->clear();
  store->put(std::vector{row_of(3, wall_now())});
  CHECK(store->flush(10s));
  CHECK(sql(folder.file(), "SELECT count(*) FROM health") == "1");
  CHECK(load_fresh(folder.file()).at(0).at == row_of(3, wall_now()).at);
  CHECK(keep(*store, {}));
}

TEST_CASE("reading and clearing make no file; writing makes it and its folders for the user alone") {
  const temporary_folder folder;
  const auto path = (folder.path() / "a" / "b" / "health.sqlite").string();
  {
    const auto store = open_store(path);
    CHECK(store->load(7, wall::now()).empty());
    store->clear();
    CHECK(store->flush(10s));
    CHECK(store->take_warnings().empty());
  }
  CHECK_FALSE(std::filesystem::exists(folder.path() / "a"));
  const auto before = ::umask(0);
  CHECK(keep(*open_store(path), {row_of(1, wall_now())}));
  ::umask(before);
  CHECK(mode_of(path) == 0600);
  CHECK(mode_of((folder.path() / "a").string()) == 0700);
  CHECK(mode_of((folder.path() / "a" / "b").string()) == 0700);
}

TEST_CASE("an empty path is an error, and so said") {
  const auto opened = state_store::open("");
  REQUIRE_FALSE(opened);
  CHECK(opened.error() == errc::invalid_option);
}

// ------------------------------------------------------------------------------------------- when

TEST_CASE("a burst is written together: writes are as far apart as asked") {
  const temporary_folder folder;
  state_store::timing when;
  when.flush_every = 300ms;
  const auto store = open_store(folder.file(), when);
  CHECK(keep(*store, {row_of(0, wall_now())}));
  const auto change_counter = [&] {  // of the database, in its header
    const auto bytes = read_bytes(folder.file());
    return static_cast<int>(static_cast<unsigned char>(bytes.at(27)));
  };
  const int before = change_counter();
  const auto began = steady::now();
  for (std::uint16_t i = 0; i < 60; ++i) {
    store->put(std::vector{row_of(i, wall_now())});
    std::this_thread::sleep_for(10ms);
  }
  const auto most = 2 + (steady::now() - began) / 300ms;
  CHECK(change_counter() - before <= most);
  CHECK(store->flush(10s));
  CHECK(load_fresh(folder.file()).size() == 60);
}

TEST_CASE("MEM-13: what was put is in the file a second later, without anybody asking") {
  const temporary_folder folder;
  const auto store = open_store(folder.file());
  CHECK(keep(*store, {row_of(1, wall_now())}));
  store->put(std::vector{row_of(2, wall_now())});
  const auto began = steady::now();
  while (load_fresh(folder.file()).size() < 2 && steady::now() - began < 20s) std::this_thread::sleep_for(20ms);
  CHECK(load_fresh(folder.file()).size() == 2);
}

TEST_CASE("MEM-13: closing writes what is left; a store loads what it was just given") {
  const temporary_folder folder;
  {
    state_store::timing when;
    when.flush_every = 1h;
    when.close_patience = 10s;
    when.load_patience = 10s;
    const auto store = open_store(folder.file(), when);
    CHECK(keep(*store, {row_of(1, wall_now())}));
    store->put(std::vector{row_of(2, wall_now())});
    CHECK(store->load(7, wall::now()).size() == 2);
    store->put(std::vector{row_of(3, wall_now())});
  }
  CHECK(load_fresh(folder.file()).size() == 3);
}

TEST_CASE("putting never waits for the disk, closing not for long: a file that others hold locked is left") {
  const temporary_folder folder;
  CHECK(keep(*open_store(folder.file()), {row_of(1, wall_now())}));
  sqlite3* other = nullptr;
  REQUIRE(sqlite3_open(folder.file().c_str(), &other) == SQLITE_OK);
  REQUIRE(sqlite3_exec(other, "BEGIN EXCLUSIVE", nullptr, nullptr, nullptr) == SQLITE_OK);
  auto store = open_store(folder.file());
  auto began = steady::now();
  core::duration fastest = 1h;
  for (int i = 0; i < 5; ++i) {
    began = steady::now();
    store->put(std::vector{row_of(2, wall_now())});
    fastest = std::min<core::duration>(fastest, steady::now() - began);
    std::this_thread::sleep_for(1ms);
  }
  CHECK(fastest < 50ms);
  CHECK_FALSE(store->flush(300ms));
  CHECK(store->load(7, wall::now()).empty());
  CHECK_FALSE(store->take_warnings().empty());
  began = steady::now();
  store.reset();
  CHECK(steady::now() - began < 4s);

  // Let go, it is found as it was; a store that still has something to write then writes it.
  store = open_store(folder.file());
  store->put(std::vector{row_of(3, wall_now())});
  CHECK_FALSE(store->flush(300ms));
  sqlite3_exec(other, "COMMIT", nullptr, nullptr, nullptr);
  sqlite3_close(other);
  CHECK(store->flush(10s));
  CHECK(load_fresh(folder.file()).size() == 2);
}

TEST_CASE("a load in the background tells on the store's thread, and nothing after the store is gone") {
  const temporary_folder folder;
  CHECK(keep(*open_store(folder.file()), {row_of(1, wall_now())}));
  std::atomic<int> told{0};
  std::atomic<std::size_t> found{0};
  for (int i = 0; i < 20; ++i) {
    auto store = open_store(folder.file());
    store->load(7, wall::now(), [&](state_store::rows rows) {
      found = rows.size();
      ++told;
    });
    if (i == 0) {
      for (int tries = 0; tries < 1000 && told == 0; ++tries) std::this_thread::sleep_for(10ms);
      CHECK(found == 1);
    }
    store.reset();
    const int so_far = told;
    std::this_thread::sleep_for(1ms);
    CHECK(told == so_far);
  }
}

// ------------------------------------------------------------------------------- several processes

TEST_CASE("MEM-13: the newest knowledge of an endpoint stays, whoever writes last") {
  const temporary_folder folder;
  const auto one = open_store(folder.file());
  const auto other = open_store(folder.file());
  const auto t = wall_now();
  CHECK(keep(*one, {row_of(1, t, 20)}));
  CHECK(keep(*other, {row_of(1, t - 5s, 10)}));
  CHECK(load_fresh(folder.file()).at(0).successes == 20);
  CHECK(keep(*other, {row_of(1, t + 1ms, 30)}));
  CHECK(load_fresh(folder.file()).at(0).successes == 30);
  CHECK(keep(*one, {row_of(1, t + 3ms, 50), row_of(1, t + 2ms, 40)}));
  CHECK(load_fresh(folder.file()).at(0).successes == 50);
}

TEST_CASE("MEM-13: a row from the future, left by a clock that was set back, does not win for good") {
  const temporary_folder folder;
  const auto store = open_store(folder.file());
  CHECK(keep(*store, {row_of(1, wall_now(), 10)}));
  sql(folder.file(), "UPDATE health SET seen = seen + 3600000000");
  CHECK(load_fresh(folder.file()).empty());
  CHECK(keep(*store, {row_of(1, wall_now(), 20)}));
  CHECK(load_fresh(folder.file()).at(0).successes == 20);
}

TEST_CASE("MEM-13: processes that write at once all get their rows in") {
  const temporary_folder folder;
  constexpr int writers = 4;
  std::vector<pid_t> children;
  for (int w = 0; w < writers; ++w) {
    const pid_t child = ::fork();
    if (child == 0) {
      state_store::timing when;
      when.flush_every = 1ms;
      when.close_patience = 20s;
      const auto store = open_store(folder.file(), when);
      bool all = true;
      for (int i = 0; i < 50; ++i) {
        store->put(std::vector{row_of(static_cast<std::uint16_t>(w * 100 + i), wall_now())});
        all = store->flush(20s) && all;
      }
      ::_exit(all ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const auto child : children) {
    int status = -1;
    ::waitpid(child, &status, 0);
    CHECK(status == 0);
  }
  std::vector<std::string> warnings;
  CHECK(load_fresh(folder.file(), &warnings).size() == writers * 50);
  CHECK(warnings.empty());
}

/// What a writer shares with the test: how far it is.
struct progress {
  std::atomic<std::uint32_t> put{0};
  std::array<std::atomic<std::int64_t>, 4096> put_at{};  // steady nanoseconds, by number
};

class shared_progress {
 public:
  shared_progress() {
    void* page = ::mmap(nullptr, sizeof(progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(page != MAP_FAILED);
    p_ = new (page) progress;
  }
  ~shared_progress() { ::munmap(p_, sizeof(progress)); }
  shared_progress(const shared_progress&) = delete;
  shared_progress& operator=(const shared_progress&) = delete;
  progress* operator->() const noexcept { return p_; }

 private:
  progress* p_ = nullptr;
};

std::int64_t steady_ns() { return std::chrono::nanoseconds(steady::now().time_since_epoch()).count(); }

/// Writes the same 40 endpoints over and over, with a number that grows, until it is killed.
pid_t start_writer(const std::string& path, shared_progress& progress, core::duration flush_every,
                   std::chrono::milliseconds pause, std::uint16_t first) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  state_store::timing when;
  when.flush_every = flush_every;
  const auto store = open_store(path, when);
  for (std::uint32_t n = 1;; ++n) {
    std::vector<remembered> rows;
    for (std::uint16_t i = 0; i < 40; ++i) rows.push_back(row_of(static_cast<std::uint16_t>(first + i), wall_now(), n));
    store->put(rows);
    progress->put_at[n % progress->put_at.size()] = steady_ns();
    progress->put = n;
    std::this_thread::sleep_for(pause);
  }
}

void end(pid_t child) {
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST_CASE("MEM-13: kill -9 at any moment damages nothing, while another process goes on writing") {
  const temporary_folder folder;
  shared_progress killed;
  shared_progress other;
  std::mt19937 random{20240501};
  const pid_t bystander = start_writer(folder.file(), other, 1ms, 1ms, 1000);
  std::uint32_t most = 0;
  for (int kills = 0; kills < 30; ++kills) {
    killed->put = 0;
    const pid_t writer = start_writer(folder.file(), killed, core::duration::zero(), 0ms, 0);
    while (killed->put == 0) std::this_thread::sleep_for(100us);
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 60'000));
    end(writer);

    std::vector<std::string> warnings;
    const auto rows = load_among_writers(folder.file(), warnings);
    CHECK(warnings == std::vector<std::string>{});
    CHECK(std::all_of(rows.begin(), rows.end(), is_plausible));
    std::set<std::uint32_t> values;  // a batch is there as a whole or not at all
    for (const auto& r : rows) {
      if (r.at < row_of(1000, wall_now()).at) values.insert(r.successes);
    }
    CHECK(values.size() <= 1);
    if (!values.empty()) most = std::max(most, *values.begin());
  }
  end(bystander);
  CHECK(sql(folder.file(), "PRAGMA integrity_check") == "ok");
  CHECK(most > 1);
  CHECK(load_fresh(folder.file()).size() == 80);
  CHECK_FALSE(std::filesystem::exists(folder.file() + ".damaged"));
}

TEST_CASE("MEM-13: kill -9 loses the last second at most") {
  // A busy machine may hold up the writer's thread, or this one: once in five must do.
  std::chrono::nanoseconds least = 1h;
  for (int tries = 0; tries < 5 && least > 1100ms; ++tries) {
    const temporary_folder folder;
    shared_progress progress;
    const pid_t writer = start_writer(folder.file(), progress, state_store::timing{}.flush_every, 5ms, 0);
    std::this_thread::sleep_for(2500ms);
    end(writer);
    const auto killed_at = steady_ns();
    const auto rows = load_fresh(folder.file());
    REQUIRE(rows.size() == 40);
    const std::uint32_t kept = rows[0].successes;
    if (kept == progress->put) least = 0ns;
    const auto first_lost = progress->put_at[kept + 1].load();
    if (first_lost != 0) least = std::min(least, std::chrono::nanoseconds(killed_at - first_lost));
  }
  CHECK(least <= 1100ms);
}

// ------------------------------------------------------------------------------------------ fork()

// ThreadSanitizer cannot follow: a child of a process with threads may start none under it.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LBRESOLVE_TEST_NO_THREADS_AFTER_FORK 1
#endif
#endif
#if !defined(__SANITIZE_THREAD__) && !defined(LBRESOLVE_TEST_NO_THREADS_AFTER_FORK)

TEST_CASE("part of USE-06: a forked child leaves the parent's store alone and opens one of its own") {
  const temporary_folder folder;
  auto store = open_store(folder.file());
  CHECK(keep(*store, {row_of(1, wall_now())}));
  const int status = in_child([&] {
    if (!store->load(7, wall::now()).empty()) return 1;
    store->put(std::vector{row_of(2, wall_now())});
    if (store->flush(1s)) return 2;
    store->clear();
    store.reset();
    const auto own = open_store(folder.file());
    if (own->load(7, wall::now()).size() != 1) return 3;
    return keep(*own, {row_of(3, wall_now())}) ? 0 : 4;
  });
  CHECK(status == 0);
  CHECK(keep(*store, {row_of(4, wall_now())}));
  CHECK(load_fresh(folder.file()).size() == 3);
}

TEST_CASE("part of USE-06: a child forked while its parent writes goes on, with its memory or with a warning") {
  const temporary_folder folder;
  state_store::timing when;
  when.flush_every = core::duration::zero();
  const auto store = open_store(folder.file(), when);
  for (int i = 0; i < 40; ++i) {
    store->put(std::vector{row_of(1, wall_now(), static_cast<std::uint32_t>(i + 1))});
    std::this_thread::sleep_for(std::chrono::microseconds(i * 25));
    const int status = in_child([&] {
      ::alarm(20);
      state_store::timing patient;
      patient.load_patience = 10s;
      const auto own = open_store(folder.file(), patient);
      own->load(7, wall::now());
      const bool kept = keep(*own, {row_of(2, wall_now())});
      return kept == own->take_warnings().empty() ? 0 : 1;
    });
    CHECK(status == 0);
  }
  CHECK(store->flush(10s));
  CHECK(sql(folder.file(), "PRAGMA integrity_check") == "ok");
}

#endif

}  // namespace
}  // namespace lbresolve::test

#endif
