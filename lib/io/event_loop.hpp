// The event loop: descriptors, timers and posted functions behind one pollable descriptor.
#pragma once

#include "core/time.hpp"
#include "io/fork.hpp"
#include "io/socket.hpp"

#include <lbresolve/error.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

struct epoll_event;

namespace lbresolve::io {

/// One thread runs it; only post() may be called from others. Handlers run inside run_once(), in the order: ready
/// descriptors, due timers, posted functions, deferred ones, those that tell the user; then what these have posted,
/// once: a user who asks for the next thing need not be waited for. They may watch, unwatch, set, clear, post and
/// destroy their own objects, but not the loop, and must not call run_once().
///
/// In a forked child a parent's loop is dead: it runs nothing, and leaves the epoll set alone that the parent goes on
/// using. Its descriptors and those it watched are closed in the child.
class event_loop {
 public:
  /// Told when a descriptor is ready. A hang-up or an error counts as readable, and as writable too where that is
  /// watched: the next read or write then says what happened.
  struct watcher {
    virtual void on_ready(bool readable, bool writable) = 0;

   protected:
    ~watcher() = default;
  };

  struct timer_handler {
    virtual void on_timer() = 0;

   protected:
    ~timer_handler() = default;
  };

  /// A deadline. Re-setting costs O(log n) and no system call; destruction clears it. Must not outlive its loop.
  class timer {
   public:
    timer(event_loop& loop, timer_handler& handler) noexcept : loop_(loop), handler_(handler) {}
    ~timer() { clear(); }
    timer(const timer&) = delete;
    timer& operator=(const timer&) = delete;

    /// Fires once, in the first run_once() at or after `when`; one set while timers fire waits for the next
    /// run_once(). core::never clears.
    void set(core::time_point when);
    void clear() noexcept;
    bool is_set() const noexcept { return place_ != place::nowhere; }

   private:
    friend class event_loop;
    enum class place : std::uint8_t { nowhere, heap, due };

    event_loop& loop_;
    timer_handler& handler_;
    core::time_point when_ = core::never;
    std::size_t index_ = 0;  // in heap_ or due_
    place place_ = place::nowhere;
  };

  /// Edge: told once for every arrival. For a socket that its watcher reads until EAGAIN or closes.
  enum class trigger : std::uint8_t { level, edge };

  /// Fails with the errno of epoll, timerfd or eventfd.
  static result<std::unique_ptr<event_loop>> create();
  ~event_loop();
  event_loop(const event_loop&) = delete;
  event_loop& operator=(const event_loop&) = delete;

  /// Readable whenever run_once(0) has work, timers and posts included. For embedding: once it has been asked for, a
  /// timerfd is kept armed at the earliest deadline, which a loop that only sleeps in run_once() does not pay for.
  int fd();

  /// Adds `fd`, or changes what is watched. `w` must live until unwatch().
  std::error_code watch(int fd, bool read, bool write, watcher& w, trigger how = trigger::level);

  /// At any time, also for a descriptor whose event is next in this very round. Unwatch before you close.
  void unwatch(int fd) noexcept;

  /// As unwatch(), for a descriptor that the caller closes right after: the close takes it out of epoll.
  void forget(int fd) noexcept;

  /// Runs `f` in a later run_once(), in the order posted. Any thread. `f` must not throw. What has not run when the
  /// loop is destroyed is destroyed with it.
  void post(std::function<void()> f);

  /// Runs `f` at the end of this round, after what was posted, or of the next one where none is running: for what is
  /// better done once for all that happens in a round. Only on the thread that runs the loop.
  void defer(std::function<void()> f);

  /// Runs `f`, which calls back to the user, as the last thing of this round or of the next one: when no handler is
  /// under way, so that it may do anything. It may fork, and in the child nothing more of the round happens. Only on
  /// the thread that runs the loop.
  void tell(std::function<void()> f);

  /// Whether this is the loop of a parent.
  bool is_inherited() const noexcept { return born_.is_inherited(); }

  /// Waits for work and does it once. nullopt waits as long as it takes, zero does only what is due.
  void run_once(std::optional<core::duration> max_wait);

 private:
  struct slot {
    watcher* told = nullptr;
    std::uint32_t generation = 0;  // an event whose generation is another one is for a descriptor closed since
    std::uint32_t events = 0;
  };

  event_loop();
  void run_handlers(std::optional<core::duration> max_wait);
  int sleep(std::optional<core::duration> timeout, std::array<epoll_event, 64>& events);
  void wait(std::optional<core::duration> max_wait);
  void dispatch(std::uint64_t key, std::uint32_t events);
  void fire_timers();
  void run_pending();
  void run_posted();
  void run_deferred();
  void run_told();
  void close_in_child() noexcept;
  void arm(core::time_point deadline) noexcept;
  void wake() noexcept;
  void place_at(std::size_t index, timer& t) noexcept;
  void sift_up(std::size_t index, timer& t) noexcept;
  void sift_down(std::size_t index, timer& t) noexcept;
  void remove(timer& t) noexcept;

  unique_fd epoll_;
  unique_fd timer_fd_;
  unique_fd wake_fd_;
  std::vector<slot> slots_;               // by descriptor
  std::vector<timer*> heap_;              // binary, earliest first
  std::vector<timer*> due_;               // being fired; null where cleared meanwhile
  core::time_point armed_ = core::never;  // what timer_fd_ will wake for
  std::vector<std::function<void()>> deferred_;
  std::vector<std::function<void()>> told_;
  bool embedded_ = false;
  bool running_ = false;

  birthplace born_;
  fork_shelter shelter_;  // entered while handlers run

  std::atomic<bool> posted_{false};
  std::atomic<std::thread::id> runner_{};  // of run_once(), while inside
  std::mutex mutex_;
  std::vector<std::function<void()>> posts_;  // guarded by mutex_
};

}  // namespace lbresolve::io
