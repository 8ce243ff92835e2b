#include "core/nat64.hpp"

#include <algorithm>
#include <charconv>

namespace lbresolve::core {
namespace {

/// Octet 8, bits 64 to 71: zero in every address, and skipped by the IPv4 octets (RFC 6052 section 2.2).
constexpr std::size_t unused_octet = 8;

/// Where octet `i` of the IPv4 address lies behind a prefix of `size` octets.
constexpr std::size_t place_of(std::size_t i, std::size_t size) noexcept {
  const std::size_t at = size + i;
  return size <= unused_octet && at >= unused_octet ? at + 1 : at;
}

bool stays_on_the_link(const address& v4) noexcept {
  const auto octets = v4.bytes();
  return octets[0] == 127 || octets[0] == 0 || (octets[0] == 169 && octets[1] == 254);
}

}  // namespace

std::optional<nat64_prefix> nat64_prefix::parse(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == text.npos) return std::nullopt;
  const auto network = address::parse(text.substr(0, slash));
  if (!network || network->is_v4() || text.substr(0, slash).find('%') != text.npos) return std::nullopt;
  const std::string_view digits = text.substr(slash + 1);
  std::size_t bits = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  if (error != std::errc{} || end != digits.data() + digits.size() || digits.starts_with('0')) return std::nullopt;
  constexpr std::array<std::size_t, 6> lengths{32, 40, 48, 56, 64, 96};
  if (std::find(lengths.begin(), lengths.end(), bits) == lengths.end()) return std::nullopt;

  nat64_prefix out;
  out.size_ = bits / 8;
  const auto octets = network->bytes();
  std::copy(octets.begin(), octets.end(), out.octets_.begin());
  const auto behind = out.octets_.begin() + static_cast<std::ptrdiff_t>(out.size_);
  if (std::any_of(behind, out.octets_.end(), [](std::uint8_t o) { return o != 0; })) return std::nullopt;
  if (out.octets_[unused_octet] != 0) return std::nullopt;
  return out;
}

std::optional<address> nat64_prefix::synthesise(const address& v4) const {
  if (!v4.is_v4() || stays_on_the_link(v4)) return std::nullopt;
  auto octets = octets_;
  for (std::size_t i = 0; i < 4; ++i) octets[place_of(i, size_)] = v4.bytes()[i];
  return address::v6(octets);
}

std::optional<address> nat64_prefix::extract(const address& v6) const {
  if (v6.is_v4()) return std::nullopt;
  const auto octets = v6.bytes();
  if (!std::equal(octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(size_), octets_.begin()) ||
      octets[unused_octet] != 0)
    return std::nullopt;
  std::array<std::uint8_t, 4> v4{};
  for (std::size_t i = 0; i < v4.size(); ++i) v4[i] = octets[place_of(i, size_)];
  return address::v4(v4);
}

std::optional<address> translated(const std::optional<nat64_prefix>& by, const address& to,
                                  const std::function<std::optional<address>(const address&)>& source_of) {
  if (!by || !to.is_v4() || source_of(to)) return std::nullopt;
  const auto instead = by->synthesise(to);
  return instead && source_of(*instead) ? instead : std::nullopt;
}

}  // namespace lbresolve::core
