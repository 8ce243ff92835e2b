// A plan and the name of its target in one piece of memory, picked from without a lock.
#pragma once

#include "io/pick_board.hpp"

#include <lbresolve/endpoint.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace lbresolve::io {

/// Among a million names nearly every cache line that a pick reads comes from memory: so what it reads lies side by
/// side, in the order in which it is read. The name stands behind the object, and the choices behind the name.
///
/// A sequence lock: a writer makes the version odd, writes, and makes it even again; a reader that finds it even, and
/// unchanged after it has read, has read one plan. What it reads meanwhile may be parts of two, or of another name's
/// where the memory was given on: so memory stays what it is for good (see room), everything in it is atomic, and
/// places read from it are looked at before they are used.
///
/// What goes on at its members is looked at only if something did when the plan was written: who makes the plan writes
/// it anew when that changes, and for a name where nothing goes on the counts would be one more wait for memory.
///
/// Thread-safety: pick() any number of threads at once, beside at most one that does the rest.
class alignas(64) named_plan {
 public:
  /// How much fits: fixed for the life of the memory, so that pointers are only ever where pointers were.
  struct room {
    std::uint32_t choices = 0;
    std::uint32_t name_lines = 0;  ///< of 64 octets
    friend auto operator<=>(const room&, const room&) = default;
  };
  /// The least room, rounded up so that much memory has the same.
  static room room_for(std::string_view name, const board_plan& plan) noexcept;
  static std::size_t bytes_of(room r) noexcept;

  /// @param memory zeroes, bytes_of(r), that stay readable as long as anybody may pick
  static named_plan* make(std::byte* memory, room r) noexcept;
  room has() const noexcept { return room_; }

  enum class reading : std::uint8_t {
    picked,
    another,    ///< the plan is another name's
    disturbed,  ///< it was being written
  };
  reading pick(std::string_view name, core::random_source& random, endpoint& picked) noexcept;

  /// Asks for all of it at once, before its name has been compared: else one miss would wait for the other.
  void prefetch() const noexcept;

  bool is_called(std::string_view name) const noexcept;
  /// @param name and plan fit
  void write(std::string_view name, board_plan&& plan) noexcept;
  /// Nobody's plan from now on.
  void clear() noexcept;

  /// Whether a pick was made since the last call.
  bool take_use() noexcept { return used_.exchange(false, std::memory_order_relaxed); }
  /// Goes on where an earlier plan of the same name has come to.
  void follow(const named_plan& earlier) noexcept;

 private:
  static constexpr std::size_t line = 64;
  using word = std::atomic<std::uint64_t>;
  using endpoint_words = std::array<std::uint64_t, 4>;
  static_assert(std::is_trivially_copyable_v<endpoint> && sizeof(endpoint) <= sizeof(endpoint_words));

  struct alignas(line) stored_choice {
    word slot;
    word weight_and_cost;
    std::atomic<in_flight_count*> busy;  // null, or held
    std::array<word, 4> at;
  };

  explicit named_plan(room r) noexcept : room_(r) {}

  word* name_words() noexcept { return reinterpret_cast<word*>(this + 1); }
  const word* name_words() const noexcept { return reinterpret_cast<const word*>(this + 1); }
  stored_choice& choice(std::uint32_t i) noexcept;
  core::pick_head head() const noexcept;
  std::uint32_t choose(core::random_source& random) noexcept;
  endpoint endpoint_of(std::uint32_t i) noexcept;
  void begin_writing() noexcept;
  void end_writing() noexcept;
  void write_name(std::string_view name) noexcept;
  void write_choice(std::uint32_t i, board_choice&& c) noexcept;
  void let_go_from(std::uint32_t first) noexcept;

  std::atomic<std::uint64_t> version_{0};
  std::atomic<std::uint64_t> turn_{0};
  std::atomic<std::uint32_t> name_size_{0};
  std::atomic<std::uint32_t> count_{0};
  std::atomic<std::uint32_t> drawn_{0};
  std::atomic<std::uint32_t> outside_{0};
  std::atomic<std::uint32_t> far_{0};
  std::atomic<std::uint32_t> explore_below_{0};
  std::atomic<float> uneven_{0};
  const room room_;
  std::atomic<lbresolve::policy> policy_{};
  std::atomic<bool> used_{true};
  std::atomic<bool> quiet_{false};  // nothing went on at any member when it was written
};

}  // namespace lbresolve::io
