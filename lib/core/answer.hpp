// What a message says about one question, by the rules of one CNAME chain.
#pragma once

#include "core/message.hpp"
#include "core/question.hpp"
#include "core/svcb.hpp"

#include <lbresolve/endpoint.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lbresolve::core {

/// SRV (RFC 2782). A single record with target "." means: no such service.
struct srv_record {
  std::uint16_t priority = 0;
  std::uint16_t weight = 0;
  std::uint16_t port = 0;
  name target;
};

/// The first Extended DNS Error of a message (RFC 8914).
struct extended_error {
  std::uint16_t code = 0;
  std::string text;  ///< as sent, unescaped
};

/// What an upstream said about one question. Immutable once made; shared by all who wait for it.
struct answer {
  enum class kind : std::uint8_t {
    positive,  ///< at least one record of the type asked for, at the end of the chain
    nodata,    ///< RFC 2308 section 2.2
    nxdomain,  ///< RFC 2308 section 2.1; belongs to the end of the chain
    failure,   ///< SERVFAIL, REFUSED or another RCODE, or no upstream answered (`rcode` < 0)
  };

  kind is = kind::failure;
  int rcode = -1;  ///< extended by EDNS (RFC 6891 section 6.1.3); -1 where none came
  name canonical;  ///< the end of the CNAME chain
  /// Seconds that this answer to the question asked may be used: the least of the CNAME chain's TTLs and `end_ttl`.
  std::uint32_t ttl = 0;
  /// The same for the end of the chain alone: the least of the records' TTLs, or the negative TTL (RFC 2308 section 5),
  /// which is the least of the SOA's TTL and its MINIMUM. Equal to or above `ttl`; for what is kept under `canonical`.
  std::uint32_t end_ttl = 0;
  bool authenticated = false;  ///< validated by DNSSEC, as told by an upstream whose word counts (RFC 6840 section 5.8)
  bool cacheable = false;      ///< neither a failure nor a negative answer without SOA is
  std::vector<address> addresses;         ///< A or AAAA, in the order sent, duplicates removed
  std::vector<srv_record> services;       ///< SRV, in the order sent
  std::vector<service_binding> bindings;  ///< SVCB or HTTPS, in the order sent
  std::optional<extended_error> ede;
  std::string why;  ///< one clause for a person: of a failure, or why bindings were left out
};

/// Reads `m` as the reply to `q`: a response, whole (TC clear), whose question is `q`.
///
/// Only class IN records of the answer section on the one chain from the question count (SEC-05), in whatever order,
/// and one SOA of the authority section at or above the end of the chain. A CNAME loop, two CNAMEs at one owner,
/// more than 16 links, or more than 64 CNAMEs in all (each is work) are a failure that says so. A malformed SVCB or
/// HTTPS record makes its RRset count as not there (RFC 9460 section 2.2): nodata, for as long as the RRset's TTL.
answer interpret(const message& m, const question& q);

/// An answer for when no upstream gave one.
answer failed_answer(const question& q, std::string why);

}  // namespace lbresolve::core
