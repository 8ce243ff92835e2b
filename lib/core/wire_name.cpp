#include "core/wire_name.hpp"

#include "core/ascii.hpp"

#include <algorithm>

namespace lbresolve::core {

bool expand_name(std::span<const std::uint8_t> message, std::size_t offset, wire_name& out) noexcept {
  name_walk walk(message, offset);
  out.length = 0;
  for (;;) {
    const auto step = walk.next();
    if (step == name_walk::step::error) return false;
    if (step == name_walk::step::end) break;
    const auto label = walk.label();
    std::copy(label.begin(), label.end(), out.octets.begin() + static_cast<std::ptrdiff_t>(out.length));
    out.length += label.size();
  }
  out.octets[out.length++] = 0;
  return true;
}

bool wire_name_equals(std::span<const std::uint8_t> message, std::size_t offset,
                      std::span<const std::uint8_t> wire) noexcept {
  name_walk walk(message, offset);
  for (;;) {
    const auto step = walk.next();
    if (step == name_walk::step::error) return false;
    if (step == name_walk::step::end) return wire.size() == 1;
    const auto label = walk.label();
    // The length octets are equal in lower case too: none is a letter.
    if (wire.size() <= label.size() || !ascii_equal(label.data(), wire.data(), label.size())) return false;
    wire = wire.subspan(label.size());
  }
}

}  // namespace lbresolve::core
