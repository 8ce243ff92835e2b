// A DNS server to ask, as a person writes it: "192.0.2.53", "tcp://[2001:db8::53]:5353", "tls://192.0.2.53#dns.example"
// or "https://dns.example/dns-query".
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
  /// Canonical, for traces: "192.0.2.53:53", "tcp://[2001:db8::53]:53", "tls://192.0.2.53:853#dns.example",
  /// "https://dns.example:443/dns-query". Pins and addresses given beside a name are not in it.
  std::string text;

  // Of transport::tls and transport::https.
  std::string host;  ///< to be looked up through a bootstrap server, then `at` has the port only; empty: `at` is all
  std::vector<lbresolve::address> known;  ///< what `host` stands for, where that was given ("?ip=") or is sure
  tls_identity identity;
  std::string path;      ///< of https: "/dns-query"
  bool use_get = false;  ///< of https: GET instead of POST (RFC 8484 section 4.1)

  /// "ddr": it is only asked which encrypted resolvers it designates, and those are used (RFC 9462 section 4). Without
  /// a port it stands for those of the system's configuration.
  bool discovers = false;
  /// The resolver that designated this one. It is also asked for the addresses of `host`.
  std::optional<endpoint> designated_by;

  friend bool operator==(const upstream&, const upstream&) = default;
};

/// An upstream of the system's configuration.
upstream make_upstream(const endpoint& at, std::optional<transport> only = {});

/// Whether what is said to it goes through TLS, and nowhere else.
constexpr bool is_encrypted(transport over) noexcept { return over == transport::tls || over == transport::https; }
inline bool is_encrypted(const upstream& u) noexcept { return u.only && is_encrypted(*u.only); }
/// Whether its answers come from whom they should: encrypted, and the other end has to show who it is.
inline bool is_authenticated(const upstream& u) noexcept { return is_encrypted(u) && u.identity.verify; }

/// Whether it stands for the resolvers of the system's configuration, each with what it designates.
inline bool is_of_system(const upstream& u) noexcept { return u.discovers && u.at.port == 0; }

/// A host name that a certificate can be for and that can be looked up, in lower case without a trailing dot; nothing
/// for all else (RFC 5890 section 2.3.1: letters, digits and hyphens; an underscore does no harm).
std::optional<std::string> read_host_name(std::string_view written);
/// Whether `path` is one of a URL (RFC 3986 section 3.3): nothing in it can end a line or a header.
bool is_path(std::string_view path);

/// Reads an upstream.
///   [udp://|tcp://]ADDRESS[:PORT]                        Do53, port 53
///   tls://ADDRESS[:PORT][#NAME], tls://NAME[:PORT]       DoT (RFC 7858), port 853; also dns+tls://
///   https://HOST[:PORT][/PATH][{?dns}]                   DoH (RFC 8484), port 443, /dns-query; also dns+https://
///   tls-opportunistic://HOST[:PORT]                      DoT that takes anybody for the server (RFC 7858 section 4.1)
///   ddr, ddr://ADDRESS[:PORT]                            what the system's resolvers designate, or this one (RFC 9462)
/// After "?", joined by "&": "pin=sha256-BASE64" and, beside a name, "ip=ADDRESS", both as often as needed; "get" with
/// https://. The certificate is verified against NAME, else against the host, which may be an address; with pins
/// against them alone.
///
/// What other tools have and this library does not (QUIC, HTTP/3) is errc::unsupported, everything else that cannot be
/// read is errc::invalid_option; the sentence names the wrong part and is safe to print.
result<upstream> parse_upstream(std::string_view text);

}  // namespace lbresolve::core
