#include "core/roster.hpp"

#include <algorithm>
#include <utility>

namespace lbresolve::core {
namespace {

bool has(const std::vector<member>& members, const endpoint& at) {
  return std::any_of(members.begin(), members.end(), [&](const member& m) { return m.at == at; });
}

bool same_members(const std::vector<member>& a, const std::vector<member>& b) {
  return a.size() == b.size() && std::all_of(a.begin(), a.end(), [&](const member& m) { return has(b, m.at); });
}

constexpr int window_in_ttls = 10;

}  // namespace

roster::history& roster::of(origin from) {
  const auto at = std::find_if(histories_.begin(), histories_.end(), [&](const history& h) { return h.from == from; });
  if (at != histories_.end()) return *at;
  histories_.push_back({.from = from});
  return histories_.back();
}

void roster::take(membership newest, time_point now, const roster_rules& rules) {
  history& h = of(newest.from);
  if (newest.fetched <= h.fetched) return;
  compare(h, newest.members);
  ++h.answers;
  h.fetched = newest.fetched;
  h.newest = std::move(newest.members);
  if (rules.mode != selection_mode::client) {
    h.seen.clear();
    return;
  }
  for (const member& m : h.newest) {
    const auto at = std::find_if(h.seen.begin(), h.seen.end(), [&](const seen_member& s) { return s.what.at == m.at; });
    const seen_member now_seen{m, newest.fetched, newest.ttl};
    if (at != h.seen.end()) {
      *at = now_seen;
    } else if (h.seen.size() < most_seen) {
      h.seen.push_back(now_seen);
    }
  }
  std::erase_if(h.seen, [&](const seen_member& s) { return !still_counts(h, s, now, rules); });
}

// Rotation shows as another set of the same size: a server that filters gives fewer, one that rotates gives others.
void roster::compare(history& h, const std::vector<member>& newest) {
  if (h.answers == 0) return;
  if (!same_members(h.newest, newest)) {
    (h.newest.size() == newest.size() ? h.rotated : h.changed) = true;
  } else if (!std::equal(h.newest.begin(), h.newest.end(), newest.begin(),
                         [](const member& a, const member& b) { return a.at == b.at; })) {
    h.reordered = true;
  }
}

bool roster::still_counts(const history& h, const seen_member& s, time_point now, const roster_rules& rules) noexcept {
  duration keep = s.ttl;
  if (h.rotated) keep = std::max(keep, std::min<duration>(rules.rotation_window, window_in_ttls * s.ttl));
  return now < s.last_seen + keep;
}

std::vector<member> roster::kept(origin from, time_point now, const roster_rules& rules) const {
  std::vector<member> out;
  if (rules.mode != selection_mode::client) return out;
  for (const history& h : histories_) {
    if (h.from != from) continue;
    for (const seen_member& s : h.seen)
      if (!has(h.newest, s.what.at) && still_counts(h, s, now, rules)) out.push_back(s.what);
  }
  return out;
}

name_behaviour roster::behaviour() const noexcept {
  std::size_t most = 0;
  unsigned answers = 0;
  bool reordered = false, rotated = false, changed = false;
  for (const history& h : histories_) {
    most = std::max(most, h.newest.size());
    answers = std::max(answers, h.answers);
    reordered = reordered || h.reordered;
    rotated = rotated || h.rotated;
    changed = changed || h.changed;
  }
  if (answers == 0) return name_behaviour::unknown;
  if (most <= 1 && !changed) return rotated ? name_behaviour::rotating_single : name_behaviour::single;
  if (rotated) return name_behaviour::rotating_subset;
  if (changed) return name_behaviour::filtered;
  return reordered ? name_behaviour::rotated_order : name_behaviour::full_set;
}

}  // namespace lbresolve::core
