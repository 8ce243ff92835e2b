#include "io/state_store.hpp"

#include "io/state_file.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <filesystem>
#include <future>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <set>
#include <system_error>
#include <thread>
#include <utility>

namespace lbresolve::io {

namespace {

using clock = std::chrono::steady_clock;
using key = std::pair<std::uint64_t, endpoint>;  // network, where
using queue = std::map<key, core::remembered>;

/// The newest of each endpoint, and no more endpoints than the file holds.
void merge(queue& into, const core::remembered& one) {
  const key at{one.network, one.at};
  const auto there = into.find(at);
  if (there == into.end()) {
    if (into.size() < state_file::most_rows) into.emplace(at, one);
  } else if (one.seen >= there->second.seen) {
    there->second = one;
  }
}

struct pending_load {
  std::uint64_t network = 0;
  state_store::wall_time now;
  std::function<void(state_store::rows)> done;
};

}  // namespace

/// What the store and its thread have in common. Outlives the store where the disk hangs.
struct state_store::shared {
  shared(std::string path, timing t) : when(t), file(std::move(path), hurry) {}

  void run();
  bool next_job(std::unique_lock<std::mutex>& lock);
  void do_load(std::unique_lock<std::mutex>& lock);
  void do_write(std::unique_lock<std::mutex>& lock);
  void keep_warnings(std::vector<std::string> sentences);
  bool has_writes() const noexcept { return clear_first || !waiting.empty(); }

  const timing when;
  std::atomic<bool> hurry{false};  // the file's work is to end now
  state_file file;                 // the thread's alone
  fork_shelter inside;             // entered while it uses the file

  std::mutex mutex;
  std::condition_variable work;      // for the thread
  std::condition_variable progress;  // for those who wait for it
  // All below is guarded by mutex.
  queue waiting;
  bool clear_first = false;
  std::deque<pending_load> loads;
  std::uint64_t asked = 0;    // counts put() and clear()
  std::uint64_t settled = 0;  // as far as they have been written, or given up
  std::uint64_t failed = 0;   // the last that was given up
  clock::time_point next_write{};
  clock::time_point flush_until{};  // until then somebody waits for flush_to: do not wait for next_write
  std::uint64_t flush_to = 0;
  bool stopping = false;
  bool finished = false;
  bool calling = false;  // in a load's callback
  std::vector<std::string> warnings;
  std::set<std::string> warned;
};

struct state_store::worker {
  explicit worker(std::shared_ptr<shared> s) : state(std::move(s)) {}

  /// With the mutex held. False where the system has no thread to give.
  bool start();

  std::shared_ptr<shared> state;
  std::thread thread;
};

bool state_store::worker::start() {
  if (thread.joinable()) return true;
  // No signal is for this thread. SIGXFSZ neither: a file that may not grow shall be an error, not the end.
  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread = std::thread([s = state] { s->run(); });
  } catch (const std::system_error&) {
    state->keep_warnings({"the state file is not used: no thread could be started"});
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread.joinable();
}

// ------------------------------------------------------------------------------------ the thread

void state_store::shared::run() {
  std::unique_lock lock(mutex);
  try {
    while (next_job(lock)) continue;
  } catch (const std::bad_alloc&) {
    if (!lock) lock.lock();
  }
  finished = true;
  loads.clear();
  settled = failed = asked;
  progress.notify_all();
}

/// Does one thing, or sleeps until there is one; false when it is time to end. What was put before is written before
/// anything is loaded, so that a load finds it.
bool state_store::shared::next_job(std::unique_lock<std::mutex>& lock) {
  if (hurry) return false;
  const auto now = clock::now();
  const bool urgent = stopping || !loads.empty() || (now < flush_until && settled < flush_to);
  if (has_writes() && (urgent || now >= next_write)) {
    do_write(lock);
    if (loads.empty()) return true;
  }
  if (stopping) return has_writes();
  if (!loads.empty()) {
    do_load(lock);
  } else if (has_writes()) {
    work.wait_until(lock, next_write);
  } else {
    work.wait(lock);
  }
  return true;
}

void state_store::shared::do_write(std::unique_lock<std::mutex>& lock) {
  queue batch = std::exchange(waiting, {});
  const bool clear = std::exchange(clear_first, false);
  const auto upto = asked;
  const auto began = clock::now();
  lock.unlock();
  rows some;
  some.reserve(batch.size());
  for (const auto& [at, one] : batch) some.push_back(one);
  inside.lock();
  const auto ended = file.write(some, clear, std::chrono::system_clock::now());
  inside.unlock();
  lock.lock();
  keep_warnings(file.take_warnings());

  next_write = began + (ended == state_file::outcome::failed ? when.retry_after : when.flush_every);
  if (ended == state_file::outcome::busy) {  // back, below what has come meanwhile
    if (!clear_first) {
      for (const auto& [at, one] : waiting) merge(batch, one);
      waiting = std::move(batch);
      clear_first = clear;
    }
  } else {
    settled = upto;
    if (ended != state_file::outcome::done) failed = upto;
  }
  progress.notify_all();
}

void state_store::shared::do_load(std::unique_lock<std::mutex>& lock) {
  const pending_load one = std::move(loads.front());
  loads.pop_front();
  lock.unlock();
  inside.lock();
  rows found = file.load(one.network, one.now);
  inside.unlock();
  lock.lock();
  keep_warnings(file.take_warnings());
  if (hurry) return;
  calling = true;
  lock.unlock();
  one.done(std::move(found));
  lock.lock();
  calling = false;
  progress.notify_all();
}

void state_store::shared::keep_warnings(std::vector<std::string> sentences) {
  for (auto& sentence : sentences) {
    if (warned.insert(sentence).second) warnings.push_back(std::move(sentence));
  }
}

// ------------------------------------------------------------------------------------- the store

result<std::unique_ptr<state_store>> state_store::open(std::string path, timing when) {
  if (const char* why = state_file::why_unsupported())
    return error(make_error_code(errc::unsupported), std::string("this build keeps no state file: ") + why);
  if (path.empty()) return error(make_error_code(errc::invalid_option), "the path of the state file is empty");
  std::error_code failed;  // the working directory may change, or be gone already
  auto absolute = std::filesystem::absolute(path, failed);
  if (!failed) path = absolute.string();
  return std::unique_ptr<state_store>(new state_store(std::move(path), when));
}

state_store::state_store(std::string path, timing when)
    : worker_(std::make_unique<worker>(std::make_shared<shared>(std::move(path), when))) {}

/// In a child, where the thread is not, and where the mutex may be locked by it for good.
bool state_store::is_inherited() const noexcept { return born_.is_inherited(); }

state_store::~state_store() {
  if (is_inherited()) {
    static_cast<void>(worker_.release());
    return;
  }
  if (!worker_->thread.joinable()) return;
  auto& s = *worker_->state;
  std::unique_lock lock(s.mutex);
  s.stopping = true;
  s.loads.clear();
  s.work.notify_all();
  const bool ended = s.progress.wait_for(lock, s.when.close_patience, [&s] { return s.finished; });
  s.hurry = true;
  if (!ended) s.progress.wait(lock, [&s] { return !s.calling; });
  lock.unlock();
  if (ended)
    worker_->thread.join();
  else
    worker_->thread.detach();
}

void state_store::load(std::uint64_t network, wall_time now, std::function<void(rows)> done) {
  if (is_inherited()) return done({});
  auto& s = *worker_->state;
  std::unique_lock lock(s.mutex);
  if (s.finished || !worker_->start()) {
    lock.unlock();
    return done({});
  }
  s.loads.push_back({network, now, std::move(done)});
  s.work.notify_all();
}

state_store::rows state_store::load(std::uint64_t network, wall_time now) {
  const auto told = std::make_shared<std::promise<rows>>();
  auto found = told->get_future();
  load(network, now, [told](rows r) { told->set_value(std::move(r)); });
  if (is_inherited()) return found.get();
  auto& s = *worker_->state;
  if (found.wait_for(s.when.load_patience) == std::future_status::ready) return found.get();
  const std::lock_guard lock(s.mutex);
  s.keep_warnings({"the state file takes too long to be read; nothing is remembered"});
  return {};
}

void state_store::put(std::span<const core::remembered> some) {
  if (is_inherited() || some.empty()) return;
  auto& s = *worker_->state;
  const std::lock_guard lock(s.mutex);
  if (s.finished || !worker_->start()) return;
  for (const auto& one : some) merge(s.waiting, one);
  ++s.asked;
  s.work.notify_all();
}

void state_store::clear() {
  if (is_inherited()) return;
  auto& s = *worker_->state;
  const std::lock_guard lock(s.mutex);
  s.waiting.clear();
  if (s.finished || !worker_->start()) return;
  s.clear_first = true;
  ++s.asked;
  s.work.notify_all();
}

bool state_store::flush(core::duration patience) {
  if (is_inherited()) return false;
  auto& s = *worker_->state;
  std::unique_lock lock(s.mutex);
  const auto upto = s.asked;
  if (s.settled >= upto) return s.failed < upto || upto == 0;
  s.flush_until = std::max(s.flush_until, clock::now() + patience);
  s.flush_to = std::max(s.flush_to, upto);
  s.work.notify_all();
  const bool in_time = s.progress.wait_for(lock, patience, [&s, upto] { return s.settled >= upto; });
  return in_time && s.failed < upto;
}

std::vector<std::string> state_store::take_warnings() {
  if (is_inherited()) return {};
  auto& s = *worker_->state;
  const std::lock_guard lock(s.mutex);
  return std::exchange(s.warnings, {});
}

}  // namespace lbresolve::io
