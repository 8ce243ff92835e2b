// The memory of choices, for the loop's thread and for callers' threads.
#pragma once

#include "core/events.hpp"
#include "core/selection.hpp"
#include "core/selection_store.hpp"
#include "io/in_flight_count.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace lbresolve::io {

/// A core::selection behind a lock. Thread-safe.
class shared_selection final : public core::selection_store {
 public:
  explicit shared_selection(const core::selection_rules& rules) : memory_(rules) {}

  /// Runs `f(core::selection&)` alone.
  template <class F>
  auto with(F&& f) {
    const std::lock_guard lock(mutex_);
    return std::forward<F>(f)(memory_);
  }

  std::vector<core::member> take_answer(std::string_view target, core::membership& newest,
                                        const core::roster_rules& rules, core::time_point now) override {
    return with([&](auto& m) { return m.take_answer(target, newest, rules, now); });
  }
  bool look_up(std::string_view target, std::span<const endpoint> set, std::span<core::health_view> known,
               core::time_point now, core::random_source& random) override {
    return with([&](auto& m) { return m.look_up(target, set, known, now, random); });
  }
  bool peek(std::string_view target, std::span<const endpoint> set, std::span<core::health_view> known,
            core::time_point now) override {
    return with([&](auto& m) { return m.peek(target, set, known, now); });
  }
  void on_started(const endpoint& at, core::time_point now) override {
    change(at, now, [&](auto& m) { m.on_started(at, now); });
  }
  void on_attempt(std::string_view target, const core::attempt_fact& fact, core::time_point now,
                  core::random_source& random) override {
    change(fact.at, now, [&](auto& m) { m.on_attempt(target, fact, now, random); });
  }
  void on_race_end(std::string_view target, const core::race_facts& facts, core::time_point now) override {
    with([&](auto& m) { m.on_race_end(target, facts, now); });
  }
  bool may_ask_again(std::string_view target, core::time_point now) override {
    return with([&](auto& m) { return m.may_ask_again(target, now); });
  }
  std::uint64_t take_turn(std::string_view target, core::time_point now) override {
    return with([&](auto& m) { return m.take_turn(target, now); });
  }
  name_behaviour behaviour_of(std::string_view target) override {
    return with([&](auto& m) { return m.behaviour_of(target); });
  }
  std::optional<endpoint> next_probe(core::time_point now) override {
    return with([&](auto& m) { return m.next_probe(now); });
  }
  core::time_point next_probe_at(core::time_point now) override {
    return with([&](auto& m) { return m.next_probe_at(now); });
  }
  void on_probe(const core::attempt_fact& fact, core::time_point now, core::random_source& random) override {
    change(fact.at, now, [&](auto& m) { m.on_probe(fact, now, random); });
    if (on_probe_) on_probe_(core::probe_of(fact));
  }
  void begin(const endpoint& at, core::time_point now) {
    change(at, now, [&](auto& m) { m.begin(at, now); });
  }
  void report(const endpoint& at, outcome how, core::duration latency, core::time_point now,
              core::random_source& random) {
    change(at, now, [&](auto& m) { m.report(at, how, latency, now, random); });
  }

  /// What goes on at `at`, kept up to date as long as somebody else holds it too.
  count_hold in_flight(const endpoint& at) {
    const std::lock_guard lock(mutex_);
    auto& kept = counts_[at];
    if (!kept) kept = pool_.make(memory_.in_flight(at));
    count_hold count = kept;  // held here, so that it is in use when the unused ones are dropped
    if (counts_.size() > 2 * counts_at_last_look_ + 64) drop_unused_counts();
    return count;
  }

  /// See core::selection: nothing goes on at any endpoint any more.
  bool use_network(std::uint64_t fingerprint, core::time_point now) {
    const std::lock_guard lock(mutex_);
    const bool another = memory_.use_network(fingerprint, now);
    if (another) recount();
    return another;
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    memory_.clear();
    recount();
  }

  /// Called with what an observer is told, on the thread that has found it out, outside of the lock. Set once, before
  /// anything is learned.
  void set_observer(std::function<void(const health_event&)> on_health,
                    std::function<void(const probe_event&)> on_probe) {
    on_health_ = std::move(on_health);
    on_probe_ = std::move(on_probe);
  }

  /// Called with each endpoint of which something has been learned, on the thread that did, outside of the lock. Set
  /// once, before anything is learned.
  void set_listener(std::function<void(const endpoint&)> f) { listener_ = std::move(f); }
  /// Whether it is called at all.
  void listen(bool on) noexcept { listening_.store(on, std::memory_order_relaxed); }

 private:
  template <class F>
  void change(const endpoint& at, core::time_point now, F&& f) {
    std::optional<health_event> news;
    {
      const std::lock_guard lock(mutex_);
      if (on_health_) {
        const core::health_view before = memory_.known_of(at, now);
        std::forward<F>(f)(memory_);
        news = core::health_change_of(at, before, memory_.known_of(at, now), now);
      } else {
        std::forward<F>(f)(memory_);
      }
      if (!counts_.empty()) {
        if (const auto count = counts_.find(at); count != counts_.end())
          count->second->store(memory_.in_flight(at), std::memory_order_relaxed);
      }
    }
    if (news) on_health_(*news);
    if (listening_.load(std::memory_order_relaxed)) listener_(at);
  }

  void recount() {
    for (const auto& [at, count] : counts_) count->store(memory_.in_flight(at), std::memory_order_relaxed);
  }

  void drop_unused_counts() {
    std::erase_if(counts_, [](const auto& c) { return c.second.is_last(); });
    pool_.look_again();
    counts_at_last_look_ = counts_.size();
  }

  std::mutex mutex_;
  core::selection memory_;
  in_flight_counts pool_;
  std::unordered_map<endpoint, count_hold> counts_;
  std::size_t counts_at_last_look_ = 0;
  std::atomic<bool> listening_{false};
  std::function<void(const endpoint&)> listener_;
  std::function<void(const health_event&)> on_health_;
  std::function<void(const probe_event&)> on_probe_;
};

}  // namespace lbresolve::io
