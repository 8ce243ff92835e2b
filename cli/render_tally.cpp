#include "cli/render_tally.hpp"

#include "cli/layout.hpp"
#include "cli/words.hpp"

#include <fmt/format.h>

#include <cmath>
#include <utility>
#include <vector>

namespace lbresolve::cli {
namespace {

constexpr std::size_t share_bar = 20;

void append_distribution(std::string& out, const terminal& to, const tally& sums) {
  std::vector<row> rows;
  const bool bars = to.is_tty && to.width >= 60;
  for (const auto& [where, count] : sums.endpoints()) {
    const double share = static_cast<double>(count) / static_cast<double>(sums.succeeded());
    row one{{subject(where)},
            {fmt::format("{}", count), ink::plain, true},
            {fmt::format("{:.1f} %", 100 * share), ink::plain, true}};
    if (bars) {
      std::string bar;
      for (long i = std::lround(share * static_cast<double>(share_bar)); i > 0; --i) bar += to.utf8 ? "\u2501" : "=";
      one.push_back({bar, ink::good});
    }
    rows.push_back(std::move(one));
  }
  append_rows(out, to, rows, fit_columns(rows, to.width));
}

}  // namespace

void append_turn(std::string& out, const terminal& to, int number, const endpoint& with, elapsed took) {
  append_text(out, to, fmt::format("{:>4}  {}  {}", number, subject(with), in_ms(took)), ink::plain, 6);
}

void append_turn(std::string& out, const terminal& to, int number, const error& e) {
  append_text(out, to, fmt::format("{:>4}  failed: {}", number, to.safe(e.message())), ink::bad, 6);
}

void append_tally(std::string& out, const terminal& to, std::string_view verb, const tally& sums) {
  out += '\n';
  append_text(out, to, fmt::format("{} of {} {}", sums.succeeded(), sums.total(), verb), ink::strong);
  if (sums.succeeded() == 0) return;
  append_distribution(out, to, sums);
  std::string line;
  constexpr std::pair<const char*, double> asked[] = {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"max", 100}};
  for (const auto& [name, percent] : asked) {
    line += fmt::format("{}{} {}", line.empty() ? "" : ", ", name, in_ms(*sums.percentile(percent)));
  }
  append_text(out, to, line);
}

}  // namespace lbresolve::cli
