// How an order comes about, from the strictest rule to the weakest:
//
//   1. Health: what works, then what is suspect, then what is due back, then what is ejected. Nothing is left out.
//   2. Priority (SRV, SVCB): a tier is exhausted before the next one starts.
//   3. No route: last inside its priority (RFC 6724 section 6 rule 1).
//   4. Weights (SRV): whole records follow one another, drawn by weight (RFC 2782). Families cannot decide before that,
//      as a host without IPv6 has its share too. Policies that have an order of their own leave weights aside.
//   5. Families alternate (RFC 8305 section 4). The family of the candidate that RFC 6724 likes best, rule 6 included,
//      goes first: so IPv6 over IPv4, but not over a tunnel, nor from an address with another label, nor when its best
//      is known to be clearly farther.
//   6. Inside one family, rules 2, 5, 7 and 8 of RFC 6724 give tiers.
//   7. Inside a tier all are equals, and the policy decides. This is where load spreads, and why rules 9 and 10 are not
//      applied.
#include "core/order.hpp"

#include "core/address_selection.hpp"
#include "core/policies.hpp"
#include "core/weighted_shuffle.hpp"

#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <functional>
#include <memory_resource>
#include <span>

namespace lbresolve::core {
namespace {

struct ranked {
  std::uint64_t key = 0;         ///< group, place of the SRV record, family, tier: lower first
  std::uint32_t preference = 0;  ///< RFC 6724 with rule 6, to choose between families
  std::uint32_t index = 0;
  double cost = 0;

  std::uint32_t group() const noexcept { return static_cast<std::uint32_t>(key >> 14); }
  std::uint32_t run() const noexcept { return static_cast<std::uint32_t>(key >> 9); }  ///< group and record
  lbresolve::family family() const noexcept { return key >> 8 & 1 ? family::ipv4 : family::ipv6; }
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
  std::size_t hash = 0;  ///< of its endpoints, in whatever order they came
};

scratch_vector<weighted_record> weighted_records(const std::vector<candidate>& candidates,
                                                 std::pmr::memory_resource* memory) {
  scratch_vector<weighted_record> records(memory);
  for (const candidate& c : candidates) {
    if (!c.weighted) continue;
    const auto same = [id = record_of(c)](const weighted_record& r) { return r.id == id; };
    auto at = std::find_if(records.begin(), records.end(), same);
    if (at == records.end()) at = records.insert(at, {record_of(c), c.priority, c.weight, 0});
    at->hash ^= std::hash<endpoint>()(c.endpoint);
  }
  std::sort(records.begin(), records.end(), [](const auto& a, const auto& b) {
    return a.priority != b.priority ? a.priority < b.priority : a.id < b.id;
  });
  return records;
}

/// The records in the order in which to try them, priority aside; none where DNS gave no weights, or where the policy
/// has an order of its own.
scratch_vector<weighted_record> order_records(const std::vector<candidate>& candidates, const order_settings& settings,
                                              random_source& random, std::pmr::memory_resource* memory) {
  if (settings.policy == policy::fastest || settings.policy == policy::round_robin)
    return scratch_vector<weighted_record>(memory);
  auto records = weighted_records(candidates, memory);
  if (settings.policy == policy::in_order || settings.mode == selection_mode::server) return records;
  for (auto first = records.begin(); first != records.end();) {
    const auto last = std::find_if(first, records.end(), [&](const auto& r) { return r.priority != first->priority; });
    const auto weight = [](const weighted_record& r) { return r.weight; };
    if (settings.policy == policy::hash)
      std::stable_sort(first, last, [&](const auto& a, const auto& b) {
        return rendezvous(settings.hash_key, a.hash, a.weight) < rendezvous(settings.hash_key, b.hash, b.weight);
      });
    else
      weighted_shuffle(std::span(first, last), weight, random);
    first = last;
  }
  return records;
}

std::uint32_t place_of(const candidate& c, std::span<const weighted_record> records) {
  if (!c.weighted || records.empty()) return 0;
  const auto at =
      std::find_if(records.begin(), records.end(), [id = record_of(c)](const auto& r) { return r.id == id; });
  return std::min(static_cast<std::uint32_t>(at - records.begin()), last_record_place);
}

ranked rank(const candidate& c, std::uint32_t index, std::uint32_t record_place, double cost, selection_mode mode) {
  const auto r = rank_destination(c.endpoint.address, c.source);
  const unsigned tier = mode == selection_mode::server ? 0 : r.tier();
  return {std::uint64_t{group_of(c, mode)} << 14 | std::uint64_t{record_place} << 9 |
              std::uint64_t{family_of(c) == family::ipv4} << 8 | tier,
          r.preference(), index, cost};
}

/// Which family goes first in a run: the one that RFC 6724 likes best, unless it is known to be clearly farther.
family preferred_family(std::span<const ranked> run, std::span<const candidate> candidates) {
  const auto best = std::min_element(run.begin(), run.end(),
                                     [](const ranked& a, const ranked& b) { return a.preference < b.preference; });
  const family preferred = best->family();
  const ranked* nearest[2] = {nullptr, nullptr};  // measured ones: of the preferred family, of the other
  for (const ranked& r : run) {
    if (!candidates[r.index].known.measured) continue;
    const ranked*& n = nearest[r.family() == preferred ? 0 : 1];
    if (n == nullptr || r.cost < n->cost) n = &r;
  }
  if (nearest[0] == nullptr || nearest[1] == nullptr) return preferred;
  const bool farther = nearest[0]->cost > nearest[1]->cost + static_cast<double>(family_margin.count());
  return farther ? nearest[1]->family() : preferred;
}

/// Equals, put in the order that the policy wants.
void arrange(std::span<ranked> equals, std::span<const candidate> candidates, const order_settings& settings,
             random_source& random) {
  if (equals.size() < 2) return;
  std::vector<peer> peers;
  peers.reserve(equals.size());
  for (const ranked& r : equals) peers.push_back({&candidates[r.index], r.cost});
  const std::vector<std::uint32_t> places = arrange(peers, settings, random);
  std::vector<ranked> sorted;
  sorted.reserve(equals.size());
  for (const std::uint32_t i : places) sorted.push_back(equals[i]);
  std::copy(sorted.begin(), sorted.end(), equals.begin());
}

/// One run, sorted by family and then by rank, to the order of trying. `taken` is what came before it.
void interleave(std::span<const ranked> group, family preferred, int first_family_count, interleaving& taken,
                scratch_vector<std::uint32_t>& out) {
  auto v6 = group.begin();
  const auto v6_end = std::find_if(v6, group.end(), [](const ranked& r) { return r.family() == family::ipv4; });
  auto v4 = v6_end;
  for (std::size_t n = group.size(); n > 0; --n) {
    const auto wanted = taken.next(group.front().group(), preferred, first_family_count);
    const bool take_v6 = v6 != v6_end && (wanted == family::ipv6 || v4 == group.end());
    auto& from = take_v6 ? v6 : v4;
    taken.take(from->group(), from->family());
    out.push_back(from->index);
    ++from;
  }
}

/// What is known of every candidate, as a time; all the same where nothing is.
scratch_vector<double> costs_of(std::span<const candidate> candidates, const order_settings& settings,
                                std::pmr::memory_resource* memory) {
  scratch_vector<double> out(candidates.size(), 0.0, memory);
  const auto knows = [](const candidate& c) { return c.known.state != endpoint_state::unknown; };
  if (std::none_of(candidates.begin(), candidates.end(), knows)) return out;
  std::vector<contender> set;
  set.reserve(candidates.size());
  for (const candidate& c : candidates) set.push_back({.known = c.known});
  const auto costs = core::costs_of(set, settings.balance);
  std::copy(costs.begin(), costs.end(), out.begin());
  return out;
}

}  // namespace

std::uint32_t group_of(const candidate& c, selection_mode mode) noexcept {
  std::uint32_t standing = 0;
  switch (c.known.state) {
    case endpoint_state::unknown:
    case endpoint_state::healthy:
    case endpoint_state::ramping:
      break;
    case endpoint_state::suspect:
      standing = 1;
      break;
    case endpoint_state::half_open:
      standing = 2;
      break;
    case endpoint_state::ejected:
      standing = 3;
      break;
  }
  if (c.known.demoted && standing == 0) standing = 1;
  if (mode == selection_mode::server && standing < 3) standing = 0;
  return standing << 18 | c.priority << 1 | std::uint32_t{!c.source};
}

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

front_row front_of(std::vector<candidate> candidates, const order_settings& settings, random_source& random) {
  std::erase_if(candidates, [](const candidate& c) { return !c.skip.empty(); });
  drop_duplicates(candidates);
  front_row row;
  if (candidates.empty()) return row;
  const candidate first = order(candidates, settings, random).front();
  const bool leaves_choice =
      settings.mode != selection_mode::server && settings.policy != policy::hash && settings.policy != policy::in_order;
  row.weighted = first.weighted && settings.policy != policy::fastest && settings.policy != policy::round_robin;
  const auto key_of = [&](const candidate& c) {
    const std::uint64_t key = rank(c, 0, 0, 0, settings.mode).key;
    return row.weighted ? key >> 14 : key;  // weights are drawn before families
  };
  scratch_memory bytes;
  std::pmr::monotonic_buffer_resource memory(bytes.data(), bytes.size());
  const auto costs = costs_of(candidates, settings, &memory);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const candidate& c = candidates[i];
    const bool in_front = leaves_choice ? key_of(c) == key_of(first) : c.endpoint == first.endpoint;
    if (!in_front) continue;
    // The weight is that of a whole record, whose addresses share it.
    const auto of_record =
        static_cast<double>(std::count_if(candidates.begin(), candidates.end(), [&](const candidate& o) {
          return o.weighted && record_of(o) == record_of(c) && key_of(o) == key_of(first);
        }));
    const double weight =
        row.weighted ? static_cast<double>(chance_of(c.weight)) / std::max(of_record, 1.0) : weight_of(c);
    row.contenders.push_back({.known = c.known, .weight = weight});
    row.costs.push_back(costs[i]);
    row.members.push_back(c);
  }
  return row;
}

std::vector<candidate> order(std::vector<candidate> candidates, const order_settings& settings, random_source& random) {
  if (candidates.size() < 2) return candidates;
  drop_duplicates(candidates);
  scratch_memory bytes;
  std::pmr::monotonic_buffer_resource memory(bytes.data(), bytes.size());
  const auto count = static_cast<std::uint32_t>(candidates.size());
  const auto costs = costs_of(candidates, settings, &memory);
  scratch_vector<ranked> all(&memory);
  all.reserve(count);
  const auto records = order_records(candidates, settings, random, &memory);
  for (std::uint32_t i = 0; i < count; ++i)
    all.push_back(rank(candidates[i], i, place_of(candidates[i], records), costs[i], settings.mode));
  std::stable_sort(all.begin(), all.end(), [](const ranked& a, const ranked& b) { return a.key < b.key; });

  for (auto first = all.begin(); first != all.end();) {
    const auto last = std::find_if(first, all.end(), [&](const ranked& r) { return r.key != first->key; });
    arrange(std::span(first, last), candidates, settings, random);
    first = last;
  }
  scratch_vector<std::uint32_t> order_of_trying(&memory);
  order_of_trying.reserve(count);
  auto taken = settings.so_far;
  for (auto first = all.begin(); first != all.end();) {
    const auto last = std::find_if(first, all.end(), [&](const ranked& r) { return r.run() != first->run(); });
    interleave(std::span(first, last), preferred_family(std::span(first, last), candidates),
               settings.first_family_count, taken, order_of_trying);
    first = last;
  }
  std::vector<candidate> out;
  out.reserve(count);
  for (const auto i : order_of_trying) out.push_back(std::move(candidates[i]));
  return out;
}

}  // namespace lbresolve::core
