// A resolver across fork(): one impl for each process that uses it.
#pragma once

#include "io/fork.hpp"
#include "resolver_impl.hpp"

#include <atomic>
#include <memory>
#include <type_traits>
#include <utility>

namespace lbresolve {

/// The first impl is made at once. A forked child cannot go on with its parent's: the thread is not there, mutexes may
/// be locked for good, and sockets and TLS sessions are the parent's. At its first call the child gets one of its own,
/// by the same settings, and leaves the parent's alone for good: destroying it would speak to the parent's servers.
///
/// Thread-safe, and without a lock that a fork could leave locked.
class resolver::per_process {
 public:
  static result<std::unique_ptr<per_process>> create(core::settings settings);
  /// Shuts down what is of this process.
  ~per_process();
  per_process(const per_process&) = delete;
  per_process& operator=(const per_process&) = delete;

  /// Of this process; made now in a child. Null where the system has no descriptors for it. What it points to lives as
  /// long as this.
  const std::shared_ptr<impl>* get() noexcept {
    const of_one* const newest = newest_.load(std::memory_order_acquire);
    return newest->born.is_inherited() ? start_afresh() : &newest->made;
  }
  /// The same, null also where this child has not used it yet.
  const std::shared_ptr<impl>* peek() const noexcept {
    const of_one* const newest = newest_.load(std::memory_order_acquire);
    return newest->born.is_inherited() ? nullptr : &newest->made;
  }
  /// What `f(impl&)` gives, or no_descriptors(). Keeps the impl alive: the resolver may be destroyed while `f` waits,
  /// or inside a callback that it runs.
  template <class F>
  auto call(F&& f) -> std::invoke_result_t<F, impl&> {
    const std::shared_ptr<impl>* const mine = get();
    if (mine == nullptr) return no_descriptors();
    const std::shared_ptr<impl> alive = *mine;
    return std::forward<F>(f)(*alive);
  }
  /// What a call ends with where get() gives null.
  static error no_descriptors();

 private:
  struct of_one {
    io::birthplace born;
    std::shared_ptr<impl> made;
    of_one* next_abandoned = nullptr;
  };

  explicit per_process(std::unique_ptr<of_one> first) noexcept : newest_(first.release()) {}
  static result<std::unique_ptr<of_one>> make(core::settings settings);
  const std::shared_ptr<impl>* start_afresh() noexcept;
  static void abandon(of_one* inherited) noexcept;

  std::atomic<of_one*> newest_;
};

}  // namespace lbresolve
