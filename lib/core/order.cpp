// How an order comes about, from the strictest rule to the weakest:
//
//   1. Priority (SRV, SVCB): a tier is exhausted before the next one starts.
//   2. No route: last inside its priority (RFC 6724 section 6 rule 1).
//   3. Weights (SRV): whole records follow one another, drawn by weight (RFC 2782). Its families cannot decide before
//      that: a host without IPv6 has its share too. With the policy in_order the records stay as sent.
//   4. Families alternate (RFC 8305 section 4). The family of the candidate that RFC 6724 likes best, rule 6 included,
//      goes first: so IPv6 over IPv4, but not over a tunnel, nor from an address with another label.
//   5. Inside one family, rules 2, 5, 7 and 8 of RFC 6724 give tiers.
//   6. Inside a tier all are equals, and the policy decides: the answer's order, or a shuffle. This is where load
//      spreads, and why rules 9 and 10 are not applied.
#include "core/order.hpp"

#include "core/address_selection.hpp"
#include "core/weighted_shuffle.hpp"

#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <memory_resource>
#include <span>

namespace lbresolve::core {
namespace {

struct ranked {
  std::uint64_t key = 0;         ///< group, place of the SRV record, family, tier, place among equals: lower first
  std::uint32_t preference = 0;  ///< RFC 6724 with rule 6, to choose between families
  std::uint32_t index = 0;

  std::uint32_t group() const noexcept { return static_cast<std::uint32_t>(key >> 46); }
  std::uint32_t run() const noexcept { return static_cast<std::uint32_t>(key >> 41); }  ///< group and record
  lbresolve::family family() const noexcept { return key >> 40 & 1 ? family::ipv4 : family::ipv6; }
};

/// Places of SRV records are told apart up to this one: there are no more hosts.
constexpr std::uint32_t last_record_place = 31;

/// Enough for the answers that are usual; more goes to the heap.
using scratch_memory = std::array<std::byte, 1024>;
template <class T>
using scratch_vector = std::pmr::vector<T>;

/// An SRV record, as the candidates of its addresses show it.
struct weighted_record {
  std::uint32_t id = 0;
  std::uint32_t priority = 0;
  std::uint16_t weight = 0;
};

/// The records in the order in which to try them, priority aside; none where DNS gave no weights.
scratch_vector<weighted_record> order_records(const std::vector<candidate>& candidates, policy how,
                                              random_source& random, std::pmr::memory_resource* memory) {
  scratch_vector<weighted_record> records(memory);
  for (const candidate& c : candidates) {
    if (!c.weighted) continue;
    const auto same = [id = record_of(c)](const weighted_record& r) { return r.id == id; };
    if (std::none_of(records.begin(), records.end(), same)) records.push_back({record_of(c), c.priority, c.weight});
  }
  std::sort(records.begin(), records.end(), [](const auto& a, const auto& b) {
    return a.priority != b.priority ? a.priority < b.priority : a.id < b.id;
  });
  if (how == policy::in_order) return records;
  for (auto first = records.begin(); first != records.end();) {
    const auto last = std::find_if(first, records.end(), [&](const auto& r) { return r.priority != first->priority; });
    weighted_shuffle(
        std::span(first, last), [](const weighted_record& r) { return r.weight; }, random);
    first = last;
  }
  return records;
}

std::uint32_t place_of(const candidate& c, std::span<const weighted_record> records) {
  if (!c.weighted) return 0;
  const auto at =
      std::find_if(records.begin(), records.end(), [id = record_of(c)](const auto& r) { return r.id == id; });
  return std::min(static_cast<std::uint32_t>(at - records.begin()), last_record_place);
}

ranked rank(const candidate& c, std::uint32_t index, std::uint32_t record_place, std::uint32_t place) {
  const auto r = rank_destination(c.endpoint.address, c.source);
  return {std::uint64_t{group_of(c)} << 46 | std::uint64_t{record_place} << 41 |
              std::uint64_t{c.endpoint.address.is_v4()} << 40 | std::uint64_t{r.tier()} << 32 | place,
          r.preference(), index};
}

/// One run, sorted by family and then by rank, to the order of trying. `taken` is what came before it.
void interleave(std::span<const ranked> group, int first_family_count, interleaving& taken,
                scratch_vector<std::uint32_t>& out) {
  auto v6 = group.begin();
  const auto v6_end = std::find_if(v6, group.end(), [](const ranked& r) { return r.family() == family::ipv4; });
  auto v4 = v6_end;
  const auto best = std::min_element(group.begin(), group.end(),
                                     [](const ranked& a, const ranked& b) { return a.preference < b.preference; });
  for (std::size_t n = group.size(); n > 0; --n) {
    const auto wanted = taken.next(group.front().group(), best->family(), first_family_count);
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
    if (other.priority < kept.priority) {
      kept.priority = other.priority;
      kept.weight = other.weight;
      kept.weighted = other.weighted;
      kept.from = other.from;
    }
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
  const auto records = order_records(candidates, settings.policy, random, &memory);
  for (std::uint32_t i = 0; i < count; ++i)
    all.push_back(rank(candidates[i], i, place_of(candidates[i], records), places[i]));
  std::sort(all.begin(), all.end(), [](const ranked& a, const ranked& b) { return a.key < b.key; });

  scratch_vector<std::uint32_t> order_of_trying(&memory);
  order_of_trying.reserve(count);
  auto taken = settings.so_far;
  for (auto first = all.begin(); first != all.end();) {
    const auto last = std::find_if(first, all.end(), [&](const ranked& r) { return r.run() != first->run(); });
    interleave(std::span(first, last), settings.first_family_count, taken, order_of_trying);
    first = last;
  }
  std::vector<candidate> out;
  out.reserve(count);
  for (const auto i : order_of_trying) out.push_back(std::move(candidates[i]));
  return out;
}

}  // namespace lbresolve::core
