// The part of a trace that a lookup writes.
#pragma once

#include "core/operation.hpp"

#include <lbresolve/trace.hpp>

#include <string>

namespace lbresolve::core {

/// How a trace calls what `a` says.
query_record::outcome outcome_of(const answer& a) noexcept;

/// Adds how `q` was answered, to a trace that began at `since`.
void tell(const question& q, const delivery& d, time_point since, time_point now, trace& story);

/// Notes, once, what a NAT64 has for an IPv4 address.
void note_translation(const address& v4, const address& v6, trace& story);

/// "the answer for AAAA is 12 s past its time (RFC 8767)"
std::string note_on_stale(const question& q, const delivery& d, time_point now);

}  // namespace lbresolve::core
