#include "io/event_loop.hpp"

#include "io/clock.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace lbresolve::io {
namespace {

using namespace std::chrono_literals;

// Longer sleeps are timed by the timerfd, because its clock runs on while the machine is suspended and epoll's does
// not; shorter ones by epoll_pwait2, because that saves a system call each.
constexpr core::duration longest_plain_sleep = 1s;

constexpr std::uint64_t key_of(int fd, std::uint32_t generation) noexcept {
  return static_cast<std::uint64_t>(generation) << 32 | static_cast<std::uint32_t>(fd);
}

// Keys of the loop's own descriptors: no generation is 0.
constexpr std::uint64_t timer_key = 1;
constexpr std::uint64_t wake_key = 2;

bool add_own(int epoll, int fd, std::uint64_t key) noexcept {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = key;
  return ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

/// epoll_wait with nanoseconds where the kernel can (Linux 5.11). False where it cannot.
bool precise_wait(int epoll, epoll_event* events, int capacity, core::duration timeout, int& count) noexcept {
  static std::atomic<bool> missing{false};
  if (missing.load(std::memory_order_relaxed)) return false;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout);
  const timespec t{seconds.count(), (timeout - seconds).count()};
  count = ::epoll_pwait2(epoll, events, capacity, &t, nullptr);
  if (count >= 0 || errno != ENOSYS) return true;
  missing.store(true, std::memory_order_relaxed);
  return false;
}

}  // namespace

result<std::unique_ptr<event_loop>> event_loop::create() {
  std::unique_ptr<event_loop> loop(new event_loop);
  loop->epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!loop->epoll_) return error(last_error(), "no epoll descriptor can be opened");
  loop->timer_fd_.reset(::timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!loop->timer_fd_) return error(last_error(), "no timer descriptor can be opened");
  loop->wake_fd_.reset(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!loop->wake_fd_) return error(last_error(), "no event descriptor can be opened");
  if (!add_own(loop->epoll_.get(), loop->timer_fd_.get(), timer_key) ||
      !add_own(loop->epoll_.get(), loop->wake_fd_.get(), wake_key)) {
    return error(last_error(), "the event loop cannot be set up");
  }
  return loop;
}

event_loop::event_loop() : shelter_([this] { close_in_child(); }) {}
event_loop::~event_loop() = default;

// The sockets would keep connections alive that the parent has closed. Not by epoll: its set is the parent's.
void event_loop::close_in_child() noexcept {
  for (std::size_t fd = 0; fd < slots_.size(); ++fd)
    if (slots_[fd].told != nullptr) ::close(static_cast<int>(fd));
  epoll_.reset();
  timer_fd_.reset();
  wake_fd_.reset();
}

int event_loop::fd() {
  if (is_inherited()) return -1;
  embedded_ = true;
  if (!running_ && !heap_.empty()) arm(heap_.front()->when_);
  return epoll_.get();
}

std::error_code event_loop::watch(int fd, bool read, bool write, watcher& w, trigger how) {
  if (is_inherited()) return errno_code(EBADF);
  const auto index = static_cast<std::size_t>(fd);
  if (index >= slots_.size()) slots_.resize(std::max(index + 1, slots_.size() * 2));
  slot& s = slots_[index];
  const std::uint32_t events = (read ? static_cast<std::uint32_t>(EPOLLIN) : 0U) |
                               (write ? static_cast<std::uint32_t>(EPOLLOUT) : 0U) |
                               (how == trigger::edge ? static_cast<std::uint32_t>(EPOLLET) : 0U);
  const bool known = s.told != nullptr;
  if (known && s.events == events) {
    s.told = &w;
    return {};
  }
  if (!known && ++s.generation == 0) s.generation = 1;
  epoll_event event{};
  event.events = events;
  event.data.u64 = key_of(fd, s.generation);
  if (::epoll_ctl(epoll_.get(), known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) != 0) return last_error();
  s.told = &w;
  s.events = events;
  return {};
}

void event_loop::unwatch(int fd) noexcept {
  const auto index = static_cast<std::size_t>(fd);
  if (fd < 0 || index >= slots_.size() || slots_[index].told == nullptr) return;
  slots_[index].told = nullptr;
  if (is_inherited()) return;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void event_loop::forget(int fd) noexcept {
  const auto index = static_cast<std::size_t>(fd);
  if (fd >= 0 && index < slots_.size()) slots_[index].told = nullptr;
}

void event_loop::post(std::function<void()> f) {
  {
    const std::lock_guard lock(mutex_);
    posts_.push_back(std::move(f));
  }
  if (posted_.exchange(true, std::memory_order_acq_rel)) return;  // someone has woken the loop already
  // The thread that runs the loop is awake, and looks before it sleeps: run_once() and wait().
  if (runner_.load(std::memory_order_relaxed) != std::this_thread::get_id()) wake();
}

void event_loop::wake() noexcept {
  if (is_inherited()) return;
  const std::uint64_t one = 1;
  // Cannot fail: the counter would have to be at its maximum, and then the loop is awake anyway.
  [[maybe_unused]] const auto written = ::write(wake_fd_.get(), &one, sizeof(one));
}

void event_loop::defer(std::function<void()> f) {
  deferred_.push_back(std::move(f));
  if (!running_ && deferred_.size() == 1) post([] {});  // so that there is a round
}

void event_loop::tell(std::function<void()> f) {
  told_.push_back(std::move(f));
  if (!running_ && told_.size() == 1) post([] {});  // so that there is a round
}

void event_loop::run_once(std::optional<core::duration> max_wait) {
  if (is_inherited()) return;
  running_ = true;
  runner_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  run_handlers(max_wait);
  const bool calls_back = !told_.empty();
  run_told();
  if (is_inherited()) return;
  if (calls_back && posted_.load(std::memory_order_acquire)) {
    run_pending();
    run_told();
    if (is_inherited()) return;
  }
  runner_.store({}, std::memory_order_relaxed);
  running_ = false;
  if (!embedded_) return;
  if (!heap_.empty()) arm(heap_.front()->when_);
  if (posted_.load(std::memory_order_acquire)) wake();  // by what was posted just now
}

void event_loop::run_handlers(std::optional<core::duration> max_wait) {
  {
    const std::lock_guard inside(shelter_);
    wait(max_wait);
    fire_timers();
  }
  run_pending();
}

void event_loop::run_pending() {
  const std::lock_guard inside(shelter_);
  run_posted();
  run_deferred();
}

void event_loop::wait(std::optional<core::duration> max_wait) {
  std::array<epoll_event, 64> events;
  std::optional<core::duration> timeout = max_wait;
  if (posted_.load(std::memory_order_acquire)) timeout = core::duration::zero();
  if (!heap_.empty() && timeout != core::duration::zero()) {
    const auto when = heap_.front()->when_;
    const auto time = now();
    const auto until = when <= time ? core::duration::zero() : when - time;
    if (!timeout || until < *timeout) timeout = until;
    if (*timeout > longest_plain_sleep) arm(when);
  }

  const int count = sleep(timeout, events);
  for (int i = 0; i < count; ++i) {
    const auto& event = events[static_cast<std::size_t>(i)];
    dispatch(event.data.u64, event.events);
  }
}

int event_loop::sleep(std::optional<core::duration> timeout, std::array<epoll_event, 64>& events) {
  const int capacity = static_cast<int>(events.size());
  if (timeout && *timeout <= core::duration::zero()) return ::epoll_wait(epoll_.get(), events.data(), capacity, 0);
  shelter_.unlock();
  int count = 0;
  if (!timeout) {
    count = ::epoll_wait(epoll_.get(), events.data(), capacity, -1);
  } else if (!precise_wait(epoll_.get(), events.data(), capacity, *timeout, count)) {
    if (!heap_.empty()) arm(heap_.front()->when_);
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(std::min(*timeout, core::duration(24h)));
    count = ::epoll_wait(epoll_.get(), events.data(), capacity, static_cast<int>(ms.count()));
  }
  shelter_.lock();
  return count;
}

void event_loop::dispatch(std::uint64_t key, std::uint32_t events) {
  if (key == timer_key || key == wake_key) {
    std::uint64_t value = 0;
    [[maybe_unused]] const auto got =
        ::read(key == timer_key ? timer_fd_.get() : wake_fd_.get(), &value, sizeof(value));
    if (key == timer_key) armed_ = core::never;
    return;
  }
  const auto index = static_cast<std::size_t>(key & 0xFFFFFFFFU);
  if (index >= slots_.size()) return;
  const slot& s = slots_[index];
  if (s.told == nullptr || s.generation != key >> 32) return;
  const bool broken = (events & (EPOLLHUP | EPOLLERR)) != 0;
  const bool readable = broken || (events & EPOLLIN) != 0;
  const bool writable = (s.events & EPOLLOUT) != 0 && (broken || (events & EPOLLOUT) != 0);
  s.told->on_ready(readable, writable);
}

void event_loop::run_posted() {
  if (!posted_.load(std::memory_order_acquire)) return;
  std::vector<std::function<void()>> batch;
  {
    const std::lock_guard lock(mutex_);
    batch.swap(posts_);
    posted_.store(false, std::memory_order_release);
  }
  for (auto& f : batch) {
    f();
    f = nullptr;  // what it captured goes before the next one runs
  }
}

// Those that they defer in turn belong to this round too.
void event_loop::run_deferred() {
  for (std::size_t i = 0; i < deferred_.size(); ++i) {
    const auto f = std::move(deferred_[i]);
    f();
  }
  deferred_.clear();
}

// In a child the rest is left as it is: it is the parent's.
void event_loop::run_told() {
  for (std::size_t i = 0; i < told_.size(); ++i) {
    const auto f = std::move(told_[i]);
    f();
    if (is_inherited()) return;
  }
  told_.clear();
}

void event_loop::fire_timers() {
  if (heap_.empty()) return;
  const auto time = now();
  // All that are due leave the heap first, so that one set again while they fire cannot keep the loop here.
  while (!heap_.empty() && heap_.front()->when_ <= time) {
    timer& t = *heap_.front();
    remove(t);
    t.place_ = timer::place::due;
    t.index_ = due_.size();
    due_.push_back(&t);
  }
  for (std::size_t i = 0; i < due_.size(); ++i) {
    if (due_[i] == nullptr) continue;
    timer& t = *due_[i];
    due_[i] = nullptr;
    t.place_ = timer::place::nowhere;
    t.handler_.on_timer();
  }
  due_.clear();
}

void event_loop::arm(core::time_point deadline) noexcept {
  if (is_inherited()) return;
  // Later than what is armed: let it wake early once, that is cheaper than setting it each time a deadline moves back.
  if (deadline >= armed_) return;
  const auto since_boot = std::max(deadline.time_since_epoch(), core::duration(1));  // zero would disarm
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since_boot);
  itimerspec spec{};
  spec.it_value.tv_sec = seconds.count();
  spec.it_value.tv_nsec = (since_boot - seconds).count();
  if (::timerfd_settime(timer_fd_.get(), TFD_TIMER_ABSTIME, &spec, nullptr) == 0) armed_ = deadline;
}

void event_loop::timer::set(core::time_point when) {
  if (when == core::never) return clear();
  event_loop& loop = loop_;
  if (place_ == place::due) clear();
  when_ = when;
  if (place_ == place::nowhere) {
    loop.heap_.push_back(this);
    index_ = loop.heap_.size() - 1;
    place_ = place::heap;
  }
  loop.sift_up(index_, *this);
  loop.sift_down(index_, *this);
  if (loop.embedded_ && !loop.running_ && index_ == 0) loop.arm(when);
}

void event_loop::timer::clear() noexcept {
  if (place_ == place::heap) loop_.remove(*this);
  if (place_ == place::due) loop_.due_[index_] = nullptr;
  place_ = place::nowhere;
}

void event_loop::place_at(std::size_t index, timer& t) noexcept {
  heap_[index] = &t;
  t.index_ = index;
}

void event_loop::sift_up(std::size_t index, timer& t) noexcept {
  for (; index > 0; index = (index - 1) / 2) {
    timer& parent = *heap_[(index - 1) / 2];
    if (parent.when_ <= t.when_) break;
    place_at(index, parent);
  }
  place_at(index, t);
}

void event_loop::sift_down(std::size_t index, timer& t) noexcept {
  for (;;) {
    std::size_t child = 2 * index + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1]->when_ < heap_[child]->when_) ++child;
    if (t.when_ <= heap_[child]->when_) break;
    place_at(index, *heap_[child]);
    index = child;
  }
  place_at(index, t);
}

void event_loop::remove(timer& t) noexcept {
  timer& last = *heap_.back();
  heap_.pop_back();
  t.place_ = timer::place::nowhere;
  if (&last == &t) return;
  const auto index = t.index_;
  sift_up(index, last);
  if (last.index_ == index) sift_down(index, last);
}

}  // namespace lbresolve::io
