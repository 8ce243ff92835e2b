#include "core/upstream.hpp"

#include "core/quoted.hpp"
#include "core/wire_result.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <utility>

namespace lbresolve::core {
namespace {

constexpr std::uint16_t dns_port = 53;

error invalid(std::string sentence) { return error(make_error_code(errc::invalid_option), std::move(sentence)); }

std::string server(std::string_view text) { return "server " + quoted(text) + ": "; }

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; });
  return out;
}

/// The transport a scheme asks for, or why it cannot be used.
result<std::optional<transport>> read_scheme(std::string_view text, std::string_view scheme) {
  const std::string wanted = lower(scheme);
  if (wanted == "udp") return std::optional<transport>{};
  if (wanted == "tcp") return std::optional{transport::tcp};
  constexpr std::array<std::string_view, 6> encrypted{"tls", "https", "dns+tls", "dns+https", "quic", "h3"};
  if (std::find(encrypted.begin(), encrypted.end(), wanted) != encrypted.end()) {
    return error(make_error_code(errc::unsupported),
                 server(text) + "encrypted upstreams (" + wanted + "://) are not part of this build");
  }
  if (wanted == "sdns") {
    return invalid(server(text) + "DNS stamps are not read; write the server's IP address, as \"192.0.2.53\"");
  }
  return invalid(server(text) + "the scheme " + quoted(scheme) + R"( is not known; write "udp://", "tcp://" or none)");
}

result<std::uint16_t> read_port(std::string_view text, std::string_view port) {
  std::uint32_t value = 0;
  const auto [end, bad] = std::from_chars(port.data(), port.data() + port.size(), value);
  const bool all_digits = !port.empty() && port.find_first_not_of("0123456789") == std::string_view::npos;
  if (!all_digits) {
    return invalid(server(text) + "the port " + quoted(port) + " is not a number; leave it and its colon out for 53");
  }
  if (bad != std::errc{} || end != port.data() + port.size() || value == 0 || value > 65'535) {
    return invalid(server(text) + "the port " + quoted(port) + " is not between 1 and 65535");
  }
  return static_cast<std::uint16_t>(value);
}

struct parts {
  std::string_view host;
  std::optional<std::string_view> port;
};

result<parts> split(std::string_view text, std::string_view rest) {
  if (rest.starts_with('[')) {
    const std::size_t close = rest.find(']');
    if (close == std::string_view::npos) return invalid(server(text) + R"(the "[" is never closed by a "]")");
    const std::string_view host = rest.substr(1, close - 1);
    const std::string_view after = rest.substr(close + 1);
    const auto at = address::parse(host);
    if (!at || !at->is_v6()) return invalid(server(text) + quoted(host) + " in brackets is not an IPv6 address");
    if (after.empty()) return parts{host, {}};
    if (after.front() != ':') return invalid(server(text) + R"(after "]" only ":port" may follow)");
    return parts{host, after.substr(1)};
  }
  const std::size_t colon = rest.find(':');
  if (colon == std::string_view::npos || rest.find(':', colon + 1) != std::string_view::npos) return parts{rest, {}};
  return parts{rest.substr(0, colon), rest.substr(colon + 1)};
}

}  // namespace

upstream make_upstream(const endpoint& at, std::optional<transport> only) {
  const std::string scheme = only ? std::string(to_string(*only)) + "://" : std::string();
  upstream u;
  u.at = at;
  u.only = only;
  u.text = scheme + at.to_string();
  return u;
}

result<upstream> parse_upstream(std::string_view text) {
  if (text.empty()) return invalid("a server is empty; write its IP address, as \"192.0.2.53\"");
  std::string_view rest = text;
  std::optional<transport> only;
  if (const std::size_t mark = text.find("://"); mark != std::string_view::npos) {
    LBRESOLVE_TRY(scheme, read_scheme(text, text.substr(0, mark)));
    only = scheme;
    rest = text.substr(mark + 3);
  } else if (lower(text).starts_with("sdns:")) {
    return read_scheme(text, "sdns").assume_error();
  }
  if (rest.find_first_of("/?#@") != std::string_view::npos) {
    return invalid(server(text) + "a server is an address and a port; leave out what else a URL can have");
  }
  LBRESOLVE_TRY(found, split(text, rest));
  const auto at = address::parse(found.host);
  if (!at) {
    return invalid(server(text) + quoted(found.host) + " is not an IP address; names are not looked up for servers");
  }
  std::uint16_t port = dns_port;
  if (found.port) {
    LBRESOLVE_TRY(value, read_port(text, *found.port));
    port = value;
  }
  return make_upstream(endpoint{*at, port}, only);
}

}  // namespace lbresolve::core
