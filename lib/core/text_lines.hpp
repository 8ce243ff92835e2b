// Lines and words of a configuration file, without copies.
#pragma once

#include <cstddef>
#include <string_view>

namespace lbresolve::core {

/// Takes the next line off `rest`, without its "\n" or "\r\n". Not for an empty `rest`.
inline std::string_view take_line(std::string_view& rest) noexcept {
  const std::size_t end = rest.find('\n');
  std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

/// Takes the next word off `rest`; empty where there is none. Words are apart by spaces and tabs.
inline std::string_view take_word(std::string_view& rest) noexcept {
  constexpr std::string_view blank = " \t\r\v\f";
  const std::size_t from = rest.find_first_not_of(blank);
  if (from == std::string_view::npos) return rest = {};
  rest.remove_prefix(from);
  const std::string_view word = rest.substr(0, rest.find_first_of(blank));
  rest.remove_prefix(word.size());
  return word;
}

}  // namespace lbresolve::core
