#include "core/designation.hpp"

#include "core/doh_message.hpp"
#include "core/quoted.hpp"
#include "core/special_names.hpp"

#include <algorithm>
#include <utility>

namespace lbresolve::core {
namespace {

constexpr std::uint16_t dot_port = 853;    // RFC 7858 section 3.1
constexpr std::uint16_t https_port = 443;  // RFC 9461 section 4.2: the default of the protocol

bool offers(const service_binding& b, std::string_view protocol) {
  return std::find(b.alpn.begin(), b.alpn.end(), protocol) != b.alpn.end();
}

std::string protocols_of(const service_binding& b) {
  std::string text;
  for (const std::string& one : b.alpn) text += (text.empty() ? "" : ", ") + quoted(one);
  return text;
}

upstream make_designated(const endpoint& by, const service_binding& b, const std::string& host, transport over) {
  const bool is_https = over == transport::https;
  upstream u;
  u.only = over;
  u.host = host;
  u.at.port = b.port.value_or(is_https ? https_port : dot_port);
  u.known = b.hints;
  // Section 4.2: "the certificate contains the IP address of the designating Unencrypted DNS Resolver". Its name proves
  // nothing, as anybody may have put it into the answer, and section 6.3 wants no SNI.
  u.identity.address = by.address;
  u.designated_by = by;
  if (is_https) u.path = doh_post_path(b.doh_path).value_or("");
  u.text = (is_https ? "https://" : "tls://") + host + ":" + std::to_string(u.at.port) + u.path + "#" +
           by.address.to_string();
  return u;
}

/// Why nothing in this record can be used, whatever its protocols are; empty: something may be.
std::string why_skipped(const service_binding& b) {
  if (b.is_alias()) return "it is an alias, and those are not followed";
  if (!b.usable) return "it needs something that is not understood here";
  if (b.port == 0) return "its port is 0";
  const auto host = read_host_name(b.target.to_text());
  if (!host) return "it names no host";
  return find_special(b.target).reason;
}

/// What of `b` is spoken here, added to `into`; or why nothing is.
std::string take(const endpoint& by, const service_binding& b, bool has_http2, std::vector<upstream>& into) {
  if (std::string why = why_skipped(b); !why.empty()) return why;
  const std::string host = *read_host_name(b.target.to_text());
  const bool dot = offers(b, "dot");
  const bool https = offers(b, "h2") && has_http2 && doh_post_path(b.doh_path);
  if (dot) into.push_back(make_designated(by, b, host, transport::tls));
  if (https) into.push_back(make_designated(by, b, host, transport::https));
  if (dot || https) return {};
  // RFC 9461 section 4.1: the scheme has no default protocol.
  if (b.alpn.empty()) return "it names no protocol";
  if (!offers(b, "h2")) return "it offers only " + protocols_of(b) + ", and none of it is spoken here";
  if (!has_http2) return "it offers " + protocols_of(b) + ", and this build has no HTTP/2";
  return "it offers DNS over HTTPS without a usable path";
}

std::string name_of(const service_binding& b) { return b.target.is_root() ? "itself" : quoted(b.target.to_text()); }

}  // namespace

question designation_question() { return {name::from_text("_dns.resolver.arpa").assume_value(), rr_type::svcb}; }

designation read_designation(const endpoint& by, const answer& a, bool has_http2, random_source& random) {
  designation out;
  const std::string subject = by.to_string() + ": ";
  if (a.is == answer::kind::failure) {
    out.why = a.why + ", when it was asked which encrypted resolvers it designates (RFC 9462)";
    return out;
  }
  if (a.bindings.empty()) {
    out.why = subject + (a.why.empty() ? "it designates no encrypted resolver (RFC 9462)" : a.why) +
              R"(; name a server with TLS, as "tls://dns.example")";
    return out;
  }
  std::vector<service_binding> records = a.bindings;
  shuffle(records.begin(), records.end(), random);
  std::stable_sort(records.begin(), records.end(),
                   [](const auto& x, const auto& y) { return x.priority < y.priority; });
  std::string skipped;
  std::size_t told = 0;
  for (const service_binding& b : records) {
    const std::string why = take(by, b, has_http2, out.servers);
    if (!why.empty() && ++told <= most_designated) skipped += (told == 1 ? "" : "; ") + name_of(b) + ": " + why;
  }
  if (out.servers.size() > most_designated) out.servers.resize(most_designated);
  if (out.servers.empty()) out.why = subject + "none of the resolvers it designates can be used: " + skipped;
  return out;
}

}  // namespace lbresolve::core
