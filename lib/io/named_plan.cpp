#include "io/named_plan.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <utility>

namespace lbresolve::io {

namespace {

// Everything is read with acquire and written with release order: who reads anything of a write sees the version that
// the writer set before it, at its last look at the latest. On x86 both are plain moves.
constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;

std::uint64_t pack(std::uint32_t high, std::uint32_t low) noexcept { return std::uint64_t{high} << 32 | low; }
std::uint32_t high_of(std::uint64_t w) noexcept { return static_cast<std::uint32_t>(w >> 32); }
std::uint32_t low_of(std::uint64_t w) noexcept { return static_cast<std::uint32_t>(w); }

std::uint64_t octets_at(std::string_view text, std::size_t at) noexcept {
  std::uint64_t w = 0;
  std::memcpy(&w, text.data() + at, sizeof w);
  return w;
}

/// Calls `f(i, word)` for a name as it is stored, as long as that is true: eight octets each, of the last word those
/// that end the name, so that no part of a word is read by itself; a shorter name is filled up with zeroes.
template <class F>
bool for_each_word(std::string_view name, F&& f) noexcept {
  constexpr std::size_t whole = sizeof(std::uint64_t);
  if (name.size() < whole) {
    std::uint64_t w = 0;
    if (!name.empty()) std::memcpy(&w, name.data(), name.size());
    return f(std::size_t{0}, w);
  }
  std::size_t at = 0;
  for (; at + whole <= name.size(); at += whole)
    if (!f(at / whole, octets_at(name, at))) return false;
  return at == name.size() || f(at / whole, octets_at(name, name.size() - whole));
}

}  // namespace

named_plan::room named_plan::room_for(std::string_view name, const board_plan& plan) noexcept {
  const auto count = static_cast<std::uint32_t>(plan.choices.size());
  constexpr std::uint32_t exact = 4;
  return {count <= exact ? count : std::bit_ceil(count), static_cast<std::uint32_t>((name.size() + line - 1) / line)};
}

std::size_t named_plan::bytes_of(room r) noexcept {
  return sizeof(named_plan) + r.name_lines * line + r.choices * sizeof(stored_choice);
}

named_plan* named_plan::make(std::byte* memory, room r) noexcept {
  static_assert(sizeof(named_plan) == line && sizeof(stored_choice) == line);
  static_assert(std::is_trivially_destructible_v<named_plan> && std::is_trivially_destructible_v<stored_choice>);
  auto* const made = new (memory) named_plan(r);
  for (std::size_t i = 0; i < r.name_lines * line / sizeof(word); ++i) new (made->name_words() + i) word(0);
  for (std::uint32_t i = 0; i < r.choices; ++i) new (&made->choice(i)) stored_choice{};
  return made;
}

void named_plan::prefetch() const noexcept {
  constexpr std::size_t most_lines = 6;  // a short name and four choices
  for (std::size_t i = 0; i < most_lines; ++i) __builtin_prefetch(reinterpret_cast<const std::byte*>(this) + i * line);
}

named_plan::stored_choice& named_plan::choice(std::uint32_t i) noexcept {
  return reinterpret_cast<stored_choice*>(reinterpret_cast<std::byte*>(this + 1) + room_.name_lines * line)[i];
}

// ---- Reading ------------------------------------------------------------------------------------------------------

named_plan::reading named_plan::pick(std::string_view name, core::random_source& random, endpoint& picked) noexcept {
  const std::uint64_t version = version_.load(acquire);
  if (version % 2 != 0) return reading::disturbed;
  if (!is_called(name)) return reading::another;
  if (!used_.load(std::memory_order_relaxed)) used_.store(true, std::memory_order_relaxed);
  const std::uint32_t chosen = choose(random);
  if (chosen >= room_.choices) return reading::disturbed;
  picked = endpoint_of(chosen);
  return version_.load(std::memory_order_relaxed) == version ? reading::picked : reading::disturbed;
}

bool named_plan::is_called(std::string_view name) const noexcept {
  if (name_size_.load(acquire) != name.size() || name.size() > room_.name_lines * line) return false;
  return for_each_word(name, [this](std::size_t i, std::uint64_t w) { return name_words()[i].load(acquire) == w; });
}

core::pick_head named_plan::head() const noexcept {
  return {.drawn = drawn_.load(acquire),
          .outside = outside_.load(acquire),
          .far = far_.load(acquire),
          .explore_below = explore_below_.load(acquire),
          .uneven = uneven_.load(acquire)};
}

std::uint32_t named_plan::choose(core::random_source& random) noexcept {
  const lbresolve::policy by = policy_.load(acquire);
  if (by == policy::round_robin) {
    const std::uint32_t count = count_.load(acquire);
    return count == 0 ? 0 : static_cast<std::uint32_t>(turn_.fetch_add(1, std::memory_order_relaxed) % count);
  }
  if (by == policy::hash || by == policy::in_order) return 0;
  const core::pick_head how = head();
  if (how.drawn == 0 || std::uint64_t{how.drawn} + how.outside > room_.choices) return room_.choices;  // disturbed
  const auto at = [this](std::uint32_t i) -> core::pick_choice {
    if (i >= room_.choices) return {};  // of two plans
    stored_choice& c = choice(i);
    const std::uint64_t slot = c.slot.load(acquire);
    const std::uint64_t numbers = c.weight_and_cost.load(acquire);
    return {.slot = {.threshold = high_of(slot), .alias = low_of(slot)},
            .inverse_weight = std::bit_cast<float>(high_of(numbers)),
            .cost = std::bit_cast<float>(low_of(numbers))};
  };
  const bool quiet = quiet_.load(acquire);
  const auto in_flight = [this, quiet](std::uint32_t i) -> std::uint32_t {
    const in_flight_count* const busy = !quiet && i < room_.choices ? choice(i).busy.load(acquire) : nullptr;
    return busy == nullptr ? 0 : busy->load(std::memory_order_relaxed);
  };
  return core::pick(how, random, at, in_flight);
}

endpoint named_plan::endpoint_of(std::uint32_t i) noexcept {
  endpoint_words words;
  const stored_choice& c = choice(i);
  for (std::size_t k = 0; k < words.size(); ++k) words[k] = c.at[k].load(acquire);
  endpoint e;
  std::memcpy(static_cast<void*>(&e), words.data(), sizeof e);
  return e;
}

// ---- Writing ------------------------------------------------------------------------------------------------------

void named_plan::begin_writing() noexcept {
  version_.store(version_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

void named_plan::end_writing() noexcept { version_.store(version_.load(std::memory_order_relaxed) + 1, release); }

void named_plan::write(std::string_view name, board_plan&& plan) noexcept {
  const auto count = static_cast<std::uint32_t>(plan.choices.size());
  begin_writing();
  write_name(name);
  policy_.store(plan.policy, release);
  drawn_.store(plan.head.drawn, release);
  outside_.store(plan.head.outside, release);
  far_.store(plan.head.far, release);
  explore_below_.store(plan.head.explore_below, release);
  uneven_.store(plan.head.uneven, release);
  count_.store(count, release);
  quiet_.store(std::all_of(plan.choices.begin(), plan.choices.end(),
                           [](const board_choice& c) { return c.busy->load(std::memory_order_relaxed) == 0; }),
               release);
  for (std::uint32_t i = 0; i < count; ++i) write_choice(i, std::move(plan.choices[i]));
  let_go_from(count);
  end_writing();
}

void named_plan::clear() noexcept {
  begin_writing();
  write_name({});
  let_go_from(0);
  end_writing();
}

void named_plan::follow(const named_plan& earlier) noexcept {
  used_.store(earlier.used_.load(std::memory_order_relaxed), std::memory_order_relaxed);
  turn_.store(earlier.turn_.load(std::memory_order_relaxed), std::memory_order_relaxed);
}

void named_plan::write_name(std::string_view name) noexcept {
  name_size_.store(static_cast<std::uint32_t>(name.size()), release);
  for_each_word(name, [this](std::size_t i, std::uint64_t w) {
    name_words()[i].store(w, release);
    return true;
  });
}

void named_plan::write_choice(std::uint32_t i, board_choice&& c) noexcept {
  stored_choice& to = choice(i);
  to.slot.store(pack(c.how.slot.threshold, c.how.slot.alias), release);
  to.weight_and_cost.store(
      pack(std::bit_cast<std::uint32_t>(c.how.inverse_weight), std::bit_cast<std::uint32_t>(c.how.cost)), release);
  const count_hold old = count_hold::adopt(to.busy.exchange(c.busy.release(), std::memory_order_acq_rel));
  endpoint_words words{};
  std::memcpy(words.data(), &c.at, sizeof c.at);
  for (std::size_t k = 0; k < words.size(); ++k) to.at[k].store(words[k], release);
}

void named_plan::let_go_from(std::uint32_t first) noexcept {
  for (std::uint32_t i = first; i < room_.choices; ++i)
    const count_hold old = count_hold::adopt(choice(i).busy.exchange(nullptr, std::memory_order_acq_rel));
}

}  // namespace lbresolve::io
