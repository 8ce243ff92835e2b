#include "core/special_names.hpp"

#include "core/ascii.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

namespace lbresolve::core {
namespace {

/// The last two labels before the root; empty where there are none.
struct last_labels {
  std::span<const std::uint8_t> second, top;
};

last_labels end_of(std::span<const std::uint8_t> wire) noexcept {
  last_labels found;
  for (std::size_t at = 0; at < wire.size() && wire[at] != 0; at += std::size_t{wire[at]} + 1) {
    found = {found.top, wire.subspan(at + 1, wire[at])};
  }
  return found;
}

bool equals(std::span<const std::uint8_t> label, std::string_view lower_case) noexcept {
  return std::equal(label.begin(), label.end(), lower_case.begin(), lower_case.end(), [](std::uint8_t a, char b) {
    const bool upper = a >= 'A' && a <= 'Z';
    return static_cast<char>(upper ? a + ('a' - 'A') : a) == b;
  });
}

struct rule {
  std::string_view top;
  special is;
  const char* reason;
};

constexpr std::array rules{
    rule{"localhost", special::localhost, "localhost is always this host (RFC 6761 section 6.3)"},
    rule{"invalid", special::nowhere, ".invalid names never exist (RFC 6761 section 6.4)"},
    rule{"onion", special::nowhere, ".onion names are reached through Tor, never by DNS (RFC 7686)"},
    rule{"alt", special::nowhere, ".alt names are not in the DNS (RFC 9476)"},
    rule{"local", special::local, ".local names belong to multicast DNS (RFC 6762), which is not part of this library"},
};

constexpr special_answer of_the_resolver{
    special::resolver,
    "resolver.arpa names are about the resolver that is asked, and are for its discovery only (RFC 9462 section 6.4)"};

constexpr int noerror = 0;
constexpr int nxdomain = 3;

}  // namespace

special_answer find_special(const name& n) noexcept {
  const last_labels end = end_of(n.wire());
  for (const rule& r : rules) {
    if (equals(end.top, r.top)) return {r.is, r.reason};
  }
  const bool is_resolver = equals(end.top, "arpa") && equals(end.second, "resolver");
  return is_resolver ? of_the_resolver : special_answer{};
}

answer make_answer(const special_answer& found, const question& q) {
  answer a;
  a.canonical = q.name;
  if (found.is == special::resolver) {
    a.is = answer::kind::nodata;
    a.rcode = noerror;
    return a;
  }
  if (found.is != special::localhost) {
    a.is = answer::kind::nxdomain;
    a.rcode = nxdomain;
    return a;
  }
  a.rcode = noerror;
  a.is = answer::kind::positive;
  if (q.type == rr_type::a) {
    a.addresses.push_back(address::v4({127, 0, 0, 1}));
  } else if (q.type == rr_type::aaaa) {
    a.addresses.push_back(address::v6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}));
  } else {
    a.is = answer::kind::nodata;
  }
  return a;
}

bool ends_in_number(std::string_view host) noexcept {
  if (host.ends_with('.')) host.remove_suffix(1);
  std::string_view last = host.substr(host.rfind('.') + 1);  // npos + 1 is 0: the whole host
  if (last.empty()) return false;
  if (std::all_of(last.begin(), last.end(), ascii_is_digit)) return true;
  if (!last.starts_with("0x") && !last.starts_with("0X")) return false;
  last.remove_prefix(2);
  return std::all_of(last.begin(), last.end(), ascii_is_hex_digit);
}

}  // namespace lbresolve::core
