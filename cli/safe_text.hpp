// Text from outside, made safe for a terminal; and how wide safe text is.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lbresolve::cli {

/// The one way of foreign text (names, Extended DNS Errors, details, arguments) to a terminal.
///
/// What could move the cursor, change colours, reverse the reading order or hide is written out: octets that are not
/// well-formed UTF-8 and control characters as "\x1b", other characters without a visible cell as "\u{202e}". The
/// result holds visible characters and spaces only: one line, no control character, well-formed UTF-8.
/// @param utf8 false: everything outside ASCII is written out too.
std::string safe_text(std::string_view foreign, bool utf8);

/// How many terminal cells safe text takes.
std::size_t display_width(std::string_view safe);

/// The octets of the longest start of `safe` that fits into `cells`; at least one character, so that loops end.
std::size_t fitting_prefix(std::string_view safe, std::size_t cells);

}  // namespace lbresolve::cli
