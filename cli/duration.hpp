// Reads a length of time from the command line.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace lbresolve::cli {

/// "250ms", "1.5s", or a bare number, which counts in `unit`. Nothing for anything else, for less than a millisecond,
/// and for more than a day. Fractions of a millisecond are cut.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text, std::chrono::milliseconds unit);

}  // namespace lbresolve::cli
