#include "core/spki_pin.hpp"

#include <cstddef>
#include <cstdint>

namespace lbresolve::core {
namespace {

constexpr std::string_view digest_prefixes[] = {"sha256-", "sha256//", "sha256/"};

/// Six bits, or -1.
constexpr int value_of(char c) noexcept {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+' || c == '-') return 62;
  return c == '/' || c == '_' ? 63 : -1;
}

}  // namespace

std::optional<spki_pin> parse_spki_pin(std::string_view text) noexcept {
  std::string_view digits;
  for (const std::string_view prefix : digest_prefixes) {
    if (!digits.empty() || !text.starts_with(prefix)) continue;
    digits = text.substr(prefix.size());
  }
  if (digits.size() == 44 && digits.back() == '=') digits.remove_suffix(1);
  if (digits.size() != 43) return std::nullopt;  // 256 bits, six at a time
  spki_pin pin{};
  std::size_t written = 0;
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (const char c : digits) {
    const int value = value_of(c);
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    pin[written++] = static_cast<std::uint8_t>(bits >> held & 0xFF);
  }
  // RFC 4648 section 3.5: what is left over has to be zero, so that one pin has one text.
  if ((bits & ((1U << held) - 1)) != 0) return std::nullopt;
  return pin;
}

}  // namespace lbresolve::core
