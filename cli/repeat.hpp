// Runs an operation again and again, some at a time, until all are done, Ctrl-C comes, or nobody reads on.
#pragma once

#include "cli/wakeup.hpp"

#include <lbresolve/resolver.hpp>

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace lbresolve::cli {

/// Completions on their way from the resolver's thread to the main one.
template <class T>
class inbox {
 public:
  void put(int index, result<T> what) {
    {
      const std::lock_guard lock(mutex_);
      waiting_.emplace_back(index, std::move(what));
    }
    wakeup::ring();
  }

  std::optional<std::pair<int, result<T>>> take() {
    const std::lock_guard lock(mutex_);
    if (waiting_.empty()) return std::nullopt;
    auto first = std::move(waiting_.front());
    waiting_.pop_front();
    return first;
  }

 private:
  std::mutex mutex_;
  std::deque<std::pair<int, result<T>>> waiting_;
};

template <class T>
struct repeated {
  int count = 1;
  int parallel = 1;
  std::chrono::milliseconds interval{};  ///< between starts, at least
  /// Starts operation `index`, from 0.
  std::function<operation(int index, std::function<void(result<T>)> done)> start;
  /// Takes what came of it, on the main thread; false ends it all.
  std::function<bool(int index, result<T> what)> finished;
};

/// What is still under way at the end is cancelled; its completion is not reported.
template <class T>
void repeat(resolver& with, const repeated<T>& work) {
  // Shared with the callbacks: one that cancel() comes too late for outlives this call.
  const auto done = std::make_shared<inbox<T>>();
  std::map<int, operation> live;
  int started = 0;
  bool wanted = true;
  using clock = std::chrono::steady_clock;
  clock::time_point next_start = clock::now();
  while (wanted && !wakeup::interrupted() && (started < work.count || !live.empty())) {
    const auto may_start = [&] {
      return started < work.count && live.size() < static_cast<std::size_t>(work.parallel);
    };
    while (may_start() && clock::now() >= next_start) {
      const int index = started++;
      next_start = clock::now() + work.interval;
      live[index] = work.start(index, [done, index](result<T> what) { done->put(index, std::move(what)); });
    }
    std::optional<std::chrono::milliseconds> most;
    if (may_start()) most = std::chrono::ceil<std::chrono::milliseconds>(next_start - clock::now());
    wakeup::wait(most);
    for (auto next = done->take(); next && wanted; next = wanted ? done->take() : std::nullopt) {
      live.erase(next->first);
      wanted = work.finished(next->first, std::move(next->second));
    }
  }
  for (const auto& [index, which] : live) with.cancel(which);
}

}  // namespace lbresolve::cli
