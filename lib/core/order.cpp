// How an order comes about, from the strictest rule to the weakest:
//
//   1. Priority (SRV, SVCB): a tier is exhausted before the next one starts.
//   2. No route: last inside its priority (RFC 6724 section 6 rule 1).
//   3. Families alternate (RFC 8305 section 4). The family of the candidate that RFC 6724 likes best, rule 6 included,
//      goes first: so IPv6 over IPv4, but not over a tunnel, nor from an address with another label.
//   4. Inside one family, rules 2, 5, 7 and 8 of RFC 6724 give tiers.
//   5. Inside a tier all are equals, and the policy decides: the answer's order, or a shuffle. This is where load
//      spreads, and why rules 9 and 10 are not applied.
#include "core/order.hpp"

#include "core/address_selection.hpp"

#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <memory_resource>
#include <span>

namespace lbresolve::core {
namespace {

struct ranked {
  std::uint64_t key = 0;         ///< group, family, tier, place among equals: lower first
  std::uint32_t preference = 0;  ///< RFC 6724 with rule 6, to choose between families
  std::uint32_t index = 0;

  std::uint32_t group() const noexcept { return static_cast<std::uint32_t>(key >> 41); }
  lbresolve::family family() const noexcept { return key >> 40 & 1 ? family::ipv4 : family::ipv6; }
};

/// Enough for the answers that are usual; more goes to the heap.
using scratch_memory = std::array<std::byte, 1024>;
template <class T>
using scratch_vector = std::pmr::vector<T>;

ranked rank(const candidate& c, std::uint32_t index, std::uint32_t place) {
  const auto r = rank_destination(c.endpoint.address, c.source);
  return {std::uint64_t{group_of(c)} << 41 | std::uint64_t{family_of(c) == family::ipv4} << 40 |
              std::uint64_t{r.tier()} << 32 | place,
          r.preference(), index};
}

/// One group, sorted by family and then by rank, to the order of trying.
void interleave(std::span<const ranked> group, const order_settings& settings, scratch_vector<std::uint32_t>& out) {
  auto v6 = group.begin();
  const auto v6_end = std::find_if(v6, group.end(), [](const ranked& r) { return r.family() == family::ipv4; });
  auto v4 = v6_end;
  const auto best = std::min_element(group.begin(), group.end(),
                                     [](const ranked& a, const ranked& b) { return a.preference < b.preference; });
  auto taken = settings.so_far;
  for (std::size_t n = group.size(); n > 0; --n) {
    const auto wanted = taken.next(group.front().group(), best->family(), settings.first_family_count);
    const bool take_v6 = v6 != v6_end && (wanted == family::ipv6 || v4 == group.end());
    auto& from = take_v6 ? v6 : v4;
    taken.take(from->group(), from->family());
    out.push_back(from->index);
    ++from;
  }
}

}  // namespace

family interleaving::next(std::uint32_t group, family preferred, int first_family_count) const noexcept {
  if (taken_ == 0 || group != group_) return preferred;
  if (!mixed_ && last_ == preferred && taken_ < first_family_count) return preferred;
  return last_ == family::ipv6 ? family::ipv4 : family::ipv6;
}

void interleaving::take(std::uint32_t group, family f) noexcept {
  if (group != group_) *this = {};
  mixed_ = mixed_ || (taken_ > 0 && f != last_);
  group_ = group;
  last_ = f;
  ++taken_;
}

void drop_duplicates(std::vector<candidate>& candidates) {
  scratch_memory bytes;
  std::pmr::monotonic_buffer_resource memory(bytes.data(), bytes.size());
  // Sorted instead of comparing all with all: an answer can hold thousands of addresses.
  scratch_vector<std::uint32_t> by_endpoint(candidates.size(), &memory);
  for (std::uint32_t i = 0; i < by_endpoint.size(); ++i) by_endpoint[i] = i;
  std::sort(by_endpoint.begin(), by_endpoint.end(), [&](std::uint32_t a, std::uint32_t b) {
    const auto c = candidates[a].endpoint <=> candidates[b].endpoint;
    return std::is_neq(c) ? std::is_lt(c) : a < b;
  });
  scratch_vector<bool> doubled(candidates.size(), false, &memory);
  bool any = false;
  for (std::size_t i = 1, first = 0; i < by_endpoint.size(); ++i) {
    auto& kept = candidates[by_endpoint[first]];
    const auto& other = candidates[by_endpoint[i]];
    if (kept.endpoint != other.endpoint) {
      first = i;
      continue;
    }
    kept.priority = std::min(kept.priority, other.priority);
    kept.hint = kept.hint && other.hint;
    any = doubled[by_endpoint[i]] = true;
  }
  if (!any) return;
  std::size_t end = 0;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (doubled[i]) continue;
    if (end != i) candidates[end] = std::move(candidates[i]);
    ++end;
  }
  candidates.resize(end);
}

std::vector<candidate> order(std::vector<candidate> candidates, const order_settings& settings, random_source& random) {
  if (candidates.size() < 2) return candidates;
  drop_duplicates(candidates);
  scratch_memory bytes;
  std::pmr::monotonic_buffer_resource memory(bytes.data(), bytes.size());
  const auto count = static_cast<std::uint32_t>(candidates.size());
  scratch_vector<std::uint32_t> places(count, &memory);
  for (std::uint32_t i = 0; i < count; ++i) places[i] = i;
  if (settings.policy == policy::random) shuffle(places.begin(), places.end(), random);
  scratch_vector<ranked> all(&memory);
  all.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) all.push_back(rank(candidates[i], i, places[i]));
  std::sort(all.begin(), all.end(), [](const ranked& a, const ranked& b) { return a.key < b.key; });

  scratch_vector<std::uint32_t> order_of_trying(&memory);
  order_of_trying.reserve(count);
  for (auto first = all.begin(); first != all.end();) {
    const auto last = std::find_if(first, all.end(), [&](const ranked& r) { return r.group() != first->group(); });
    interleave(std::span(first, last), settings, order_of_trying);
    first = last;
  }
  std::vector<candidate> out;
  out.reserve(count);
  for (const auto i : order_of_trying) out.push_back(std::move(candidates[i]));
  return out;
}

}  // namespace lbresolve::core
