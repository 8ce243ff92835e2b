// How often each address is in a name's answers, which is how some servers say how much each shall get: one address an
// answer, or a few of many, drawn by weight.
//
// A tally follows the latest hundred answers or so: with each one, what was counted before loses a hundredth. Every
// address is counted from the answer after the one that showed it first: that one was bound to hold it, and would make
// a rare address look common. Before it has had a chance to be seen again an address counts as one of equals, so that
// few answers do not swing the choice, and what is new among many that are known gets its share at once.
#pragma once

#include "core/time.hpp"

#include <lbresolve/endpoint.hpp>

#include <cstddef>
#include <span>
#include <vector>

namespace lbresolve::core {

/// The answers to one question of one name.
/// Thread-safety: one thread at a time.
class answer_tally {
 public:
  /// Counts an answer, unless it is one that was counted already and comes out of a recursive server's cache.
  /// @param sorted its addresses
  /// @param fetched, ttl when it came, and for how long it is true from then on
  void count(std::span<const endpoint> sorted, time_point fetched, duration ttl);

  /// Of each of `members`, in how many of the answers it is, from just over 0 to 1.
  std::vector<double> frequencies(std::span<const endpoint> members) const;

  std::size_t size() const noexcept { return entries_.size(); }

  /// However many a server shows, no more are counted: those seen last.
  static constexpr std::size_t most = 1'024;
  /// So many answers. More of them know the weights better, fewer follow a change of them sooner. At a hundred an
  /// address that is in 60 % of the answers is known to about 4 points.
  static constexpr int memory = 100;

 private:
  struct entry {
    endpoint at;
    double seen = 0;     // in so many of
    double chances = 0;  // the answers since the first one that had it; both lose a hundredth with every answer
    int absent = 0;      // answers in a row without it
  };

  bool is_another(time_point fetched, duration ttl);

  std::vector<entry> entries_;  // sorted
  double answers_ = 0;          // and these lose as much
  double addresses_ = 0;        // in all of them
  time_point counted_ = time_point::min();
  time_point born_ = time_point::min();  // when a server's cache took the last one counted, if one did
  duration longest_ttl_{};
};

}  // namespace lbresolve::core
