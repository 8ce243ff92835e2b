#include "core/upstream.hpp"

#include "core/ascii.hpp"
#include "core/name.hpp"
#include "core/quoted.hpp"
#include "core/special_names.hpp"
#include "core/spki_pin.hpp"
#include "core/wire_result.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <utility>

namespace lbresolve::core {
namespace {

constexpr const char* default_path = "/dns-query";  // what RFC 8484 has in its examples, and everybody else too

error invalid(std::string sentence) { return error(make_error_code(errc::invalid_option), std::move(sentence)); }

std::string server(std::string_view text) { return "server " + quoted(text) + ": "; }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(ascii_lower(static_cast<std::uint8_t>(c)));
  return out;
}

struct scheme {
  const char* canonical = "";  ///< before "://"; empty for none
  std::optional<transport> only;
  std::uint16_t port = 53;
  bool verify = true;
  bool discovers = false;

  bool encrypted() const noexcept { return only && is_encrypted(*only); }
};

constexpr scheme dot{"tls", transport::tls, 853};
constexpr scheme doh{"https", transport::https, 443};

constexpr std::pair<const char*, scheme> schemes[] = {
    {"udp", {}},
    {"tcp", {"tcp", transport::tcp}},
    {"tls", dot},
    {"dns+tls", dot},  // as c-ares writes it
    {"tls-opportunistic", {"tls-opportunistic", transport::tls, 853, false}},
    {"https", doh},
    {"dns+https", doh},
    {"ddr", {"ddr", {}, 53, true, true}},
};

/// What a scheme stands for, or why it cannot be used.
result<scheme> read_scheme(std::string_view text, std::string_view written) {
  const std::string wanted = lower(written);
  for (const auto& [known, meaning] : schemes)
    if (wanted == known) return meaning;
  constexpr std::array<std::string_view, 6> too_new{"quic", "dns+quic", "doq", "h3", "dns+h3", "http3"};
  if (std::find(too_new.begin(), too_new.end(), wanted) != too_new.end()) {
    return error(make_error_code(errc::unsupported),
                 server(text) + wanted +
                     R"(:// (DNS over QUIC or HTTP/3) is not supported; )"
                     R"(write "tls://" or "https://", which most such servers speak)");
  }
  if (wanted == "sdns") {
    return invalid(server(text) +
                   "DNS stamps are not read; write what is in it, as \"https://dns.example/dns-query?ip=192.0.2.53\"");
  }
  return invalid(server(text) + "the scheme " + quoted(written) +
                 R"( is not known; write "udp://", "tcp://", "tls://", "https://", "ddr://" or none)");
}

result<std::uint16_t> read_port(std::string_view text, std::string_view port, std::uint16_t usual) {
  std::uint32_t value = 0;
  const auto [end, bad] = std::from_chars(port.data(), port.data() + port.size(), value);
  const bool all_digits = !port.empty() && port.find_first_not_of("0123456789") == std::string_view::npos;
  if (!all_digits) {
    return invalid(server(text) + "the port " + quoted(port) + " is not a number; leave it and its colon out for " +
                   std::to_string(usual));
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

result<parts> split(std::string_view text, std::string_view authority) {
  if (authority.starts_with('[')) {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos) return invalid(server(text) + R"(the "[" is never closed by a "]")");
    const std::string_view host = authority.substr(1, close - 1);
    const std::string_view after = authority.substr(close + 1);
    const auto at = address::parse(host);
    if (!at || !at->is_v6()) return invalid(server(text) + quoted(host) + " in brackets is not an IPv6 address");
    if (after.empty()) return parts{host, {}};
    if (after.front() != ':') return invalid(server(text) + R"(after "]" only ":port" may follow)");
    return parts{host, after.substr(1)};
  }
  const std::size_t colon = authority.find(':');
  if (colon == std::string_view::npos || authority.find(':', colon + 1) != std::string_view::npos)
    return parts{authority, {}};
  return parts{authority.substr(0, colon), authority.substr(colon + 1)};
}

/// A name that a certificate can be verified against.
result<std::string> read_name(std::string_view text, std::string_view written) {
  const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
  if (!std::all_of(written.begin(), written.end(), is_ascii)) {
    return invalid(server(text) + "the name has letters outside ASCII; give it in its xn-- form (IDNA, RFC 5890)");
  }
  auto read = read_host_name(written);
  if (!read) return invalid(server(text) + quoted(written) + " is neither an IP address nor a host name");
  return *std::move(read);
}

result<void> read_host(upstream& into, const scheme& s, std::string_view text, std::string_view host) {
  if (const auto at = address::parse(host)) {
    into.at.address = *at;
    into.identity.address = s.encrypted() ? at : std::nullopt;
    return BOOST_OUTCOME_V2_NAMESPACE::success();
  }
  if (!s.encrypted()) {
    return invalid(server(text) + quoted(host) +
                   " is not an IP address; names are not looked up for servers without TLS");
  }
  LBRESOLVE_TRY(name, read_name(text, host));
  into.host = name;
  into.identity.name = std::move(name);
  return BOOST_OUTCOME_V2_NAMESPACE::success();
}

result<void> read_path(upstream& into, std::string_view text, std::string_view path) {
  if (into.only != transport::https) {
    if (path.empty() || path == "/") return BOOST_OUTCOME_V2_NAMESPACE::success();
    return invalid(server(text) + "the path " + quoted(path) + R"( is only for "https://"; leave it out)");
  }
  if (!is_path(path)) return invalid(server(text) + "the path " + quoted(path) + " is not one of a URL");
  into.path = path.empty() ? std::string(default_path) : std::string(path);
  return BOOST_OUTCOME_V2_NAMESPACE::success();
}

result<void> read_ip(upstream& into, std::string_view text, std::string_view value) {
  std::string_view bare = value;
  if (bare.starts_with('[') && bare.ends_with(']')) bare = bare.substr(1, bare.size() - 2);
  const auto at = address::parse(bare);
  if (!at) return invalid(server(text) + "ip=" + quoted(value) + " is not an IP address");
  if (into.host.empty()) {
    return invalid(server(text) + "ip= gives the address of a name, and the server is an address already");
  }
  if (std::find(into.known.begin(), into.known.end(), *at) == into.known.end()) into.known.push_back(*at);
  return BOOST_OUTCOME_V2_NAMESPACE::success();
}

result<void> read_parameter(upstream& into, std::string_view text, std::string_view parameter) {
  const std::size_t equals = parameter.find('=');
  const std::string_view key = parameter.substr(0, equals);
  const std::string_view value = equals == std::string_view::npos ? std::string_view() : parameter.substr(equals + 1);
  if (key == "pin") {
    const auto pin = parse_spki_pin(value);
    if (!pin) return invalid(server(text) + "pin=" + quoted(value) + " is not \"sha256-\" and 32 octets in base64");
    if (!into.identity.verify)
      return invalid(server(text) + "a pin is there to verify, and this scheme verifies nobody");
    into.identity.pins.push_back(*pin);
    return BOOST_OUTCOME_V2_NAMESPACE::success();
  }
  if (key == "ip") return read_ip(into, text, value);
  if (parameter == "get" && into.only == transport::https) {
    into.use_get = true;
    return BOOST_OUTCOME_V2_NAMESPACE::success();
  }
  return invalid(server(text) + quoted(parameter) + R"( is not understood; after "?" may stand "pin=" and "ip=")" +
                 (into.only == transport::https ? R"(, or "get")" : ""));
}

result<void> read_parameters(upstream& into, std::string_view text, std::optional<std::string_view> all) {
  while (all) {
    const std::size_t end = all->find('&');
    BOOST_OUTCOME_TRYV(read_parameter(into, text, all->substr(0, end)));
    if (end == std::string_view::npos) break;
    all->remove_prefix(end + 1);
  }
  return BOOST_OUTCOME_V2_NAMESPACE::success();
}

result<void> read_verified_name(upstream& into, std::string_view text, std::optional<std::string_view> written) {
  if (!written) return BOOST_OUTCOME_V2_NAMESPACE::success();
  if (into.only == transport::https) {
    return invalid(server(text) +
                   R"(with https:// the name stands in the URL; write "https://NAME/dns-query?ip=ADDRESS")");
  }
  if (!into.identity.verify) {
    return invalid(server(text) + R"(the name after "#" is there to verify, and this scheme verifies nobody)");
  }
  if (written->empty()) return invalid(server(text) + R"(no name follows the "#"; leave that out, or write the name)");
  if (address::parse(*written)) {
    return invalid(server(text) + "the name " + quoted(*written) + R"( after "#" is an address; write a name)");
  }
  LBRESOLVE_TRY(name, read_name(text, *written));
  into.identity.name = std::move(name);
  into.identity.address.reset();
  return BOOST_OUTCOME_V2_NAMESPACE::success();
}

/// A special name never goes out, so it cannot be looked up for a server either (RFC 6761).
result<void> settle_name(upstream& into, std::string_view text) {
  if (into.host.empty() || !into.known.empty()) return BOOST_OUTCOME_V2_NAMESPACE::success();
  const special_answer found = find_special(name::from_text(into.host).assume_value());
  if (found.is == special::localhost) {
    for (const char* loopback : {"127.0.0.1", "::1"}) into.known.push_back(*address::parse(loopback));
  } else if (found) {
    return invalid(server(text) + quoted(into.host) + " cannot be looked up: " + found.reason);
  }
  return BOOST_OUTCOME_V2_NAMESPACE::success();
}

std::string canonical(const upstream& u, const scheme& s) {
  const std::string authority = u.host.empty() ? u.at.to_string() : u.host + ":" + std::to_string(u.at.port);
  const bool other_name = !u.identity.name.empty() && u.identity.name != u.host;
  return (*s.canonical == '\0' ? std::string() : std::string(s.canonical) + "://") + authority + u.path +
         (other_name ? "#" + u.identity.name : std::string());
}

/// What stands behind the scheme: authority [path ["{?dns}"]] ["?" parameters] ["#" name].
struct pieces {
  std::string_view authority, path;
  std::optional<std::string_view> parameters, verified_name;
};

/// Takes off `rest` what stands behind the first `mark`.
std::optional<std::string_view> cut_behind(std::string_view& rest, std::string_view mark) {
  const std::size_t at = rest.find(mark);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view behind = rest.substr(at + mark.size());
  rest = rest.substr(0, at);
  return behind;
}

result<pieces> take_apart(std::string_view text, const scheme& s, std::string_view rest) {
  pieces p;
  p.verified_name = cut_behind(rest, "#");
  // The URI template of RFC 8484 section 4.1. It has one variable, so nothing is to be learned from it.
  if (const auto behind = s.only == transport::https ? cut_behind(rest, "{?dns}") : std::nullopt) {
    if (!behind->empty() && behind->front() != '?') return invalid(server(text) + R"("{?dns}" ends the path)");
    if (!behind->empty()) p.parameters = behind->substr(1);
  } else {
    p.parameters = cut_behind(rest, "?");
  }
  p.path = rest.substr(std::min(rest.find('/'), rest.size()));
  p.authority = rest.substr(0, rest.size() - p.path.size());
  if (!s.encrypted() && (!p.path.empty() || p.parameters || p.verified_name)) {
    return invalid(server(text) + "a server without TLS is an address and a port; leave out what else a URL can have");
  }
  if (p.authority.find('@') != std::string_view::npos) {
    return invalid(server(text) + R"(a user name ("user@") has no place here; leave out what else a URL can have)");
  }
  return p;
}

result<upstream> read_rest(std::string_view text, const scheme& s, std::string_view rest) {
  LBRESOLVE_TRY(found, take_apart(text, s, rest));
  LBRESOLVE_TRY(at, split(text, found.authority));
  upstream u;
  u.only = s.only;
  u.discovers = s.discovers;
  u.identity.verify = s.verify;
  u.at.port = s.port;
  BOOST_OUTCOME_TRYV(read_host(u, s, text, at.host));
  if (at.port) {
    LBRESOLVE_TRY(port, read_port(text, *at.port, s.port));
    u.at.port = port;
  }
  BOOST_OUTCOME_TRYV(read_path(u, text, found.path));
  BOOST_OUTCOME_TRYV(read_parameters(u, text, found.parameters));
  BOOST_OUTCOME_TRYV(read_verified_name(u, text, found.verified_name));
  BOOST_OUTCOME_TRYV(settle_name(u, text));
  u.text = canonical(u, s);
  return u;
}

}  // namespace

std::optional<std::string> read_host_name(std::string_view written) {
  std::string out = lower(written.ends_with('.') ? written.substr(0, written.size() - 1) : written);
  const bool plain = out.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_.") == std::string::npos;
  if (out.empty() || !plain || !name::from_text(out) || ends_in_number(out)) return std::nullopt;
  return out;
}

bool is_path(std::string_view path) {
  constexpr std::string_view others = "-._~!$&'()*+,;=:@/";
  for (std::size_t i = 0; i < path.size(); ++i) {
    const char c = path[i];
    if (c == '%') {
      if (i + 2 >= path.size() || !ascii_is_hex_digit(path[i + 1]) || !ascii_is_hex_digit(path[i + 2])) return false;
      i += 2;
      continue;
    }
    const bool plain = ascii_is_letter(c) || ascii_is_digit(c);
    if (!plain && others.find(c) == std::string_view::npos) return false;
  }
  return true;
}

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
  if (const std::size_t mark = text.find("://"); mark != std::string_view::npos) {
    LBRESOLVE_TRY(meaning, read_scheme(text, text.substr(0, mark)));
    return read_rest(text, meaning, text.substr(mark + 3));
  }
  if (lower(text) == "ddr") {
    upstream u;
    u.text = "ddr";
    u.discovers = true;
    return u;
  }
  if (lower(text).starts_with("sdns:")) return read_scheme(text, "sdns").assume_error();
  return read_rest(text, {}, text);
}

}  // namespace lbresolve::core
