// How addresses are chosen among, and what a name's answers look like.
#pragma once

#include <lbresolve/export.hpp>

#include <chrono>
#include <cstdint>

namespace lbresolve {

/// Whose choice it is.
enum class selection_mode : std::uint8_t {
  server,  ///< the DNS server's: the order of its answer stands, only ejected addresses move to the end
  client,  ///< ours: every address inside its TTL, or inside the rotation window of a rotating name, is a candidate
  hybrid,  ///< both: the newest answer is the set, what it has withdrawn gets no new connects, and we choose inside it
};

/// How a name's answers have been seen to behave.
enum class name_behaviour : std::uint8_t {
  unknown,          ///< no answer yet
  single,           ///< one address, always the same
  rotating_single,  ///< one address, another one each time
  full_set,         ///< the same addresses, in the same order
  rotated_order,    ///< the same addresses, in another order each time
  rotating_subset,  ///< as many addresses each time, and others: a part of a larger set
  filtered,         ///< more or fewer addresses than before: a server that adds and withdraws
};

LBRESOLVE_EXPORT const char* to_string(selection_mode m) noexcept;
LBRESOLVE_EXPORT const char* to_string(name_behaviour b) noexcept;

}  // namespace lbresolve
