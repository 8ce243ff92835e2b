#include "core/answer_tally.hpp"

#include <algorithm>
#include <utility>

namespace lbresolve::core {
namespace {

constexpr double kept_of_each = 1 - 1.0 / answer_tally::memory;

/// TTLs are in whole seconds (RFC 1035 section 3.2.1): answers closer than this cannot be told apart.
constexpr duration ttl_unit = std::chrono::seconds{1};

}  // namespace

// A recursive server gives one answer again and again until its TTL has run out, and the TTL says how old it is. Of
// answers whose age cannot be told apart one counts, whatever they hold: to drop only those that are alike would count
// the rare ones too often. TTL 0 is kept by nobody (section 3.2.1).
bool answer_tally::is_another(time_point fetched, duration ttl) {
  if (counted_ == time_point::min() || fetched >= counted_ + longest_ttl_) {
    longest_ttl_ = ttl;
    born_ = fetched;
    return true;
  }
  longest_ttl_ = std::max(longest_ttl_, ttl);
  const time_point born = fetched - (longest_ttl_ - ttl);
  if (ttl > duration::zero() && born < born_ + ttl_unit) return false;
  born_ = born;
  return true;
}

void answer_tally::count(std::span<const endpoint> sorted, time_point fetched, duration ttl) {
  if (sorted.empty() || !is_another(fetched, ttl)) return;
  counted_ = fetched;
  std::vector<endpoint> once(sorted.begin(), sorted.end());
  once.erase(std::unique(once.begin(), once.end()), once.end());
  answers_ = answers_ * kept_of_each + 1;
  addresses_ = addresses_ * kept_of_each + static_cast<double>(once.size());
  std::vector<entry> merged;
  merged.reserve(entries_.size() + once.size());
  auto next = once.begin();
  for (entry& e : entries_) {
    for (; next != once.end() && *next < e.at; ++next) merged.push_back({.at = *next});
    const bool is_in = next != once.end() && *next == e.at;
    if (is_in) ++next;
    e.chances = e.chances * kept_of_each + 1;
    e.seen = e.seen * kept_of_each + (is_in ? 1 : 0);
    e.absent = is_in ? 0 : e.absent + 1;
    if (e.absent < memory) merged.push_back(e);
  }
  for (; next != once.end(); ++next) merged.push_back({.at = *next});
  entries_ = std::move(merged);
  if (entries_.size() <= most) return;
  std::nth_element(entries_.begin(), entries_.begin() + most, entries_.end(),
                   [](const entry& a, const entry& b) { return a.absent < b.absent; });
  entries_.resize(most);
  std::sort(entries_.begin(), entries_.end(), [](const entry& a, const entry& b) { return a.at < b.at; });
}

// (n + 1) / (N + k), where one in k is what each would have if all were equals.
std::vector<double> answer_tally::frequencies(std::span<const endpoint> members) const {
  std::vector<double> out(members.size(), 1.0);
  if (answers_ <= 0 || members.empty()) return out;
  const double k = std::max(1.0, static_cast<double>(members.size()) * answers_ / addresses_);
  for (std::size_t i = 0; i < members.size(); ++i) {
    const auto at = std::lower_bound(entries_.begin(), entries_.end(), members[i],
                                     [](const entry& e, const endpoint& m) { return e.at < m; });
    const entry known = at != entries_.end() && at->at == members[i] ? *at : entry{};
    out[i] = (known.seen + 1) / (known.chances + k);
  }
  return out;
}

}  // namespace lbresolve::core
