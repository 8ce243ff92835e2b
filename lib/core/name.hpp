// A domain name as an owned value, in wire form.
#pragma once

#include "core/wire_result.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace lbresolve::core {

/// A domain name (RFC 1035 section 3.1): labels of at most 63 octets, at most 255 octets with the root's zero.
/// Keeps the case it was made with; compares and hashes without it (RFC 4343: ASCII only).
class name {
 public:
  /// The root.
  name() : wire_(1, '\0') {}

  /// Reads presentation form (RFC 1035 section 5.1: "\." and "\065"), with or without a trailing dot.
  static wire_result<name> from_text(std::string_view text);

  /// Takes an uncompressed wire name that fills `octets` exactly.
  static wire_result<name> from_wire(std::span<const std::uint8_t> octets);

  /// Presentation form without the trailing dot; the root is ".". Octets outside printable ASCII become "\DDD", so the
  /// result is safe to print.
  std::string to_text() const;

  /// The labels with their lengths, ending in the root's zero. Lives as long as the name.
  std::span<const std::uint8_t> wire() const noexcept;

  bool is_root() const noexcept { return wire_.size() == 1; }

  /// Labels without the root: 2 for "example.com".
  std::size_t label_count() const noexcept;

  /// True for the name itself and for everything below `ancestor`.
  bool is_within(const name& ancestor) const noexcept;

  /// This name, then `suffix`: for search lists. Fails with name_too_long.
  wire_result<name> append(const name& suffix) const;

  /// The same name without its first label; the root stays the root.
  name parent() const;

  friend bool operator==(const name& a, const name& b) noexcept;

  /// Case-insensitive.
  std::size_t hash() const noexcept;

 private:
  explicit name(std::string wire) noexcept : wire_(std::move(wire)) {}

  std::string wire_;
};

}  // namespace lbresolve::core

template <>
struct std::hash<lbresolve::core::name> {
  std::size_t operator()(const lbresolve::core::name& n) const noexcept { return n.hash(); }
};
