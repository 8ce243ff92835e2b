#include "cli/duration.hpp"

#include <charconv>

namespace lbresolve::cli {

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text, std::chrono::milliseconds unit) {
  double number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (problem != std::errc{}) return std::nullopt;
  const std::string_view suffix = text.substr(static_cast<std::size_t>(end - text.data()));
  if (suffix == "ms") {
    unit = std::chrono::milliseconds(1);
  } else if (suffix == "s") {
    unit = std::chrono::seconds(1);
  } else if (!suffix.empty()) {
    return std::nullopt;
  }
  const double ms = number * static_cast<double>(unit.count());
  constexpr std::chrono::milliseconds day = std::chrono::hours(24);
  if (!(ms >= 1 && ms <= static_cast<double>(day.count()))) return std::nullopt;  // also for "nan"
  return std::chrono::milliseconds(static_cast<std::chrono::milliseconds::rep>(ms));
}

}  // namespace lbresolve::cli
