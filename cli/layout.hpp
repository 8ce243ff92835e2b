// Rows of cells into lines that fit a terminal.
#pragma once

#include "cli/terminal.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lbresolve::cli {

/// One cell: safe text (see safe_text.hpp) and what it means.
struct cell {
  std::string text;
  ink meaning = ink::plain;
  bool right = false;  ///< aligned at its right edge, for numbers
};

using row = std::vector<cell>;

/// `safe` broken at spaces into lines of at most `width` cells; a longer word is cut. A width of 0 is endless.
std::vector<std::string> wrap(std::string_view safe, std::size_t width);

/// Appends `safe` as lines that fit, those after the first one indented.
void append_text(std::string& out, const terminal& to, std::string_view safe, ink meaning = ink::plain,
                 std::size_t indent = 0);

/// Column widths for `rows`: as wide as the widest cell, then narrowed until all fit into `width`: the last column
/// first, whose prose reads well over several lines, then the widest.
/// Columns with an entry above zero in `fixed` keep that width.
std::vector<std::size_t> fit_columns(std::span<const row> rows, std::size_t width,
                                     std::span<const std::size_t> fixed = {});

/// Appends rows in columns two spaces apart; what is too long for its column goes on below it.
void append_rows(std::string& out, const terminal& to, std::span<const row> rows, std::span<const std::size_t> widths);

/// Appends rows for a terminal that is too narrow for columns: the first cell, and below it, indented, the others.
void append_stacked(std::string& out, const terminal& to, std::span<const row> rows);

}  // namespace lbresolve::cli
