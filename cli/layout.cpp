#include "cli/layout.hpp"

#include "cli/safe_text.hpp"

#include <algorithm>

namespace lbresolve::cli {
namespace {

constexpr std::size_t gap = 2;
constexpr std::size_t least_column = 4;
constexpr std::size_t least_prose = 14;

std::size_t total(std::span<const std::size_t> widths) {
  std::size_t sum = widths.empty() ? 0 : gap * (widths.size() - 1);
  for (const std::size_t w : widths) sum += w;
  return sum;
}

/// One output line: piece `line` of each cell, padded except at the end.
void append_line(std::string& out, const terminal& to, const row& cells, std::span<const std::size_t> widths,
                 const std::vector<std::vector<std::string>>& pieces, std::size_t line) {
  std::string padding;  // written only when something follows it
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::string piece = line < pieces[i].size() ? pieces[i][line] : std::string();
    const std::size_t used = display_width(piece);
    const std::size_t missing = widths[i] > used ? widths[i] - used : 0;
    if (cells[i].right) padding.append(missing, ' ');
    if (!piece.empty()) {
      out += padding + to.paint(piece, cells[i].meaning);
      padding.clear();
    }
    padding.append((cells[i].right ? 0 : missing) + gap, ' ');
  }
  out += '\n';
}

}  // namespace

std::vector<std::string> wrap(std::string_view safe, std::size_t width) {
  std::vector<std::string> lines;
  while (width > 0 && display_width(safe) > width) {
    std::size_t cut = fitting_prefix(safe, width);
    if (cut == safe.size()) break;
    std::size_t next = cut;
    if (safe[cut] == ' ') {
      next = cut + 1;
    } else if (const std::size_t space = safe.substr(0, cut).rfind(' '); space != std::string_view::npos && space > 0) {
      cut = space;
      next = space + 1;
    }
    lines.emplace_back(safe.substr(0, cut));
    safe.remove_prefix(next);
  }
  lines.emplace_back(safe);
  return lines;
}

void append_text(std::string& out, const terminal& to, std::string_view safe, ink meaning, std::size_t indent) {
  std::size_t before = 0;
  for (const std::string& line : wrap(safe, to.width > indent ? to.width - indent : to.width)) {
    out += std::string(before, ' ') + to.paint(line, meaning) + '\n';
    before = indent;
  }
}

std::vector<std::size_t> fit_columns(std::span<const row> rows, std::size_t width, std::span<const std::size_t> fixed) {
  std::vector<std::size_t> widths;
  for (const row& cells : rows) {
    widths.resize(std::max(widths.size(), cells.size()));
    for (std::size_t i = 0; i < cells.size(); ++i) widths[i] = std::max(widths[i], display_width(cells[i].text));
  }
  const auto is_fixed = [&](std::size_t i) { return i < fixed.size() && fixed[i] > 0; };
  for (std::size_t i = 0; i < widths.size(); ++i) {
    if (is_fixed(i)) widths[i] = fixed[i];
  }
  while (width > 0 && total(widths) > width) {
    const std::size_t last = widths.size() - 1;
    std::size_t narrowed = widths.size();
    if (!is_fixed(last) && widths[last] > least_prose) {
      narrowed = last;
    } else {
      for (std::size_t i = 0; i < widths.size(); ++i) {
        if (!is_fixed(i) && (narrowed == widths.size() || widths[i] > widths[narrowed])) narrowed = i;
      }
    }
    if (narrowed == widths.size() || widths[narrowed] <= least_column) break;
    --widths[narrowed];
  }
  return widths;
}

void append_rows(std::string& out, const terminal& to, std::span<const row> rows, std::span<const std::size_t> widths) {
  for (const row& cells : rows) {
    std::vector<std::vector<std::string>> pieces;
    std::size_t lines = 1;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      pieces.push_back(wrap(cells[i].text, widths[i]));
      lines = std::max(lines, pieces.back().size());
    }
    for (std::size_t line = 0; line < lines; ++line) append_line(out, to, cells, widths, pieces, line);
  }
}

void append_stacked(std::string& out, const terminal& to, std::span<const row> rows) {
  for (const row& cells : rows) {
    if (cells.empty()) continue;
    append_text(out, to, cells.front().text, cells.front().meaning, gap);
    for (std::size_t i = 1; i < cells.size(); ++i) {
      if (cells[i].text.empty()) continue;
      for (const std::string& line : wrap(cells[i].text, to.width > gap ? to.width - gap : 0)) {
        out += std::string(gap, ' ') + to.paint(line, cells[i].meaning) + '\n';
      }
    }
  }
}

}  // namespace lbresolve::cli
