#include "core/private_address.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace lbresolve::core {
namespace {

using octets = std::span<const std::uint8_t>;

struct network {
  std::array<std::uint8_t, 16> prefix;
  unsigned bits;
  const char* kind;
};

// Of the IANA special-purpose registries (RFC 6890), what can be connected to and lies near: documentation,
// benchmarking and multicast ranges lead nowhere.
constexpr network v4_networks[] = {
    {{0}, 8, "this network, RFC 1122"},
    {{10}, 8, "private, RFC 1918"},
    {{100, 64}, 10, "shared by a carrier's customers, RFC 6598"},
    {{127}, 8, "loopback, RFC 1122"},
    {{169, 254}, 16, "link-local, RFC 3927"},
    {{172, 16}, 12, "private, RFC 1918"},
    {{192, 0, 0}, 24, "of a transition protocol, RFC 6890"},
    {{192, 168}, 16, "private, RFC 1918"},
    {{255, 255, 255, 255}, 32, "broadcast, RFC 919"},
};

constexpr network v6_networks[] = {
    {{}, 128, "unspecified, RFC 4291"},
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128, "loopback, RFC 4291"},
    {{0, 0x64, 0xff, 0x9b, 0, 1}, 48, "local NAT64, RFC 8215"},
    {{0xfc}, 7, "unique local, RFC 4193"},
    {{0xfe, 0x80}, 10, "link-local, RFC 4291"},
    {{0xfe, 0xc0}, 10, "site-local, RFC 3879"},
};

bool is_within(octets a, const network& n) noexcept {
  const std::size_t whole = n.bits / 8;
  if (!std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(whole), n.prefix.begin())) return false;
  const unsigned rest = n.bits % 8;
  return rest == 0 || ((a[whole] ^ n.prefix[whole]) >> (8 - rest)) == 0;
}

template <std::size_t N>
const char* kind_in(octets a, const network (&networks)[N]) noexcept {
  const auto* found =
      std::find_if(std::begin(networks), std::end(networks), [&](const network& n) { return is_within(a, n); });
  return found == std::end(networks) ? nullptr : found->kind;
}

/// Where an IPv4 address lies behind a prefix of IPv6.
struct embedding {
  std::array<std::uint8_t, 16> prefix;
  std::size_t at;
  unsigned bits;
  bool inverted;
};

constexpr embedding embeddings[] = {
    {{}, 12, 96, false},                                          // ::a.b.c.d
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 12, 96, false},  // ::ffff:a.b.c.d
    {{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 12, 96, false},        // ::ffff:0:a.b.c.d
    {{0, 0x64, 0xff, 0x9b}, 12, 96, false},                       // 64:ff9b::a.b.c.d
    {{0x20, 0x02}, 2, 16, false},                                 // 6to4: the router
    {{0x20, 0x01, 0, 0}, 4, 32, false},                           // Teredo: the server
    {{0x20, 0x01, 0, 0}, 12, 32, true},                           // Teredo: the client
};

const char* kind_of_v4(octets a) noexcept { return kind_in(a, v4_networks); }

/// RFC 5214 section 6.1: the interface identifier is 0000:5efe or 0200:5efe and the address.
bool is_isatap(octets a) noexcept { return (a[8] & 0xFDU) == 0 && a[9] == 0 && a[10] == 0x5e && a[11] == 0xfe; }

const char* kind_of_v6(octets a) noexcept {
  if (const char* kind = kind_in(a, v6_networks)) return kind;
  for (const embedding& e : embeddings) {
    if (!is_within(a, {e.prefix, e.bits, nullptr})) continue;
    std::array<std::uint8_t, 4> inside{};
    for (std::size_t i = 0; i < inside.size(); ++i)
      inside[i] = static_cast<std::uint8_t>(a[e.at + i] ^ (e.inverted ? 0xFFU : 0U));
    if (const char* kind = kind_of_v4(inside)) return kind;
  }
  return is_isatap(a) ? kind_of_v4(a.subspan(12)) : nullptr;
}

}  // namespace

const char* private_kind(const address& a, const std::optional<nat64_prefix>& nat64) noexcept {
  if (a.is_v4()) return kind_of_v4(a.bytes());
  if (const auto inside = nat64 ? nat64->extract(a) : std::nullopt) return kind_of_v4(inside->bytes());
  return kind_of_v6(a.bytes());
}

}  // namespace lbresolve::core
