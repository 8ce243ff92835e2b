// ASCII without a locale: what a character is, and lower-casing eight octets at a time (RFC 4343: DNS knows no other
// case).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace lbresolve::core {

constexpr bool ascii_is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool ascii_is_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool ascii_is_hex_digit(char c) noexcept {
  return ascii_is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/// Every octet of `word` that is 'A'..'Z' becomes its lower case, without a branch. No sum crosses into the next octet:
/// both terms are below 0x80.
constexpr std::uint64_t ascii_lower(std::uint64_t word) noexcept {
  constexpr std::uint64_t ones = 0x0101010101010101U;
  const std::uint64_t low_bits = word & (ones * 0x7F);
  const std::uint64_t from_a = low_bits + ones * (0x80 - 'A');
  const std::uint64_t past_z = low_bits + ones * (0x80 - ('Z' + 1));
  const std::uint64_t is_upper = (from_a ^ past_z) & ~word & (ones * 0x80);
  return word | (is_upper >> 2);
}

constexpr std::uint8_t ascii_lower(std::uint8_t octet) noexcept {
  return static_cast<std::uint8_t>(ascii_lower(std::uint64_t{octet}));
}

/// Eight octets from `p`, whose place in the word is the machine's affair.
inline std::uint64_t load_8(const void* p) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, p, sizeof word);
  return word;
}

/// Up to seven octets from `p` in one word: the same word for the same octets and count, whatever the order inside.
/// Overlapping loads, because a copy of unknown length is a call.
inline std::uint64_t load_tail(const void* p, std::size_t count) noexcept {
  const auto* octets = static_cast<const unsigned char*>(p);
  if (count >= 4) {
    std::uint32_t front = 0;
    std::uint32_t back = 0;
    std::memcpy(&front, octets, 4);
    std::memcpy(&back, octets + count - 4, 4);
    return std::uint64_t{front} << 32 | back;
  }
  if (count == 0) return 0;
  return std::uint64_t{octets[0]} << 16 | std::uint64_t{octets[count / 2]} << 8 | octets[count - 1];
}

/// Whether `count` octets are equal, the case of letters aside.
inline bool ascii_equal(const void* left, const void* right, std::size_t count) noexcept {
  const auto* a = static_cast<const unsigned char*>(left);
  const auto* b = static_cast<const unsigned char*>(right);
  for (; count >= 8; count -= 8, a += 8, b += 8) {
    if (ascii_lower(load_8(a)) != ascii_lower(load_8(b))) return false;
  }
  return ascii_lower(load_tail(a, count)) == ascii_lower(load_tail(b, count));
}

}  // namespace lbresolve::core
