#include "core/name.hpp"

#include "core/ascii.hpp"

#include <algorithm>
#include <utility>

namespace lbresolve::core {
namespace {

constexpr std::size_t max_wire = 255;  // RFC 1035 section 2.3.4
constexpr std::size_t max_label = 63;

/// The octet that the escape at `text[i]` stands for; `i` moves past it (RFC 1035 section 5.1).
wire_result<char> read_escape(std::string_view text, std::size_t& i) {
  ++i;  // the backslash
  if (i >= text.size()) return wire_error::bad_escape;
  if (!ascii_is_digit(text[i])) return text[i++];
  if (text.size() - i < 3 || !ascii_is_digit(text[i + 1]) || !ascii_is_digit(text[i + 2]))
    return wire_error::bad_escape;
  const int value = (text[i] - '0') * 100 + (text[i + 1] - '0') * 10 + (text[i + 2] - '0');
  if (value > 255) return wire_error::bad_escape;
  i += 3;
  return static_cast<char>(static_cast<unsigned char>(value));
}

std::size_t label_length(const std::string& wire, std::size_t at) noexcept {
  return static_cast<unsigned char>(wire[at]);
}

void append_octet(std::string& text, char octet) {
  const auto value = static_cast<unsigned char>(octet);
  if (octet == '.' || octet == '\\') {
    text += '\\';
    text += octet;
  } else if (value > 0x20 && value < 0x7F) {
    text += octet;
  } else {  // a blank or what a terminal might obey
    text += '\\';
    text += static_cast<char>('0' + value / 100);
    text += static_cast<char>('0' + value / 10 % 10);
    text += static_cast<char>('0' + value % 10);
  }
}

}  // namespace

wire_result<name> name::from_text(std::string_view text) {
  if (text == ".") return name();
  if (text.empty()) return wire_error::empty_label;
  std::string wire;
  wire.reserve(std::min(text.size() + 2, max_wire + 1));
  wire += '\0';
  std::size_t label = 0;  // where the length of the open label stands
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == '.') {
      if (wire.size() == label + 1) return wire_error::empty_label;
      label = wire.size();
      wire += '\0';
      ++i;
      continue;
    }
    char octet = text[i];
    if (octet == '\\') {
      LBRESOLVE_TRY(escaped, read_escape(text, i));
      octet = escaped;
    } else {
      ++i;
    }
    if (wire.size() - label > max_label) return wire_error::bad_label;
    wire += octet;
    wire[label] = static_cast<char>(wire.size() - label - 1);
    if (wire.size() > max_wire) return wire_error::name_too_long;
  }
  if (wire.size() > label + 1) wire += '\0';
  if (wire.size() > max_wire) return wire_error::name_too_long;
  return name(std::move(wire));
}

wire_result<name> name::from_wire(std::span<const std::uint8_t> octets) {
  std::size_t at = 0;
  for (;;) {
    if (at >= octets.size()) return wire_error::truncated;
    const std::size_t length = octets[at];
    if (length > max_label) return length >= 0xC0 ? wire_error::bad_pointer : wire_error::bad_label;
    at += length + 1;
    if (at > max_wire) return wire_error::name_too_long;
    if (length == 0) break;
  }
  if (at != octets.size()) return wire_error::trailing_bytes;
  return name(std::string(reinterpret_cast<const char*>(octets.data()), octets.size()));
}

std::string name::to_text() const {
  if (wire_.size() <= 1) return ".";
  std::string text;
  text.reserve(wire_.size());
  for (std::size_t at = 0; label_length(wire_, at) != 0;) {
    if (at != 0) text += '.';
    const std::size_t end = at + 1 + label_length(wire_, at);
    for (++at; at < end; ++at) append_octet(text, wire_[at]);
  }
  return text;
}

std::span<const std::uint8_t> name::wire() const noexcept {
  // std::string keeps short names without an allocation, and char may alias anything.
  return {reinterpret_cast<const std::uint8_t*>(wire_.data()), wire_.size()};
}

std::size_t name::label_count() const noexcept {
  std::size_t count = 0;
  for (std::size_t at = 0; at < wire_.size() && label_length(wire_, at) != 0; at += label_length(wire_, at) + 1)
    ++count;
  return count;
}

bool name::is_within(const name& ancestor) const noexcept {
  std::size_t at = 0;
  while (wire_.size() - at > ancestor.wire_.size()) at += label_length(wire_, at) + 1;
  const std::size_t rest = wire_.size() - at;
  return rest == ancestor.wire_.size() && ascii_equal(wire_.data() + at, ancestor.wire_.data(), rest);
}

wire_result<name> name::append(const name& suffix) const {
  if (wire_.size() - 1 + suffix.wire_.size() > max_wire) return wire_error::name_too_long;
  std::string wire;
  wire.reserve(wire_.size() - 1 + suffix.wire_.size());
  wire.append(wire_, 0, wire_.size() - 1).append(suffix.wire_);
  return name(std::move(wire));
}

name name::parent() const {
  if (wire_.size() <= 1) return {};
  return name(wire_.substr(label_length(wire_, 0) + 1));
}

bool operator==(const name& a, const name& b) noexcept {
  return a.wire_.size() == b.wire_.size() && ascii_equal(a.wire_.data(), b.wire_.data(), a.wire_.size());
}

std::size_t name::hash() const noexcept {
  // Multiply and fold: each step carries the high half down, where the next multiplication spreads it again.
  constexpr std::uint64_t spread = 0x9E3779B97F4A7C15U;
  const char* at = wire_.data();
  std::size_t left = wire_.size();
  std::uint64_t h = left * spread;
  const auto mix = [&h](std::uint64_t word) {
    h = (h ^ ascii_lower(word)) * spread;
    h ^= h >> 32;
  };
  for (; left >= 8; left -= 8, at += 8) mix(load_8(at));
  mix(load_tail(at, left));
  h *= 0xD6E8FEB86659FD93U;
  return static_cast<std::size_t>(h ^ (h >> 32));
}

}  // namespace lbresolve::core
