// What a person asks for: "host:port", "[2001:db8::1]:443", "https://host" or "_service._tcp.host".
#pragma once

#include "core/name.hpp"

#include <lbresolve/endpoint.hpp>
#include <lbresolve/error.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lbresolve::core {

struct target {
  std::string text;                   ///< as it was given
  std::string host;                   ///< without brackets, port and trailing dot
  core::name name;                    ///< of `host`; the root where `literal` is set
  std::optional<address> literal;     ///< an IP address: nothing is asked (HE-15)
  std::optional<std::uint16_t> port;  ///< never 0; 443 for https:// without a port
  bool absolute = false;              ///< written with a trailing dot: no search list
  bool https = false;                 ///< the https://host[:port] form
  bool service = false;               ///< the _service._tcp.host form (RFC 2782): `name` is the SRV record's owner
};

/// Reads a target. `port_required` is for connecting: then a port must come with it. A service, "_svc._tcp.host" or
/// "_svc._udp.host", never has one: it is in the SRV record. What is wrong is errc::invalid_target with one sentence
/// that names the wrong part and what to write instead; the sentence is safe to print (SEC-12).
///
/// A host consists of ASCII letters, digits, "-" and "_": names in other scripts are to be given in their xn-- form
/// (RFC 5890 section 2.3.2.1). What a URL parser would take for an IPv4 address must be one in full: "127.1" and
/// "0x7f.0.0.1" are errors, not queries.
result<target> parse_target(std::string_view text, bool port_required);

}  // namespace lbresolve::core
