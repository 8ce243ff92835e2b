// An IP address, and an IP address with a port.
#pragma once

#include <lbresolve/export.hpp>

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace lbresolve {

enum class family : std::uint8_t { ipv4, ipv6 };

/// An IPv4 or IPv6 address as a value: 24 bytes, no allocation.
///
/// Thread-safety: a plain value. The bytes stand in network order; an IPv4 address uses the first four.
class address {
 public:
  /// 0.0.0.0
  constexpr address() = default;

  static constexpr address v4(std::array<std::uint8_t, 4> octets) noexcept {
    address a;
    for (std::size_t i = 0; i < octets.size(); ++i) a.bytes_[i] = octets[i];
    return a;
  }

  /// @param scope the interface index of a link-local address (RFC 4007 section 11), 0 for none.
  static constexpr address v6(std::array<std::uint8_t, 16> octets, std::uint32_t scope = 0) noexcept {
    address a;
    a.bytes_ = octets;
    a.scope_ = scope;
    a.family_ = lbresolve::family::ipv6;
    return a;
  }

  /// Reads "192.0.2.1", "2001:db8::1" or "fe80::1%3" (RFC 4291 section 2.2; a scope only as a number).
  /// Gives nothing for anything else: no brackets, no port, no octal, no short forms as "127.1".
  LBRESOLVE_EXPORT static std::optional<address> parse(std::string_view text);

  constexpr lbresolve::family family() const noexcept { return family_; }
  constexpr bool is_v4() const noexcept { return family_ == lbresolve::family::ipv4; }
  constexpr bool is_v6() const noexcept { return family_ == lbresolve::family::ipv6; }
  constexpr std::uint32_t scope() const noexcept { return scope_; }

  /// The 4 or 16 octets. The view lives as long as this address.
  constexpr std::span<const std::uint8_t> bytes() const noexcept { return std::span(bytes_).first(is_v4() ? 4 : 16); }

  /// The canonical text (RFC 5952), with "%scope" where there is one.
  LBRESOLVE_EXPORT std::string to_string() const;

  friend constexpr auto operator<=>(const address&, const address&) noexcept = default;

 private:
  std::array<std::uint8_t, 16> bytes_{};
  std::uint32_t scope_ = 0;
  lbresolve::family family_ = lbresolve::family::ipv4;
};

/// An address and a port: what a socket connects to.
struct endpoint {
  lbresolve::address address;
  std::uint16_t port = 0;

  /// "192.0.2.1:443" or "[2001:db8::1]:443".
  LBRESOLVE_EXPORT std::string to_string() const;

  friend constexpr auto operator<=>(const endpoint&, const endpoint&) noexcept = default;
};

}  // namespace lbresolve

template <>
struct std::hash<lbresolve::address> {
  LBRESOLVE_EXPORT std::size_t operator()(const lbresolve::address& a) const noexcept;
};

template <>
struct std::hash<lbresolve::endpoint> {
  LBRESOLVE_EXPORT std::size_t operator()(const lbresolve::endpoint& e) const noexcept;
};
