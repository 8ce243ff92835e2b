// Which of several equals goes first, by each policy.
#pragma once

#include "core/order.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace lbresolve::core {

/// One of several candidates between which priority, route, family and RFC 6724 see no difference.
struct peer {
  const candidate* what = nullptr;
  double cost = 0;  ///< the expected time to a connection, in nanoseconds
};

/// Its weight among equals: learned, or the same for all. Learned weights share out what is as good, and that is all:
/// unlike those of SRV records, which are the operator's word, they do not widen the band. They are an estimate, and
/// say nothing of who is near or well. Policy `hash` leaves them aside, as keys would move with every answer.
inline double weight_of(const candidate& c) noexcept { return c.frequency > 0 ? c.frequency : 1; }

/// All indices of `peers` in the order in which to try them. The first is the policy's pick; behind it come the others
/// in the order in which they are worth falling back to.
std::vector<std::uint32_t> arrange(std::span<const peer> peers, const order_settings& settings, random_source& random);

/// Rendezvous hashing (Thaler and Ravishankar 1998), with weights: of several, the one with the least value has the
/// key.
double rendezvous(std::uint64_t key, std::uint64_t of, std::uint16_t weight) noexcept;

}  // namespace lbresolve::core
