// Names as they stand in a message: compressed, and not to be trusted (RFC 1035 section 4.1.4).
#pragma once

#include "core/wire_result.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace lbresolve::core {

inline constexpr std::size_t header_size = 12;
inline constexpr std::size_t max_name_wire = 255;  // RFC 1035 section 2.3.4
/// As many as a name can have labels: nobody who compresses to save octets needs more pointers than labels.
inline constexpr std::size_t max_pointers = 127;

constexpr std::uint16_t load_u16(const std::uint8_t* p) noexcept {
  return static_cast<std::uint16_t>(unsigned{p[0]} << 8 | p[1]);
}

constexpr std::uint32_t load_u32(const std::uint8_t* p) noexcept {
  return std::uint32_t{load_u16(p)} << 16 | load_u16(p + 2);
}

/// Steps through the labels of one compressed name. Ends for every input: each pointer must lead below the lowest octet
/// that the name has touched so far (so no loop closes, RFC 9267 section 2), and labels add up to 255 octets at most.
class name_walk {
 public:
  enum class step : std::uint8_t { label, end, error };

  name_walk(std::span<const std::uint8_t> message, std::size_t offset) noexcept
      : data_(message.data()), size_(message.size()), at_(offset), lowest_(offset) {}

  /// Moves to the next label. After `error` or `end`, not to be called again.
  step next() noexcept {
    for (;;) {
      if (at_ >= size_) return fail(wire_error::truncated);
      const std::uint8_t octet = data_[at_];
      if (octet < 0x40) return octet == 0 ? finish() : take_label(octet);
      if (octet < 0xC0) return fail(wire_error::bad_label);
      if (!follow(octet)) return step::error;
    }
  }

  /// The label that next() gave: its length octet, then its text.
  std::span<const std::uint8_t> label() const noexcept { return {data_ + label_, at_ - label_}; }

  wire_error error() const noexcept { return error_; }
  /// Pointers followed so far.
  std::size_t pointers() const noexcept { return pointers_; }
  /// Octets of the whole name when decompressed; valid after `end`.
  std::size_t length() const noexcept { return length_; }
  /// Where the octets that follow the name in the message begin; valid after `end`.
  std::size_t resume() const noexcept { return resume_; }

 private:
  step fail(wire_error e) noexcept {
    error_ = e;
    return step::error;
  }

  step finish() noexcept {
    ++length_;
    if (resume_ == 0) resume_ = at_ + 1;
    return step::end;
  }

  step take_label(std::uint8_t length) noexcept {
    length_ += length + std::size_t{1};
    if (length_ >= max_name_wire) return fail(wire_error::name_too_long);  // the root's zero is still to come
    if (size_ - at_ <= length) return fail(wire_error::truncated);
    label_ = at_;
    at_ += length + std::size_t{1};
    return step::label;
  }

  bool follow(std::uint8_t high) noexcept {
    if (size_ - at_ < 2) {
      error_ = wire_error::truncated;
      return false;
    }
    const std::size_t target = (high & 0x3FU) << 8 | data_[at_ + 1];
    if (resume_ == 0) resume_ = at_ + 2;
    if (target >= lowest_ || target < header_size || ++pointers_ > max_pointers) {
      error_ = wire_error::bad_pointer;
      return false;
    }
    at_ = lowest_ = target;
    return true;
  }

  const std::uint8_t* data_;
  std::size_t size_;
  std::size_t at_;
  std::size_t lowest_;
  std::size_t label_ = 0;
  std::size_t length_ = 0;
  std::size_t resume_ = 0;  ///< 0: no pointer met yet
  std::size_t pointers_ = 0;
  wire_error error_ = wire_error::truncated;
};

/// A decompressed name without an allocation.
struct wire_name {
  std::array<std::uint8_t, max_name_wire> octets;
  std::size_t length;

  std::span<const std::uint8_t> view() const noexcept { return std::span(octets).first(length); }
};

/// Decompresses the name at `offset` into `out`; false where no name can be read.
bool expand_name(std::span<const std::uint8_t> message, std::size_t offset, wire_name& out) noexcept;

/// Whether the name at `offset` is `wire`, an uncompressed one, ASCII case aside.
bool wire_name_equals(std::span<const std::uint8_t> message, std::size_t offset,
                      std::span<const std::uint8_t> wire) noexcept;

}  // namespace lbresolve::core
