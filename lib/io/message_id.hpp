// The ID of a DNS message in its first two octets (RFC 1035 section 4.1.1).
#pragma once

#include <cstdint>
#include <span>

namespace lbresolve::io {

/// Of a message of at least two octets, as both functions want it.
inline std::uint16_t id_of(std::span<const std::uint8_t> message) noexcept {
  return static_cast<std::uint16_t>(message[0] << 8 | message[1]);
}

inline void set_id(std::span<std::uint8_t> message, std::uint16_t id) noexcept {
  message[0] = static_cast<std::uint8_t>(id >> 8);
  message[1] = static_cast<std::uint8_t>(id & 0xFF);
}

}  // namespace lbresolve::io
