#include "core/message.hpp"

#include "core/wire_name.hpp"

#include <utility>

namespace lbresolve::core {

std::uint16_t message::id() const noexcept { return load_u16(bytes_.data()); }
bool message::is_response() const noexcept { return (bytes_[2] & 0x80U) != 0; }
bool message::is_truncated() const noexcept { return (bytes_[2] & 0x02U) != 0; }
bool message::is_authenticated() const noexcept { return (bytes_[3] & 0x20U) != 0; }
std::uint8_t message::opcode() const noexcept { return (bytes_[2] >> 3) & 0x0FU; }

std::uint16_t message::rcode() const noexcept {
  const unsigned high = edns_ ? edns_->extended_rcode : 0U;
  return static_cast<std::uint16_t>(high << 4 | (bytes_[3] & 0x0FU));
}

std::span<const std::uint8_t> message::question_octets() const noexcept {
  if (!has_question()) return {};
  return bytes_.subspan(header_size, question_end_ - header_size);
}

std::span<const std::uint8_t> message::rdata(const record& r) const noexcept {
  return bytes_.subspan(r.rdata_offset, r.rdata_length);
}

name message::name_at(std::size_t offset) const {
  wire_name expanded;
  if (!expand_name(bytes_, offset, expanded)) return {};
  auto owned = name::from_wire(expanded.view());
  if (!owned) return {};
  return std::move(owned).assume_value();
}

bool message::name_equals(std::size_t offset, const name& n) const noexcept {
  return wire_name_equals(bytes_, offset, n.wire());
}

}  // namespace lbresolve::core
