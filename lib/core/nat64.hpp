// IPv4 addresses as IPv6 addresses, for hosts that have only IPv6 behind a translator (RFC 6052, RFC 8305 section 7).
#pragma once

#include <lbresolve/endpoint.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

namespace lbresolve::core {

/// The prefix of a NAT64 (RFC 6052 section 2.2): 32, 40, 48, 56, 64 or 96 bits long.
class nat64_prefix {
 public:
  /// Reads "64:ff9b::/96". Nothing for another length, for bits set behind the prefix, or where bits 64 to 71, which
  /// have to be zero, are not.
  static std::optional<nat64_prefix> parse(std::string_view text);

  /// The address under which the translator forwards to `v4`. Nothing for what it has no business with: 127.0.0.0/8,
  /// 0.0.0.0/8 and 169.254.0.0/16 mean something only on the host or the link itself, and an IPv6 address.
  std::optional<address> synthesise(const address& v4) const;

  /// The IPv4 address inside `v6`; nothing where the prefix is another one. What follows it is not looked at.
  std::optional<address> extract(const address& v6) const;

  friend bool operator==(const nat64_prefix&, const nat64_prefix&) = default;

 private:
  std::array<std::uint8_t, 16> octets_{};
  std::size_t size_ = 12;  ///< of the prefix, in octets
};

/// What to connect to instead of `to`: where `to` is IPv4, this host has no route to it, and it has one to its
/// translation.
std::optional<address> translated(const std::optional<nat64_prefix>& by, const address& to,
                                  const std::function<std::optional<address>(const address&)>& source_of);

}  // namespace lbresolve::core
