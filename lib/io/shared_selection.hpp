// The memory of choices, for the loop's thread and for callers' threads.
#pragma once

#include "core/selection.hpp"
#include "core/selection_store.hpp"

#include <mutex>
#include <optional>
#include <span>
#include <string_view>
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

  std::vector<core::member> take_answer(std::string_view target, const core::membership& newest,
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
    with([&](auto& m) { m.on_started(at, now); });
  }
  void on_attempt(std::string_view target, const core::attempt_fact& fact, core::time_point now,
                  core::random_source& random) override {
    with([&](auto& m) { m.on_attempt(target, fact, now, random); });
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
    with([&](auto& m) { m.on_probe(fact, now, random); });
  }

 private:
  std::mutex mutex_;
  core::selection memory_;
};

}  // namespace lbresolve::io
