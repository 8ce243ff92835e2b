// Who stands for a name now, and how the name behaves.
//
// DNS owns membership. The newest answer is the membership, in every mode but `client`: what a server has withdrawn
// gets no new connects. In mode `client` each address stays a member until its own TTL is over, and on a name that was
// seen to rotate, which shows a few of many addresses at a time, for the rotation window since it was last seen.
#pragma once

#include "core/answer_tally.hpp"
#include "core/candidate.hpp"
#include "core/time.hpp"

#include <lbresolve/endpoint.hpp>
#include <lbresolve/options.hpp>
#include <lbresolve/selection.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace lbresolve::core {

/// One address record as a member: what DNS said of it, and when.
struct member {
  lbresolve::endpoint at;
  std::uint32_t priority = 0;
  std::uint16_t weight = 0;
  bool weighted = false;
  double frequency = 0;  ///< learned: in how many of the answers it is, up to 1; 0: not learned
  friend bool operator==(const member&, const member&) = default;
};

/// What one answer says: all members of one kind, fetched at one time.
struct membership {
  origin from;                  ///< what different questions brought does not replace each other
  std::vector<member> members;  ///< in the order of the answer
  time_point fetched{};         ///< when it came from an upstream
  duration ttl{};               ///< for how long it is true from then on
};

struct roster_rules {
  selection_mode mode = selection_mode::hybrid;
  /// The rotation window at most; it is 10·TTL where that is less. Zero: each address strictly until its own TTL.
  duration rotation_window = std::chrono::minutes{5};
  bool learn_weights = false;  ///< mode `client`: count how often each address is in an answer
};

/// What one answer changes. Empty where it is the same one again.
struct answer_news {
  bool is_news = false;
  std::vector<endpoint> joined;  ///< no members before, by this question; sorted
  std::vector<endpoint> left;    ///< in the answer before this one and not in this one; sorted
};

/// The members of one target.
/// Thread-safety: one thread at a time.
class roster {
 public:
  /// Takes an answer in. The same answer again, from the cache, changes nothing.
  answer_news take(const membership& newest, time_point now, const roster_rules& rules);

  /// Members that `from` brought and that the newest answer does not have and that are members all the same (mode
  /// `client`). With what was learned of how often they are in an answer.
  std::vector<member> kept(origin from, time_point now, const roster_rules& rules) const;

  /// Of each of `members`, all that `from` stands for now, in how many of the answers it is (`learn_weights`). Empty
  /// where nothing was learned, and where the answers do not rotate: who is in all of them has no weight.
  std::vector<double> frequencies(origin from, std::span<const endpoint> members) const;

  name_behaviour behaviour() const noexcept;

 private:
  struct seen_member {
    member what;
    time_point last_seen{};  ///< the fetch of the last answer that had it
    duration ttl{};
  };
  struct history {
    origin from;
    std::vector<endpoint> newest;  ///< in the order of the answer
    std::vector<endpoint> sorted;  ///< the same
    time_point fetched = time_point::min();
    std::vector<seen_member> seen;  ///< sorted; in mode `client` only
    answer_tally tally;             ///< likewise, with `learn_weights`
    unsigned answers = 0;
    bool reordered = false;  ///< an answer had the members of the one before it in another order
    bool rotated = false;    ///< an answer had as many members as the one before it, and others
    bool changed = false;    ///< an answer had more or fewer members
  };
  /// However many a server shows in turn, no more are kept: those seen last.
  static constexpr std::size_t most_seen = 1'024;

  history& of(origin from);
  static bool still_counts(const history& h, const seen_member& s, time_point now, const roster_rules& rules) noexcept;
  static void compare(history& h, const std::vector<endpoint>& newest, const std::vector<endpoint>& sorted);
  static answer_news news_of(const history& h, const std::vector<endpoint>& sorted, time_point now,
                             const roster_rules& rules);
  static void merge(history& h, const membership& newest, time_point now, const roster_rules& rules);

  std::vector<history> histories_;
};

}  // namespace lbresolve::core
