// Where the records of a message are, in a list that allocates only when there are many.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace lbresolve::core {

enum class section : std::uint8_t { answer, authority, additional };

/// One record: where it is in the message. Without default values on purpose: an index that is cleared before it is
/// filled costs more than the filling.
struct record {
  std::uint16_t owner;  ///< offset of the owner name
  std::uint16_t type;
  std::uint16_t klass;
  std::uint16_t rdata_offset;
  std::uint16_t rdata_length;
  core::section in;
  std::uint8_t owner_length;  ///< octets of the owner name once decompressed, its root's zero included
  std::uint32_t ttl;          ///< seconds; with the top bit set it reads as 0 (RFC 2181 section 8)
};

/// The records of one message, in the order sent. The first `inline_capacity` need no allocation.
class record_list {
 public:
  static constexpr std::size_t inline_capacity = 24;

  record_list() noexcept {}  // leaves inline_ as it is: see record
  ~record_list() = default;
  record_list(const record_list& other) : more_(other.more_) { copy_inline(other); }
  record_list(record_list&& other) noexcept : more_(std::move(other.more_)) {
    copy_inline(other);
    other.size_ = 0;
  }
  record_list& operator=(const record_list& other) {
    more_ = other.more_;
    copy_inline(other);
    return *this;
  }
  record_list& operator=(record_list&& other) noexcept {
    more_ = std::move(other.more_);
    copy_inline(other);
    other.size_ = 0;
    return *this;
  }

  void push_back(const record& r) {
    if (size_ < inline_capacity) {
      inline_[size_] = r;
    } else {
      if (size_ == inline_capacity) more_.assign(inline_.begin(), inline_.end());
      more_.push_back(r);
    }
    ++size_;
  }

  std::span<const record> all() const noexcept {
    if (size_ > inline_capacity) return more_;
    return std::span(inline_).first(size_);
  }

 private:
  void copy_inline(const record_list& other) noexcept {
    size_ = other.size_;
    std::copy_n(other.inline_.begin(), std::min(size_, inline_capacity), inline_.begin());
  }

  std::size_t size_ = 0;
  std::array<record, inline_capacity> inline_;
  std::vector<record> more_;  ///< all of them, once there are more than inline_capacity
};

}  // namespace lbresolve::core
