// A DNS server to ask, as a person writes it: "192.0.2.53", "[2001:db8::53]:5353" or "tcp://192.0.2.53".
#pragma once

#include "core/tls_identity.hpp"

#include <lbresolve/endpoint.hpp>
#include <lbresolve/error.hpp>
#include <lbresolve/trace.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lbresolve::core {

struct upstream {
  endpoint at;
  /// transport::tcp for "tcp://". Unset for "udp://" and for none: UDP first, TCP where an answer is truncated
  /// (RFC 7766 section 5).
  std::optional<transport> only;
  std::string text;  ///< canonical, for traces: "192.0.2.53:53", "tcp://[2001:db8::53]:53"

  // Of transport::tls and transport::https.
  std::string host;                       ///< to be looked up through a bootstrap server; empty: `at` is all of it
  std::vector<lbresolve::address> known;  ///< what `host` stands for, where that was given ("?ip=")
  tls_identity identity;
  std::string path;      ///< of https: "/dns-query"
  bool use_get = false;  ///< of https: GET instead of POST (RFC 8484 section 4.1)
};

/// An upstream of the system's configuration.
upstream make_upstream(const endpoint& at, std::optional<transport> only = {});

/// Reads an upstream; without a port it is 53. Encrypted schemes are errc::unsupported, everything else that cannot be
/// read is errc::invalid_option; the sentence names the wrong part and is safe to print.
result<upstream> parse_upstream(std::string_view text);

}  // namespace lbresolve::core
