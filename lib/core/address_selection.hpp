// RFC 6724: the default policy table, scopes, and what the destination rules say of one address.
#pragma once

#include <lbresolve/endpoint.hpp>

#include <cstdint>
#include <optional>

namespace lbresolve::core {

/// A row of the policy table (RFC 6724 section 2.1).
struct address_policy {
  std::uint8_t precedence = 0;
  std::uint8_t label = 0;
  friend bool operator==(const address_policy&, const address_policy&) = default;
};

/// The row of the longest matching prefix. IPv4 addresses match as ::ffff:a.b.c.d.
address_policy policy_of(const address& a) noexcept;

/// Scopes with the numbers of multicast scopes, so that they compare (RFC 6724 section 3.1).
inline constexpr std::uint8_t scope_link_local = 0x2;
inline constexpr std::uint8_t scope_site_local = 0x5;
inline constexpr std::uint8_t scope_global = 0xe;

/// The scope of an address; IPv4 as in section 3.2: loopback and 169.254/16 are link-local, private ones are global.
std::uint8_t scope_of(const address& a) noexcept;

/// What the destination rules of RFC 6724 section 6 say of one destination, so that two can be compared as numbers.
/// Rules 3 (deprecated source) and 4 (home address) need what a stub does not know. Rules 9 and 10 are left out: 9
/// pulls everybody to one address and defeats balancing, and 10 is the policy's business.
struct destination_rank {
  bool unroutable = false;      ///< rule 1: there is no source address for it
  bool scope_mismatch = false;  ///< rule 2
  bool label_mismatch = false;  ///< rule 5
  bool encapsulated = false;    ///< rule 7: 6to4 or Teredo at either end
  std::uint8_t precedence = 0;  ///< rule 6: higher is better
  std::uint8_t scope = 0;       ///< rule 8: smaller is better

  /// Rules 1, 2, 5, 6, 7, 8: chooses between families. Lower is better.
  std::uint32_t preference() const noexcept;

  /// The same without rule 6: addresses of one family with one tier are equals, and load may spread over them.
  std::uint32_t tier() const noexcept;
};

destination_rank rank_destination(const address& destination, const std::optional<address>& source) noexcept;

}  // namespace lbresolve::core
