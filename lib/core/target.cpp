#include "core/target.hpp"

#include "core/ascii.hpp"
#include "core/quoted.hpp"
#include "core/special_names.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <utility>

namespace lbresolve::core {
namespace {

constexpr std::uint16_t https_port = 443;
constexpr std::size_t max_label = 63;

/// The text under work, for sentences that begin with it.
struct reader {
  std::string_view text;
  bool port_required = false;  ///< or could follow: an IPv6 address needs its brackets

  error invalid(const std::string& why) const {
    return error(make_error_code(errc::invalid_target), "target " + quoted(text) + ": " + why);
  }
};

/// Host and port, apart. `literal` where the host stood in brackets or is an IPv6 address without them.
struct parts {
  std::string_view host;
  std::optional<std::string_view> port;
  std::optional<address> literal;
};

bool is_host_character(char c) noexcept {
  return ascii_is_letter(c) || ascii_is_digit(c) || c == '-' || c == '_' || c == '.';
}

bool equals_ignoring_case(std::string_view a, std::string_view lower_case) noexcept {
  return std::equal(a.begin(), a.end(), lower_case.begin(), lower_case.end(), [](char x, char y) {
    return (x >= 'A' && x <= 'Z' ? static_cast<char>(x + ('a' - 'A')) : x) == y;
  });
}

/// Takes "https://" off and what may follow its authority; any other scheme is an error.
result<bool> take_scheme(const reader& in, std::string_view& rest) {
  const std::size_t mark = rest.find("://");
  if (mark == std::string_view::npos) return false;
  const std::string_view scheme = rest.substr(0, mark);
  if (!equals_ignoring_case(scheme, "https")) {
    return in.invalid("the scheme " + quoted(scheme) + R"( is not known; write "host:port" or "https://host")");
  }
  rest.remove_prefix(mark + 3);
  if (rest.ends_with('/')) rest.remove_suffix(1);  // RFC 3986 section 6.2.3: the same as an empty path
  if (rest.find_first_of("/?#") != std::string_view::npos) {
    return in.invalid(R"(a path or query has no place here; write only "https://host" or "https://host:port")");
  }
  return true;
}

/// Octets that are wrong wherever they stand.
std::optional<error> find_bad_octet(const reader& in, std::string_view rest) {
  const bool ascii = std::all_of(rest.begin(), rest.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (!ascii) {
    return in.invalid("the host has letters outside ASCII; give the name in its xn-- form (IDNA, RFC 5890)");
  }
  if (rest.find(' ') != std::string_view::npos) return in.invalid("it has a space in it; leave the space out");
  const bool printable = std::all_of(rest.begin(), rest.end(), [](char c) { return c > 0x20 && c < 0x7F; });
  if (!printable) return in.invalid("it has a control character in it; leave that out");
  if (rest.find('@') != std::string_view::npos) {
    return in.invalid("a user name (\"user@\") has no place here; write only the host and the port");
  }
  return std::nullopt;
}

result<parts> split_bracketed(const reader& in, std::string_view rest) {
  const std::size_t close = rest.find(']');
  if (close == std::string_view::npos) return in.invalid(R"(the "[" is never closed; write "[2001:db8::1]:443")");
  const std::string_view inside = rest.substr(1, close - 1);
  const std::string_view after = rest.substr(close + 1);
  const auto literal = address::parse(inside);
  if (!literal || !literal->is_v6()) {
    return in.invalid(quoted(inside) + " in brackets is not an IPv6 address" +
                      (inside.find('%') != std::string_view::npos ? "; a scope is written as a number, as in %3" : ""));
  }
  if (after.empty()) return parts{inside, {}, literal};
  if (after.front() != ':') return in.invalid(R"(after "]" only ":port" may follow, not )" + quoted(after));
  return parts{inside, after.substr(1), literal};
}

result<parts> split_host_and_port(const reader& in, std::string_view rest) {
  if (rest.starts_with('[')) return split_bracketed(in, rest);
  const std::size_t colon = rest.find(':');
  if (colon == std::string_view::npos) return parts{rest, {}, address::parse(rest)};
  if (rest.find(':', colon + 1) == std::string_view::npos) {
    const std::string_view host = rest.substr(0, colon);
    return parts{host, rest.substr(colon + 1), address::parse(host)};
  }
  const auto literal = address::parse(rest);
  if (literal && !in.port_required) return parts{rest, {}, literal};
  const std::size_t last = rest.rfind(':');
  if (literal) {
    return in.invalid("an IPv6 address and a port cannot be told apart here; write \"[address]:port\"");
  }
  if (const auto before = address::parse(rest.substr(0, last)); before && before->is_v6()) {
    return in.invalid("an IPv6 address with a port needs brackets; write \"[" + before->to_string() + "]" +
                      (rest.find_first_not_of("0123456789", last + 1) == std::string_view::npos
                           ? std::string(rest.substr(last))
                           : ":port") +
                      "\"");
  }
  if (rest.find('%') != std::string_view::npos) {
    return in.invalid("a scope is written as a number, as in \"[fe80::1%3]:443\"");
  }
  return in.invalid("it has more than one colon and is not an IPv6 address; write \"host:port\"");
}

result<std::uint16_t> read_port(const reader& in, std::string_view port) {
  if (port.empty()) return in.invalid("the port after the colon is missing; write a number, as \":443\"");
  if (port.find_first_not_of("0123456789") != std::string_view::npos) {
    return in.invalid("the port " + quoted(port) + " is not a number; write a number, as \":443\"");
  }
  std::uint32_t value = 0;
  const auto [end, bad] = std::from_chars(port.data(), port.data() + port.size(), value);
  if (bad != std::errc{} || end != port.data() + port.size() || value == 0 || value > 65'535) {
    return in.invalid("the port " + quoted(port) + " is out of range; it is a number from 1 to 65535");
  }
  return static_cast<std::uint16_t>(value);
}

/// What is wrong with `host` as a name, if anything.
std::optional<error> find_bad_host(const reader& in, std::string_view host) {
  if (host.empty()) return in.invalid("the host is empty; write \"host:port\"");
  const auto bad = std::find_if_not(host.begin(), host.end(), is_host_character);
  if (bad != host.end()) {
    return in.invalid("the host has the character " + quoted(std::string_view(&*bad, 1)) +
                      R"( in it; a host name has letters, digits, "-", "_" and dots)");
  }
  if (host.front() == '.' || host.find("..") != std::string_view::npos) {
    return in.invalid("a part of the host between two dots is empty; write it without the extra dot");
  }
  for (std::size_t from = 0; from < host.size();) {
    const std::size_t to = std::min(host.find('.', from), host.size());
    if (to - from > max_label) {
      return in.invalid("the part " + quoted(host.substr(from, to - from)) + " of the host is longer than 63 octets");
    }
    from = to + 1;
  }
  if (ends_in_number(host)) {
    return in.invalid(
        "the host " + quoted(host) +
        " ends in a number and is not an IPv4 address; write all four parts in decimal, as \"192.0.2.1\"");
  }
  return std::nullopt;
}

/// RFC 2782: "_Service._Proto.Name". Protocols other than these two have no sockets here.
bool is_service_name(std::string_view host) noexcept {
  const std::size_t dot = host.find('.');
  if (!host.starts_with('_') || dot == std::string_view::npos) return false;
  const std::string_view protocol = host.substr(dot + 1, host.find('.', dot + 1) - dot - 1);
  return equals_ignoring_case(protocol, "_tcp") || equals_ignoring_case(protocol, "_udp");
}

std::optional<error> read_name(const reader& in, std::string_view host, target& out) {
  if (auto bad = find_bad_host(in, host)) return bad;
  const auto name = core::name::from_text(host);
  if (!name) return in.invalid(std::string("the host cannot be a name: ") + to_string(name.assume_error()));
  out.name = name.assume_value();
  out.absolute = host.ends_with('.');
  out.service = is_service_name(host);
  out.host = host.substr(0, host.size() - (out.absolute ? 1 : 0));
  return std::nullopt;
}

}  // namespace

result<target> parse_target(std::string_view text, bool port_required) {
  const reader in{text, port_required};
  if (text.empty()) return in.invalid("it is empty; write \"host:port\"");
  target out;
  out.text = text;
  std::string_view rest = text;
  if (auto bad = find_bad_octet(in, rest)) return std::move(*bad);
  LBRESOLVE_TRY(https, take_scheme(in, rest));
  out.https = https;
  if (!https && rest.find('/') != std::string_view::npos) {
    return in.invalid(R"(a "/" has no place here; write "host:port" or "https://host")");
  }
  // In a URL an IPv6 address always has brackets (RFC 3986 section 3.2.2).
  const reader authority{text, port_required || https};
  LBRESOLVE_TRY(found, split_host_and_port(authority, rest));
  out.literal = found.literal;
  if (found.literal) {
    out.host = found.host;
  } else if (auto bad = read_name(in, found.host, out)) {
    return std::move(*bad);
  }
  if (out.service && https) return in.invalid("a service (_service._protocol) is no URL; leave \"https://\" out");
  if (out.service && found.port) return in.invalid("the port is in the SRV record; leave it out");
  if (found.port) {
    LBRESOLVE_TRY(port, read_port(in, *found.port));
    out.port = port;
  } else if (https) {
    out.port = https_port;
  } else if (port_required && !out.service) {
    const bool v6 = out.literal && out.literal->is_v6();
    return in.invalid("the port is missing; write \"" + (v6 ? "[" + out.host + "]" : out.host) + ":port\"");
  }
  return out;
}

}  // namespace lbresolve::core
