#include "cli/render_resolution.hpp"

#include "cli/layout.hpp"
#include "cli/words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace lbresolve::cli {
namespace {

/// One line for each question that was settled: servers that were given up on are for the whole story.
void append_sources(std::string& out, const terminal& to, const trace& story) {
  std::vector<row> rows;
  for (const query_record& q : story.queries) {
    using enum query_record::outcome;
    if (q.ended_as == abandoned || q.ended_as == pending) continue;
    rows.push_back({{to.safe(subject(q))},
                    {in_ms(time_of(q, story.took)), ink::plain, true},
                    {to.safe(outcome(q, story.took, detail::full)), ink::faint}});
  }
  if (rows.empty()) return;
  out += '\n';
  append_rows(out, to, rows, fit_columns(rows, to.width));
}

}  // namespace

void append_resolution(std::string& out, const terminal& to, const resolution& what, bool sources) {
  append_text(out, to, to.safe(what.name), ink::strong);
  std::vector<row> facts;
  if (!what.canonical_name.empty() && what.canonical_name != what.name) {
    facts.push_back({{"canonical name"}, {to.safe(what.canonical_name)}});
  }
  const bool timed = !what.story || std::any_of(what.story->queries.begin(), what.story->queries.end(), has_ttl);
  if (timed) facts.push_back({{"ttl"}, {fmt::format("{} s", what.ttl.count())}});
  if (what.authenticated) facts.push_back({{"authenticated"}, {"by DNSSEC"}});
  append_rows(out, to, facts, fit_columns(facts, to.width));
  out += '\n';

  std::vector<row> rows;
  for (std::size_t i = 0; i < what.endpoints.size(); ++i) {
    rows.push_back({{fmt::format("{}", i + 1), ink::faint, true}, {subject(what.endpoints[i])}});
  }
  append_rows(out, to, rows, fit_columns(rows, to.width));
  if (sources && what.story) append_sources(out, to, *what.story);
}

void append_addresses(std::string& out, const resolution& what) {
  for (const endpoint& e : what.endpoints) out += subject(e) + '\n';
}

}  // namespace lbresolve::cli
