#include "core/hosts_file.hpp"

#include "core/quoted.hpp"
#include "core/special_names.hpp"
#include "core/text_lines.hpp"

#include <algorithm>
#include <functional>
#include <unordered_map>
#include <utility>

namespace lbresolve::core {
namespace {

/// Offsets are 32 bits; a file that would need more is no hosts file.
constexpr std::size_t max_wire_bytes = std::size_t{1} << 31;

std::string lower_case(const name& n) {
  std::string key(n.wire().begin(), n.wire().end());
  // A length octet is at most 63 and so never looks like a letter.
  for (char& c : key) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return key;
}

bool is_loopback(const address& a) {
  if (a.is_v4()) return a.bytes()[0] == 127;
  return a == address::v6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
}

}  // namespace

/// What is needed only while reading.
struct hosts_file::reader {
  hosts_file& into;
  std::unordered_map<address, std::uint32_t> known{};
  std::size_t line = 0;
  bool line_is_bad = false;

  void warn(const std::string& why) {
    line_is_bad = true;
    if (into.warnings_.size() < max_warnings) {
      into.warnings_.push_back("line " + std::to_string(line) + ": " + why);
    }
  }

  std::uint32_t keep(const address& a) {
    const auto [at, is_new] = known.try_emplace(a, static_cast<std::uint32_t>(into.addresses_.size()));
    if (is_new) into.addresses_.push_back(a);
    return at->second;
  }

  void read_name(std::string_view word, const address& a, std::uint32_t& canonical) {
    const auto parsed = name::from_text(word);
    if (!parsed || parsed.assume_value().is_root()) return warn("the name " + quoted(word) + " is left out");
    const name& n = parsed.assume_value();
    if (find_special(n).is == special::localhost && !is_loopback(a)) {
      return warn(quoted(word) + " keeps to loopback addresses (RFC 6761 section 6.3), so " + a.to_string() +
                  " is left out");
    }
    if (into.wire_.size() > max_wire_bytes) return warn("the file is too large, and from here on it is not read");
    if (canonical == none) {
      canonical = static_cast<std::uint32_t>(into.wire_.size());
      into.wire_.append(n.wire().begin(), n.wire().end());
    }
    into.add(n, canonical, keep(a));
  }

  void read_line(std::string_view text) {
    std::string_view rest = text.substr(0, text.find('#'));
    const std::string_view first = take_word(rest);
    if (first.empty()) return;
    const auto a = address::parse(first);
    if (!a) return warn(quoted(first) + " is not an IP address, so the line is left out");
    std::uint32_t canonical = none;
    std::string_view word = take_word(rest);
    if (word.empty()) return warn("there is no name after the address");
    for (; !word.empty(); word = take_word(rest)) read_name(word, *a, canonical);
  }
};

hosts_file hosts_file::parse(std::string_view text) {
  hosts_file table;
  reader in{table};
  while (!text.empty()) {
    ++in.line;
    in.line_is_bad = false;
    in.read_line(take_line(text));
    if (in.line_is_bad) ++table.bad_lines_;
  }
  table.drop_duplicates();
  table.wire_.shrink_to_fit();
  table.mentions_.shrink_to_fit();
  table.addresses_.shrink_to_fit();
  return table;
}

std::optional<hosts_file::entry> hosts_file::find(const name& n) const {
  if (slots_.empty()) return std::nullopt;
  const slot& found = slots_[position_of(lower_case(n))];
  if (found.first == none) return std::nullopt;
  entry e;
  for (std::uint32_t at = found.first; at != none; at = mentions_[at].next) {
    e.addresses.push_back(addresses_[mentions_[at].address]);
  }
  const std::string_view wire = wire_at(mentions_[found.first].canonical);
  const auto canonical = name::from_wire({reinterpret_cast<const std::uint8_t*>(wire.data()), wire.size()});
  e.canonical = canonical ? canonical.assume_value() : n;
  return e;
}

std::string_view hosts_file::wire_at(std::uint32_t offset) const noexcept {
  std::size_t end = offset;
  while (wire_[end] != '\0') end += static_cast<std::uint8_t>(wire_[end]) + std::size_t{1};
  return std::string_view(wire_).substr(offset, end + 1 - offset);
}

/// Where the name is, or the empty slot where it would be.
std::size_t hosts_file::position_of(std::string_view key) const noexcept {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = std::hash<std::string_view>{}(key)&mask;
  while (slots_[at].first != none && wire_at(mentions_[slots_[at].first].key) != key) at = (at + 1) & mask;
  return at;
}

void hosts_file::add(const name& n, std::uint32_t canonical, std::uint32_t address) {
  if ((names_ + 1) * 4 > slots_.size() * 3) grow();
  const std::string key = lower_case(n);
  slot& s = slots_[position_of(key)];
  const auto here = static_cast<std::uint32_t>(mentions_.size());
  mention m{0, canonical, address, none};
  if (s.first == none) {
    // The line's first name, where it is in lower case already, is its own key.
    const bool shared = canonical + key.size() == wire_.size() && wire_at(canonical) == key;
    m.key = shared ? canonical : static_cast<std::uint32_t>(wire_.size());
    if (!shared) wire_ += key;
    s.first = here;
    ++names_;
  } else {
    m.key = mentions_[s.first].key;
    mentions_[s.last].next = here;
  }
  s.last = here;
  mentions_.push_back(m);
}

/// Takes what repeats an address out of every chain of mentions, in one pass: `seen_by` holds for each address the name
/// that had it last.
void hosts_file::drop_duplicates() {
  std::vector<std::uint32_t> seen_by(addresses_.size(), none);
  for (const slot& s : slots_) {
    std::uint32_t kept = none;
    for (std::uint32_t at = s.first; at != none; at = mentions_[at].next) {
      if (std::exchange(seen_by[mentions_[at].address], s.first) == s.first) {
        mentions_[kept].next = mentions_[at].next;
      } else {
        kept = at;
      }
    }
  }
}

void hosts_file::grow() {
  constexpr std::size_t first_size = 64;
  std::vector<slot> old(std::max(slots_.size() * 2, first_size));
  slots_.swap(old);
  for (const slot& s : old) {
    if (s.first != none) slots_[position_of(wire_at(mentions_[s.first].key))] = s;
  }
}

}  // namespace lbresolve::core
