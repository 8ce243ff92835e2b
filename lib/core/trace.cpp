#include <lbresolve/explanation.hpp>
#include <lbresolve/health.hpp>
#include <lbresolve/selection.hpp>
#include <lbresolve/trace.hpp>
#include <lbresolve/watch.hpp>

#include <array>
#include <cstddef>

namespace lbresolve {

const char* to_string(transport t) noexcept {
  switch (t) {
    case transport::udp:
      return "udp";
    case transport::tcp:
      return "tcp";
    case transport::tls:
      return "tls";
    case transport::https:
      return "https";
  }
  return "?";
}

const char* to_string(query_record::source s) noexcept {
  using enum query_record::source;
  switch (s) {
    case network:
      return "network";
    case cache:
      return "cache";
    case shared:
      return "shared";
    case hosts:
      return "hosts";
    case special:
      return "special";
    case stale:
      return "stale";
  }
  return "?";
}

const char* to_string(query_record::outcome o) noexcept {
  using enum query_record::outcome;
  switch (o) {
    case pending:
      return "pending";
    case answered:
      return "answered";
    case nodata:
      return "nodata";
    case nxdomain:
      return "nxdomain";
    case failed:
      return "failed";
    case timed_out:
      return "timed out";
    case unreachable:
      return "unreachable";
    case abandoned:
      return "abandoned";
  }
  return "?";
}

const char* to_string(attempt_record::outcome o) noexcept {
  using enum attempt_record::outcome;
  switch (o) {
    case pending:
      return "pending";
    case won:
      return "won";
    case failed:
      return "failed";
    case cancelled:
      return "cancelled";
    case spare:
      return "spare";
    case skipped:
      return "skipped";
  }
  return "?";
}

const char* to_string(attempt_record::stage s) noexcept {
  using enum attempt_record::stage;
  switch (s) {
    case socket:
      return "socket";
    case connect:
      return "connect";
    case tls:
      return "tls";
  }
  return "?";
}

const char* to_string(endpoint_state s) noexcept {
  switch (s) {
    case endpoint_state::unknown:
      return "unknown";
    case endpoint_state::healthy:
      return "healthy";
    case endpoint_state::ramping:
      return "ramping";
    case endpoint_state::suspect:
      return "suspect";
    case endpoint_state::half_open:
      return "half open";
    case endpoint_state::ejected:
      return "ejected";
  }
  return "?";
}

const char* to_string(policy p) noexcept {
  switch (p) {
    case policy::balanced:
      return "balanced";
    case policy::fastest:
      return "fastest";
    case policy::round_robin:
      return "round_robin";
    case policy::random:
      return "random";
    case policy::hash:
      return "hash";
    case policy::in_order:
      return "in_order";
  }
  return "?";
}

const char* to_string(member_change::kind k) noexcept {
  using enum member_change::kind;
  switch (k) {
    case added:
      return "added";
    case withdrawn:
      return "withdrawn";
    case suspect:
      return "suspect";
    case ejected:
      return "ejected";
    case back:
      return "back";
  }
  return "?";
}

const char* to_string(selection_mode m) noexcept {
  switch (m) {
    case selection_mode::server:
      return "server";
    case selection_mode::client:
      return "client";
    case selection_mode::hybrid:
      return "hybrid";
  }
  return "?";
}

const char* to_string(name_behaviour b) noexcept {
  switch (b) {
    case name_behaviour::unknown:
      return "unknown";
    case name_behaviour::single:
      return "single address";
    case name_behaviour::rotating_single:
      return "rotating single address";
    case name_behaviour::full_set:
      return "full set";
    case name_behaviour::rotated_order:
      return "full set in rotated order";
    case name_behaviour::rotating_subset:
      return "rotating subset";
    case name_behaviour::filtered:
      return "changing set";
  }
  return "?";
}

std::string type_name(std::uint16_t type) {
  switch (type) {
    case 1:
      return "A";
    case 2:
      return "NS";
    case 5:
      return "CNAME";
    case 6:
      return "SOA";
    case 12:
      return "PTR";
    case 15:
      return "MX";
    case 16:
      return "TXT";
    case 28:
      return "AAAA";
    case 33:
      return "SRV";
    case 39:
      return "DNAME";
    case 41:
      return "OPT";
    case 64:
      return "SVCB";
    case 65:
      return "HTTPS";
    case 255:
      return "ANY";
    default:
      return "TYPE" + std::to_string(type);
  }
}

std::string rcode_name(int rcode) {
  switch (rcode) {
    case 0:
      return "NOERROR";
    case 1:
      return "FORMERR";
    case 2:
      return "SERVFAIL";
    case 3:
      return "NXDOMAIN";
    case 4:
      return "NOTIMP";
    case 5:
      return "REFUSED";
    case 6:
      return "YXDOMAIN";
    case 7:
      return "YXRRSET";
    case 8:
      return "NXRRSET";
    case 9:
      return "NOTAUTH";
    case 10:
      return "NOTZONE";
    case 11:
      return "DSOTYPENI";
    case 16:
      return "BADVERS";
    case 23:
      return "BADCOOKIE";
    default:
      return "RCODE " + std::to_string(rcode);
  }
}

std::string_view ede_name(int code) noexcept {
  static constexpr std::array<std::string_view, 30> names{"Other Error",
                                                          "Unsupported DNSKEY Algorithm",
                                                          "Unsupported DS Digest Type",
                                                          "Stale Answer",
                                                          "Forged Answer",
                                                          "DNSSEC Indeterminate",
                                                          "DNSSEC Bogus",
                                                          "Signature Expired",
                                                          "Signature Not Yet Valid",
                                                          "DNSKEY Missing",
                                                          "RRSIGs Missing",
                                                          "No Zone Key Bit Set",
                                                          "NSEC Missing",
                                                          "Cached Error",
                                                          "Not Ready",
                                                          "Blocked",
                                                          "Censored",
                                                          "Filtered",
                                                          "Prohibited",
                                                          "Stale NXDOMAIN Answer",
                                                          "Not Authoritative",
                                                          "Not Supported",
                                                          "No Reachable Authority",
                                                          "Network Error",
                                                          "Invalid Data",
                                                          "Signature Expired before Valid",
                                                          "Too Early",
                                                          "Unsupported NSEC3 Iterations Value",
                                                          "Unable to conform to policy",
                                                          "Synthesized"};
  if (code < 0 || static_cast<std::size_t>(code) >= names.size()) return {};
  return names[static_cast<std::size_t>(code)];
}

}  // namespace lbresolve
