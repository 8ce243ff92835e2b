#include "core/roster.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace lbresolve::core {
namespace {

constexpr int window_in_ttls = 10;
/// The largest that DNS knows (RFC 2181 section 8).
constexpr duration longest_ttl = std::chrono::seconds{2'147'483'647};

}  // namespace

roster::history& roster::of(origin from) {
  const auto at = std::find_if(histories_.begin(), histories_.end(), [&](const history& h) { return h.from == from; });
  if (at != histories_.end()) return *at;
  histories_.push_back({.from = from});
  return histories_.back();
}

answer_news roster::take(const membership& newest, time_point now, const roster_rules& rules) {
  history& h = of(newest.from);
  if (newest.fetched <= h.fetched) return {};
  std::vector<endpoint> in_order;
  in_order.reserve(newest.members.size());
  for (const member& m : newest.members) in_order.push_back(m.at);
  std::vector<endpoint> sorted = in_order;
  std::sort(sorted.begin(), sorted.end());
  compare(h, in_order, sorted);
  answer_news news = news_of(h, sorted, now, rules);
  ++h.answers;
  h.fetched = newest.fetched;
  h.newest = std::move(in_order);
  h.sorted = std::move(sorted);
  if (rules.mode == selection_mode::client)
    merge(h, newest, now, rules);
  else
    h.seen.clear();
  if (rules.mode == selection_mode::client && rules.learn_weights)
    h.tally.count(h.sorted, newest.fetched, std::clamp(newest.ttl, duration::zero(), longest_ttl));
  return news;
}

answer_news roster::news_of(const history& h, const std::vector<endpoint>& sorted, time_point now,
                            const roster_rules& rules) {
  answer_news out{.is_news = true, .joined = {}, .left = {}};
  if (h.sorted == sorted) return out;
  std::set_difference(h.sorted.begin(), h.sorted.end(), sorted.begin(), sorted.end(), std::back_inserter(out.left));
  std::set_difference(sorted.begin(), sorted.end(), h.sorted.begin(), h.sorted.end(), std::back_inserter(out.joined));
  if (rules.mode != selection_mode::client) return out;
  std::erase_if(out.joined, [&](const endpoint& e) {
    const auto at = std::lower_bound(h.seen.begin(), h.seen.end(), e,
                                     [](const seen_member& s, const endpoint& wanted) { return s.what.at < wanted; });
    return at != h.seen.end() && at->what.at == e && still_counts(h, *at, now, rules);
  });
  return out;
}

// Rotation shows as another set of the same size: a server that filters gives fewer, one that rotates gives others.
void roster::compare(history& h, const std::vector<endpoint>& newest, const std::vector<endpoint>& sorted) {
  if (h.answers == 0) return;
  if (h.sorted != sorted)
    (h.newest.size() == newest.size() ? h.rotated : h.changed) = true;
  else if (h.newest != newest)
    h.reordered = true;
}

/// Sorted and merged instead of comparing all with all: an answer can hold thousands of addresses.
void roster::merge(history& h, const membership& newest, time_point now, const roster_rules& rules) {
  const auto before = [](const seen_member& a, const seen_member& b) {
    if (a.what.at != b.what.at) return a.what.at < b.what.at;
    return a.last_seen > b.last_seen;
  };
  const auto same = [](const seen_member& a, const seen_member& b) { return a.what.at == b.what.at; };
  h.seen.reserve(h.seen.size() + newest.members.size());
  for (const member& m : newest.members) h.seen.push_back({m, newest.fetched, newest.ttl});
  std::sort(h.seen.begin(), h.seen.end(), before);
  h.seen.erase(std::unique(h.seen.begin(), h.seen.end(), same), h.seen.end());
  std::erase_if(h.seen, [&](const seen_member& s) { return !still_counts(h, s, now, rules); });
  if (h.seen.size() <= most_seen) return;
  const auto newer = [](const seen_member& a, const seen_member& b) { return a.last_seen > b.last_seen; };
  std::nth_element(h.seen.begin(), h.seen.begin() + most_seen, h.seen.end(), newer);
  h.seen.resize(most_seen);
  std::sort(h.seen.begin(), h.seen.end(), before);
}

bool roster::still_counts(const history& h, const seen_member& s, time_point now, const roster_rules& rules) noexcept {
  const duration ttl = std::clamp(s.ttl, duration::zero(), longest_ttl);
  duration keep = ttl;
  if (h.rotated)
    keep =
        std::max(keep, std::min(rules.rotation_window, window_in_ttls * std::min(ttl, longest_ttl / window_in_ttls)));
  return now < s.last_seen + keep;
}

std::vector<member> roster::kept(origin from, time_point now, const roster_rules& rules) const {
  std::vector<member> out;
  if (rules.mode != selection_mode::client) return out;
  for (const history& h : histories_) {
    if (h.from != from) continue;
    for (const seen_member& s : h.seen) {
      const bool is_newest = std::binary_search(h.sorted.begin(), h.sorted.end(), s.what.at);
      if (!is_newest && still_counts(h, s, now, rules)) out.push_back(s.what);
    }
  }
  return out;
}

std::vector<double> roster::frequencies(origin from, std::span<const endpoint> members) const {
  for (const history& h : histories_)
    if (h.from == from && h.rotated && h.tally.size() > 0) return h.tally.frequencies(members);
  return {};
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
