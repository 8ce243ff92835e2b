// The story of one lookup or connect: which server, which transport, which address, when and why. On success too.
#pragma once

#include <lbresolve/endpoint.hpp>
#include <lbresolve/export.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace lbresolve {

/// Time since the operation began.
using elapsed = std::chrono::nanoseconds;

enum class transport : std::uint8_t { udp, tcp, tls, https };

/// One question sent to one upstream, or answered from something at hand.
struct query_record {
  enum class source : std::uint8_t {
    network,  ///< sent to `upstream`
    cache,    ///< inside its TTL, or a remembered failure (RFC 9520)
    shared,   ///< joined a query already in flight
    hosts,    ///< the hosts file
    special,  ///< a name that never goes out (RFC 6761), or a literal
    stale,    ///< the cache, past its TTL (RFC 8767)
  };
  enum class outcome : std::uint8_t {
    pending,      ///< no answer by the time the operation ended
    answered,     ///< records
    nodata,       ///< the name has none of this type
    nxdomain,     ///< no such name
    failed,       ///< the upstream said so (`rcode`), or what it sent cannot be used (`detail`)
    timed_out,    ///< no answer in time
    unreachable,  ///< the transport failed (`code`)
    abandoned,    ///< another upstream was faster, or a setting had to change (`detail`)
  };

  std::string name;        ///< as asked, without the trailing dot
  std::uint16_t type = 0;  ///< RR type (RFC 1035 section 3.2.2): 1 A, 28 AAAA, 33 SRV, 65 HTTPS
  source from = source::network;
  std::string upstream;  ///< "192.0.2.53:53"; empty unless `from` is network
  lbresolve::transport over = transport::udp;
  elapsed started{};
  std::optional<elapsed> ended;  ///< empty while pending
  outcome ended_as = outcome::pending;
  int rcode = -1;           ///< the RCODE, extended by EDNS; -1 where no message came
  std::error_code code;     ///< the transport's error, where there was one
  int ede_code = -1;        ///< Extended DNS Error (RFC 8914), -1 for none
  std::string ede_text;     ///< as sent: hostile text, escape before showing
  std::uint32_t ttl = 0;    ///< seconds left, where answered
  std::uint16_t count = 0;  ///< records of this type that can be used
  std::string detail;       ///< one clause for a person
};

/// One try of one endpoint.
struct attempt_record {
  enum class outcome : std::uint8_t {
    pending,
    won,        ///< the connection that was returned
    failed,     ///< `code` says why
    cancelled,  ///< another one won, or the operation ended first
    spare,      ///< also succeeded, and was closed without a byte
    skipped,    ///< never started: `detail` says why
  };
  enum class stage : std::uint8_t { socket, connect, tls };

  lbresolve::endpoint endpoint;
  elapsed started{};
  std::optional<elapsed> ended;
  outcome ended_as = outcome::pending;
  stage reached = stage::socket;
  std::error_code code;
  std::string detail;   ///< one clause: why it was started when it was, or why it was skipped
  std::string failure;  ///< how it failed, in one sentence, where `code` alone does not say it: what TLS found
  std::optional<elapsed> tls_started;  ///< when TCP was there and TLS began
};

/// What happened, in the order it happened. A plain value.
struct trace {
  std::string target;
  std::chrono::system_clock::time_point began;  ///< wall-clock time, for people; every other time counts from it
  elapsed took{};
  std::vector<query_record> queries;
  std::vector<attempt_record> attempts;
  std::vector<std::string> notes;  ///< what else mattered: a setting ignored, a file that changed
};

LBRESOLVE_EXPORT const char* to_string(transport t) noexcept;
LBRESOLVE_EXPORT const char* to_string(query_record::source s) noexcept;
LBRESOLVE_EXPORT const char* to_string(query_record::outcome o) noexcept;
LBRESOLVE_EXPORT const char* to_string(attempt_record::outcome o) noexcept;
LBRESOLVE_EXPORT const char* to_string(attempt_record::stage s) noexcept;

/// "A", "AAAA", "HTTPS", or "TYPE1234" (RFC 3597 section 5).
LBRESOLVE_EXPORT std::string type_name(std::uint16_t type);

/// "SERVFAIL" and the like (IANA "DNS RCODEs"); "RCODE 3000" for one without a name.
LBRESOLVE_EXPORT std::string rcode_name(int rcode);

/// "DNSSEC Bogus" for 6 (RFC 8914 section 4 and its registry); empty where the number has no name here.
LBRESOLVE_EXPORT std::string_view ede_name(int code) noexcept;

}  // namespace lbresolve
