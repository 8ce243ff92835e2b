// What tells one network from another, and the number that stands for it.
#pragma once

#include <lbresolve/endpoint.hpp>

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lbresolve::core {

/// A prefix that an interface has an address in. Not the address: privacy addresses (RFC 8981) come and go while the
/// network stays the same.
struct network_prefix {
  std::string interface;
  address network;  ///< bits after `length` are zero
  std::uint8_t length = 0;

  friend auto operator<=>(const network_prefix&, const network_prefix&) = default;
};

struct default_route {
  std::string interface;
  lbresolve::family family{};
  std::optional<address> gateway;  ///< none on a point-to-point link

  friend auto operator<=>(const default_route&, const default_route&) = default;
};

/// In any order, with repetitions.
struct network_facts {
  std::vector<network_prefix> prefixes;
  std::vector<default_route> routes;
};

/// The first `length` bits of `a`, zeros after them, no scope. A longer length than the family has keeps all.
address masked(const address& a, std::uint8_t length) noexcept;

/// The same number for the same set of facts, in every process, on every machine: it is kept in files. Never 0, which
/// stands for "unknown". No secret and no protection: whoever makes networks can make two that look alike.
std::uint64_t fingerprint(network_facts facts);

}  // namespace lbresolve::core
