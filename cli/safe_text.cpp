#include "cli/safe_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cwchar>
#include <iterator>

namespace lbresolve::cli {
namespace {

struct decoded {
  char32_t character = 0;
  std::size_t octets = 0;  // 0: not well-formed UTF-8
};

/// RFC 3629 section 4: no overlong forms, no surrogates, nothing past U+10FFFF.
decoded decode(std::string_view text) {
  const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = octet(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < size) return {};
  auto character = static_cast<char32_t>(lead & (0x7F >> size));
  for (std::size_t i = 1; i < size; ++i) {
    if ((octet(i) & 0xC0) != 0x80) return {};
    character = (character << 6) | (octet(i) & 0x3Fu);
  }
  constexpr char32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = character >= 0xD800 && character <= 0xDFFF;
  if (character < least[size] || character > 0x10FFFF || surrogate) return {};
  return {character, size};
}

/// Characters without a cell of their own hide or reorder their neighbours: bidi overrides, zero-width and combining
/// characters, tags. wcwidth() gives 0 or -1 for them, and -1 for control characters.
int cells_of(char32_t character) {
  if (character < 0x80) return character >= 0x20 && character != 0x7F ? 1 : -1;
  if (character == 0xAD) return -1;  // the soft hyphen has a width for glibc, and none on many terminals
  return wcwidth(static_cast<wchar_t>(character));
}

}  // namespace

std::string safe_text(std::string_view foreign, bool utf8) {
  std::string out;
  while (!foreign.empty()) {
    const decoded next = decode(foreign);
    const std::size_t octets = std::max<std::size_t>(next.octets, 1);
    if (next.octets == 0 || next.character < 0x20 || next.character == 0x7F) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(foreign.front()));
    } else if (cells_of(next.character) < 1 || (!utf8 && next.character > 0x7E)) {
      fmt::format_to(std::back_inserter(out), "\\u{{{:x}}}", static_cast<std::uint32_t>(next.character));
    } else {
      out += foreign.substr(0, octets);
    }
    foreign.remove_prefix(octets);
  }
  return out;
}

std::size_t display_width(std::string_view safe) {
  std::size_t cells = 0;
  while (!safe.empty()) {
    const decoded next = decode(safe);
    cells += static_cast<std::size_t>(std::max(cells_of(next.character), 1));
    safe.remove_prefix(std::max<std::size_t>(next.octets, 1));
  }
  return cells;
}

std::size_t fitting_prefix(std::string_view safe, std::size_t cells) {
  std::size_t at = 0;
  for (std::size_t used = 0; at < safe.size();) {
    const decoded next = decode(safe.substr(at));
    used += static_cast<std::size_t>(std::max(cells_of(next.character), 1));
    if (used > cells && at > 0) break;
    at += std::max<std::size_t>(next.octets, 1);
  }
  return at;
}

}  // namespace lbresolve::cli
