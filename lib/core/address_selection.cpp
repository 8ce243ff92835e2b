#include "core/address_selection.hpp"

#include <array>

namespace lbresolve::core {
namespace {

/// 128 bits as two halves: prefixes compare with two masks instead of a loop over octets.
struct bits128 {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
};

struct policy_row {
  bits128 prefix;
  bits128 mask;
  address_policy policy;
};

constexpr std::uint64_t ones(int count) {
  return count <= 0 ? 0 : count >= 64 ? ~std::uint64_t{0} : ~std::uint64_t{0} << (64 - count);
}

constexpr policy_row row(std::uint64_t high, std::uint64_t low, int length, std::uint8_t precedence,
                         std::uint8_t label) {
  return {{high, low}, {ones(length), ones(length - 64)}, {precedence, label}};
}

/// RFC 6724 section 2.1, longest prefix first, so that the first match is the longest.
constexpr std::array policy_table{
    row(0, 1, 128, 50, 0),                     // ::1/128
    row(0, 0x0000'ffff'0000'0000, 96, 35, 4),  // ::ffff:0:0/96
    row(0, 0, 96, 1, 3),                       // ::/96
    row(0x2001'0000'0000'0000, 0, 32, 5, 5),   // 2001::/32, Teredo
    row(0x2002'0000'0000'0000, 0, 16, 30, 2),  // 2002::/16, 6to4
    row(0x3ffe'0000'0000'0000, 0, 16, 1, 12),  // 3ffe::/16
    row(0xfec0'0000'0000'0000, 0, 10, 1, 11),  // fec0::/10
    row(0xfc00'0000'0000'0000, 0, 7, 3, 13),   // fc00::/7
    row(0, 0, 0, 40, 1),                       // ::/0
};
constexpr address_policy ipv4_policy{35, 4};
constexpr std::uint8_t teredo_label = 5;
constexpr std::uint8_t six_to_four_label = 2;

bits128 to_bits(const address& a) noexcept {
  bits128 out;
  const auto octets = a.bytes();
  for (std::size_t i = 0; i < 8; ++i) out.high = out.high << 8 | octets[i];
  for (std::size_t i = 8; i < 16; ++i) out.low = out.low << 8 | octets[i];
  return out;
}

std::uint8_t scope_of_v4(std::uint8_t first, std::uint8_t second) noexcept {
  return first == 127 || (first == 169 && second == 254) ? scope_link_local : scope_global;
}

bool is_tunnel(const address_policy& p) noexcept { return p.label == teredo_label || p.label == six_to_four_label; }

}  // namespace

address_policy policy_of(const address& a) noexcept {
  if (a.is_v4()) return ipv4_policy;
  const auto bits = to_bits(a);
  for (const auto& r : policy_table) {
    if ((bits.high & r.mask.high) == r.prefix.high && (bits.low & r.mask.low) == r.prefix.low) return r.policy;
  }
  return policy_table.back().policy;
}

std::uint8_t scope_of(const address& a) noexcept {
  const auto octets = a.bytes();
  if (a.is_v4()) return scope_of_v4(octets[0], octets[1]);
  if (octets[0] == 0xff) return octets[1] & 0x0f;  // RFC 4291 section 2.7
  if (octets[0] == 0xfe && (octets[1] & 0xc0) == 0x80) return scope_link_local;
  if (octets[0] == 0xfe && (octets[1] & 0xc0) == 0xc0) return scope_site_local;
  const auto bits = to_bits(a);
  if (bits.high != 0) return scope_global;
  if (bits.low == 1) return scope_link_local;  // the loopback address, RFC 6724 section 3.4
  if (bits.low >> 32 == 0xffff) return scope_of_v4(octets[12], octets[13]);
  return scope_global;
}

std::uint32_t destination_rank::preference() const noexcept {
  return std::uint32_t{unroutable} << 19 | std::uint32_t{scope_mismatch} << 18 | std::uint32_t{label_mismatch} << 17 |
         std::uint32_t{static_cast<std::uint8_t>(0xff - precedence)} << 8 | std::uint32_t{encapsulated} << 7 | scope;
}

std::uint32_t destination_rank::tier() const noexcept {
  return std::uint32_t{unroutable} << 7 | std::uint32_t{scope_mismatch} << 6 | std::uint32_t{label_mismatch} << 5 |
         std::uint32_t{encapsulated} << 4 | scope;
}

destination_rank rank_destination(const address& destination, const std::optional<address>& source) noexcept {
  const auto policy = policy_of(destination);
  destination_rank rank;
  rank.precedence = policy.precedence;
  rank.scope = scope_of(destination);
  rank.encapsulated = is_tunnel(policy);
  if (!source) {
    rank.unroutable = true;
    return rank;
  }
  const auto source_policy = policy_of(*source);
  rank.scope_mismatch = scope_of(*source) != rank.scope;
  rank.label_mismatch = source_policy.label != policy.label;
  rank.encapsulated = rank.encapsulated || is_tunnel(source_policy);
  return rank;
}

}  // namespace lbresolve::core
