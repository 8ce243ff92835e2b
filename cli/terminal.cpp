#include "cli/terminal.hpp"

#include "cli/safe_text.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <clocale>
#include <cstdlib>

namespace lbresolve::cli {
namespace {

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

std::size_t terminal_width() {
  const std::string_view columns = environment("COLUMNS");
  std::size_t width = 0;
  const auto [end, problem] = std::from_chars(columns.data(), columns.data() + columns.size(), width);
  if (problem == std::errc{} && end == columns.data() + columns.size() && width > 0)
    return std::max<std::size_t>(width, 20);
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return std::max<std::size_t>(size.ws_col, 20);
  return 80;
}

/// POSIX 8.2: the first of these that is set and not empty decides. The variables are read, not the locale: many
/// containers name a UTF-8 locale and have none installed.
bool speaks_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    std::string value(environment(name));
    if (value.empty()) continue;
    std::transform(value.begin(), value.end(), value.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return value.find("utf-8") != std::string::npos || value.find("utf8") != std::string::npos;
  }
  return false;
}

bool wants_color(color_choice choice, bool is_tty) {
  if (choice != color_choice::automatic) return choice == color_choice::always;
  return is_tty && environment("NO_COLOR").empty() && environment("TERM") != "dumb";
}

}  // namespace

terminal terminal::of_stdout(color_choice choice) {
  terminal t;
  t.is_tty = isatty(STDOUT_FILENO) == 1;
  t.width = t.is_tty ? terminal_width() : 0;
  t.color = wants_color(choice, t.is_tty);
  t.utf8 = speaks_utf8();
  // wcwidth() knows characters only in a UTF-8 locale; numbers and messages stay as in the C locale.
  if (std::setlocale(LC_CTYPE, "C.UTF-8") == nullptr && t.utf8) t.utf8 = std::setlocale(LC_CTYPE, "") != nullptr;
  return t;
}

std::string terminal::paint(std::string_view text, ink meaning) const {
  const char* code = "";
  switch (meaning) {
    case ink::plain:
      break;
    case ink::good:
      code = "32";
      break;
    case ink::bad:
      code = "31";
      break;
    case ink::faint:
      code = "2";
      break;
    case ink::strong:
      code = "1";
      break;
  }
  if (!color || *code == '\0' || text.empty()) return std::string(text);
  return std::string("\x1b[").append(code).append("m").append(text).append("\x1b[0m");
}

std::string terminal::safe(std::string_view foreign) const { return safe_text(foreign, utf8); }

}  // namespace lbresolve::cli
