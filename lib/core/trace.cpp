#include <lbresolve/trace.hpp>

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

}  // namespace lbresolve
