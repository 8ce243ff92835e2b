#include <lbresolve/endpoint.hpp>

#include <charconv>
#include <cstring>
#include <utility>

namespace lbresolve {
namespace {

using groups = std::array<std::uint16_t, 8>;

/// "192.0.2.1": four decimal numbers without leading zeros, which elsewhere would mean octal.
std::optional<std::array<std::uint8_t, 4>> parse_v4(std::string_view text) {
  std::array<std::uint8_t, 4> octets{};
  for (std::size_t i = 0; i < octets.size(); ++i) {
    const std::string_view part = text.substr(0, text.find('.'));
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), octets[i]);
    if (error != std::errc{} || end != part.data() + part.size()) return std::nullopt;
    if (part.size() > 1 && part.front() == '0') return std::nullopt;
    text.remove_prefix(part.size());
    if (i + 1 == octets.size()) break;
    if (text.empty()) return std::nullopt;
    text.remove_prefix(1);
  }
  if (!text.empty()) return std::nullopt;
  return octets;
}

/// Reads groups of up to four hex digits, the last perhaps as a dotted quad (RFC 4291 section 2.2 form 3), into `out`.
/// Gives how many; nothing when the text is something else. Empty text is no groups.
std::optional<std::size_t> parse_groups(std::string_view text, groups& out) {
  std::size_t count = 0;
  while (!text.empty()) {
    if (count == out.size()) return std::nullopt;
    const std::string_view part = text.substr(0, text.find(':'));
    if (part.find('.') != part.npos) {
      const auto quad = parse_v4(part);
      if (!quad || part.size() != text.size() || count + 2 > out.size()) return std::nullopt;
      out[count++] = static_cast<std::uint16_t>((*quad)[0] << 8 | (*quad)[1]);
      out[count++] = static_cast<std::uint16_t>((*quad)[2] << 8 | (*quad)[3]);
      return count;
    }
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), out[count++], 16);
    if (error != std::errc{} || end != part.data() + part.size() || part.size() > 4) return std::nullopt;
    text.remove_prefix(part.size());
    if (text.empty()) break;
    text.remove_prefix(1);
    if (text.empty()) return std::nullopt;  // a single colon at the end
  }
  return count;
}

std::optional<std::array<std::uint8_t, 16>> parse_v6(std::string_view text) {
  groups all{};
  const auto gap = text.find("::");
  if (gap == text.npos) {
    if (parse_groups(text, all) != all.size()) return std::nullopt;
  } else {
    groups head{};
    groups tail{};
    const std::string_view before = text.substr(0, gap);
    if (before.find('.') != before.npos) return std::nullopt;  // a dotted quad stands only at the end
    const auto head_count = parse_groups(before, head);
    const auto tail_count = parse_groups(text.substr(gap + 2), tail);
    // "::" stands for one group at least (RFC 4291 section 2.2 form 2).
    if (!head_count || !tail_count || *head_count + *tail_count >= all.size()) return std::nullopt;
    for (std::size_t i = 0; i < *head_count; ++i) all[i] = head[i];
    for (std::size_t i = 0; i < *tail_count; ++i) all[all.size() - *tail_count + i] = tail[i];
  }
  std::array<std::uint8_t, 16> octets{};
  for (std::size_t i = 0; i < all.size(); ++i) {
    octets[2 * i] = static_cast<std::uint8_t>(all[i] >> 8);
    octets[2 * i + 1] = static_cast<std::uint8_t>(all[i] & 0xFF);
  }
  return octets;
}

std::string v4_to_string(std::span<const std::uint8_t> octets) {
  std::string text;
  for (const std::uint8_t octet : octets) {
    if (!text.empty()) text += '.';
    text += std::to_string(octet);
  }
  return text;
}

/// The longest run of at least two zero groups, the first of equals (RFC 5952 section 4.2), as [begin, end).
std::pair<std::size_t, std::size_t> longest_zeros(const groups& all) {
  std::pair<std::size_t, std::size_t> best{all.size(), all.size()};
  for (std::size_t i = 0; i < all.size(); ++i) {
    std::size_t end = i;
    while (end < all.size() && all[end] == 0) ++end;
    if (end - i >= 2 && end - i > best.second - best.first) best = {i, end};
    if (end > i) i = end - 1;
  }
  return best;
}

std::string v6_to_string(std::span<const std::uint8_t> octets) {
  constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  if (std::memcmp(octets.data(), mapped.data(), mapped.size()) == 0) {  // RFC 5952 section 5
    return "::ffff:" + v4_to_string(octets.last(4));
  }
  groups all{};
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i] = static_cast<std::uint16_t>(octets[2 * i] << 8 | octets[2 * i + 1]);
  }
  const auto [gap, gap_end] = longest_zeros(all);
  std::string text;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i == gap) {
      text += "::";
      i = gap_end - 1;
      continue;
    }
    if (!text.empty() && text.back() != ':') text += ':';
    std::array<char, 4> digits{};
    const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), all[i], 16);
    text.append(digits.data(), end);
  }
  return text;
}

std::size_t mix(std::uint64_t h, std::uint64_t word) noexcept {
  h = (h ^ word) * 0x9E3779B97F4A7C15U;
  return h ^ (h >> 32);
}

}  // namespace

std::optional<address> address::parse(std::string_view text) {
  if (text.find(':') == text.npos) {
    const auto octets = parse_v4(text);
    if (!octets) return std::nullopt;
    return v4(*octets);
  }
  std::uint32_t zone = 0;
  if (const auto percent = text.find('%'); percent != text.npos) {
    const std::string_view digits = text.substr(percent + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), zone);
    if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
    text = text.substr(0, percent);
  }
  const auto octets = parse_v6(text);
  if (!octets) return std::nullopt;
  return v6(*octets, zone);
}

std::string address::to_string() const {
  if (is_v4()) return v4_to_string(bytes());
  std::string text = v6_to_string(bytes());
  if (scope_ != 0) text += '%' + std::to_string(scope_);
  return text;
}

std::string endpoint::to_string() const {
  if (address.is_v4()) return address.to_string() + ':' + std::to_string(port);
  return '[' + address.to_string() + "]:" + std::to_string(port);
}

}  // namespace lbresolve

std::size_t std::hash<lbresolve::address>::operator()(const lbresolve::address& a) const noexcept {
  std::array<std::uint64_t, 2> words{};
  const auto octets = a.bytes();
  std::memcpy(words.data(), octets.data(), octets.size());
  const std::uint64_t rest = std::uint64_t{a.scope()} << 1 | (a.is_v6() ? 1U : 0U);
  return lbresolve::mix(lbresolve::mix(lbresolve::mix(0, rest + 1), words[0]), words[1]);
}

std::size_t std::hash<lbresolve::endpoint>::operator()(const lbresolve::endpoint& e) const noexcept {
  return lbresolve::mix(std::hash<lbresolve::address>()(e.address), e.port);
}
