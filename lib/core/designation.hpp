// Discovery of Designated Resolvers (RFC 9462): what a resolver says about the encrypted ones that stand for it.
#pragma once

#include "core/answer.hpp"
#include "core/question.hpp"
#include "core/random.hpp"
#include "core/upstream.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace lbresolve::core {

/// The encrypted resolvers that may be asked instead of the one that named them.
struct designation {
  std::vector<upstream> servers;  ///< in the order to ask them
  std::string why;                ///< where there are none: the reason, as a clause for a person
};

/// _dns.resolver.arpa, SVCB: section 4.
question designation_question();

/// Reads `a`, which `by` gave to designation_question(), without TLS and so unproven. What it names can only be used
/// after the check of section 4.2, Verified Discovery: each upstream has the address of `by` as the identity that its
/// certificate must show. Nobody else can be designated, whatever the answer says.
///
/// Records are taken by their priority, equal ones in a random order (RFC 9460 section 2.4.1), each with DNS over TLS
/// before HTTPS. Aliases are not followed. Skipped are those with mandatory keys that are not understood, with the
/// owner itself for a host (section 4 forbids it), without a protocol that is spoken here, and all past the first
/// `most_designated` upstreams.
/// @param has_http2 whether DNS over HTTPS can be spoken
designation read_designation(const endpoint& by, const answer& a, bool has_http2, random_source& random);

/// An answer is a datagram that anybody may have written: it does not get to fill tables.
inline constexpr std::size_t most_designated = 8;

}  // namespace lbresolve::core
