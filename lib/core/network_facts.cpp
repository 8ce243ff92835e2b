#include "core/network_facts.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string_view>

namespace lbresolve::core {

namespace {

/// FNV-1a, 64 bits (http://www.isthe.com/chongo/tech/comp/fnv). std::hash may differ from one library to the next.
class fnv {
 public:
  void add(std::uint8_t octet) noexcept { value_ = (value_ ^ octet) * 0x100000001B3; }
  void add(std::string_view text) noexcept {
    for (const char c : text) add(static_cast<std::uint8_t>(c));
    add(std::uint8_t{0});  // no interface's name contains it
  }
  void add(const address& a) noexcept {
    add(static_cast<std::uint8_t>(a.bytes().size()));
    for (const auto octet : a.bytes()) add(octet);
  }
  std::uint64_t value() const noexcept { return value_; }

 private:
  std::uint64_t value_ = 0xCBF29CE484222325;
};

template <class T>
void sort_unique(std::vector<T>& all) {
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
}

}  // namespace

address masked(const address& a, std::uint8_t length) noexcept {
  std::array<std::uint8_t, 16> octets{};
  const auto from = a.bytes();
  std::size_t left = length;
  for (std::size_t i = 0; i < from.size() && left > 0; ++i) {
    const std::size_t bits = std::min<std::size_t>(left, 8);
    octets[i] = static_cast<std::uint8_t>(from[i] & (0xFF00U >> bits));
    left -= bits;
  }
  if (a.is_v6()) return address::v6(octets);
  return address::v4({octets[0], octets[1], octets[2], octets[3]});
}

std::uint64_t fingerprint(network_facts facts) {
  sort_unique(facts.prefixes);
  sort_unique(facts.routes);
  fnv sum;
  for (const auto& p : facts.prefixes) {
    sum.add(std::uint8_t{'p'});
    sum.add(p.interface);
    sum.add(p.network);
    sum.add(p.length);
  }
  for (const auto& r : facts.routes) {
    sum.add(std::uint8_t{'r'});
    sum.add(r.interface);
    sum.add(static_cast<std::uint8_t>(r.family == family::ipv6 ? 6 : 4));
    if (r.gateway) sum.add(*r.gateway);
  }
  return sum.value() != 0 ? sum.value() : 1;
}

}  // namespace lbresolve::core
