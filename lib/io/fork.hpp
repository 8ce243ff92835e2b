// fork(): which process this is, and how it waits for what other threads are in the middle of.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

namespace lbresolve::io {

namespace detail {
extern std::atomic<std::uint64_t> fork_generation;  // written by a new child only, while it has one thread
}

/// Goes up by one in every child: what was made under another number belongs to a parent. One load, no system call.
inline std::uint64_t fork_generation() noexcept { return detail::fork_generation.load(std::memory_order_relaxed); }

/// Remembers in which process its owner was made.
class birthplace {
 public:
  /// True in a forked child: the owner's threads are not here, its mutexes may be locked for good, and its descriptors
  /// lead to what the parent goes on using.
  bool is_inherited() const noexcept { return born_ != fork_generation(); }

 private:
  const std::uint64_t born_ = fork_generation();
};

/// Entered by a thread while it is inside OpenSSL, c-ares or SQLite, or changes what a child has to find whole. Their
/// locks would stay locked in a child that is forked meanwhile, because the thread that holds them is not there: so
/// fork() waits until it has left, for patience at most, as it does for the C library's own allocator.
///
/// Never entered while a user's callback runs: that could wait for the thread that forks.
class fork_shelter {
 public:
  static constexpr std::chrono::milliseconds patience{100};

  /// @param in_child run in every child that found it left, inside fork(): may close descriptors, and no more
  explicit fork_shelter(std::function<void()> in_child = nullptr);
  ~fork_shelter();
  fork_shelter(const fork_shelter&) = delete;
  fork_shelter& operator=(const fork_shelter&) = delete;

  // What std::lock_guard wants. Not recursive.
  void lock() {
    mutex_.lock();
    holder_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  }
  void unlock() {
    holder_.store({}, std::memory_order_relaxed);
    mutex_.unlock();
  }

  /// This thread's own, for what it does on its own account. May be entered again by the thread that is inside.
  class of_this_thread;

 private:
  friend struct fork_registry;

  std::mutex mutex_;
  std::atomic<std::thread::id> holder_{};
  std::function<void()> in_child_;
};

/// Inside while it lives.
class fork_shelter::of_this_thread {
 public:
  of_this_thread();
  ~of_this_thread();
  of_this_thread(const of_this_thread&) = delete;
  of_this_thread& operator=(const of_this_thread&) = delete;

  /// Runs `f`, which is the user's, outside, wherever this thread is.
  static void call_outside(const std::function<void()>& f);

  /// Runs `f` outside, for what waits.
  template <class F>
  void leave_for(F&& f) {
    leave();
    f();
    enter();
  }

 private:
  struct shelter;
  static shelter* mine();
  void enter();
  void leave();

  shelter* own_;  // null while the thread ends: what is static may be destroyed after all that is the thread's
};

}  // namespace lbresolve::io
