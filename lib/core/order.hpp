// In which order candidates are tried.
#pragma once

#include "core/balance.hpp"
#include "core/candidate.hpp"
#include "core/random.hpp"

#include <lbresolve/options.hpp>

#include <cstdint>
#include <vector>

namespace lbresolve::core {

/// Candidates of one group are interleaved; groups follow one another: first those that work, then suspects and what is
/// of a family that does not work, then what is due back, then what is ejected. Inside these priority is strict, and
/// what has no route comes last (RFC 6724 section 6 rule 1).
/// @param mode in mode `server` only ejected ones are moved
std::uint32_t group_of(const candidate& c, selection_mode mode = selection_mode::hybrid) noexcept;

/// The family that a candidate takes turns as: behind a NAT64 it is IPv4 still.
inline family family_of(const candidate& c) noexcept {
  return c.translated ? family::ipv4 : c.endpoint.address.family();
}

/// Which family comes next (RFC 8305 section 4), from what was already taken of a group.
class interleaving {
 public:
  family next(std::uint32_t group, family preferred, int first_family_count) const noexcept;
  void take(std::uint32_t group, family f) noexcept;

 private:
  std::uint32_t group_ = 0;
  int taken_ = 0;       ///< of this group; 0: nothing yet
  bool mixed_ = false;  ///< both families were taken
  family last_ = family::ipv6;
};

struct order_settings {
  lbresolve::policy policy = policy::random;
  int first_family_count = 1;
  interleaving so_far{};  ///< what a running race has already started: the families go on alternating from there
  selection_mode mode = selection_mode::hybrid;
  balance_rules balance{};
  std::uint64_t turn = 0;      ///< round_robin: the number of this pick
  std::uint64_t hash_key = 0;  ///< hash: what decides
};

/// IPv6 goes first, as RFC 6724 wants, unless its best is this much farther than IPv4's.
inline constexpr duration family_margin = std::chrono::milliseconds{50};

/// Each endpoint once, in its first place, with the best of what is said about it: the lowest priority, with the weight
/// that goes with it, and no hint where one of them is an address (HE-38, HE-13).
void drop_duplicates(std::vector<candidate>& candidates);

/// The candidates among which the policy decides who goes first, with the chance and the cost of each.
struct front_row {
  std::vector<candidate> members;
  std::vector<contender> contenders;  ///< by member
  std::vector<double> costs;          ///< by member, as costs_of() gives them for all candidates together
  bool weighted = false;              ///< the contenders' weights are the operator's
};

/// Who goes first, and who else could: one of them for policies that leave no choice.
front_row front_of(std::vector<candidate> candidates, const order_settings& settings, random_source& random);

/// Puts candidates in the order in which to try them. Each endpoint comes out once.
std::vector<candidate> order(std::vector<candidate> candidates, const order_settings& settings, random_source& random);

}  // namespace lbresolve::core
