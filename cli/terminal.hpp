// What the output goes to: a terminal of some width, or a file or pipe.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lbresolve::cli {

enum class color_choice { automatic, always, never };

/// What a piece of text means, and so its colour.
enum class ink { plain, good, bad, faint, strong };

struct terminal {
  bool is_tty = false;
  std::size_t width = 0;  ///< cells; 0: lines may be as long as they like
  bool color = false;
  bool utf8 = false;

  /// Looks at standard output and at the environment: COLUMNS, NO_COLOR, TERM, LC_ALL, LC_CTYPE, LANG.
  static terminal of_stdout(color_choice choice);

  /// `text`, safe already, in the colour of `meaning`, where there are colours.
  std::string paint(std::string_view text, ink meaning) const;

  /// safe_text() for this terminal.
  std::string safe(std::string_view foreign) const;
};

}  // namespace lbresolve::cli
