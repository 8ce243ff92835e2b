#include "cli/render_story.hpp"

#include "cli/layout.hpp"
#include "cli/time_axis.hpp"
#include "cli/words.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <vector>

namespace lbresolve::cli {
namespace {

constexpr std::size_t least_width_for_bars = 60;

/// One lookup or attempt, ready to be shown.
struct event {
  elapsed from{};
  elapsed to{};
  bool heavy = false;    ///< an attempt
  bool happened = true;  ///< false: an attempt that was never started
  ink meaning = ink::plain;
  std::string what;
  std::string outcome;
};

ink meaning_of(const query_record& q) {
  using enum query_record::outcome;
  if (q.ended_as == failed || q.ended_as == timed_out || q.ended_as == unreachable) return ink::bad;
  return q.ended_as == abandoned || q.ended_as == pending ? ink::faint : ink::plain;
}

ink meaning_of(const attempt_record& a) {
  using enum attempt_record::outcome;
  if (a.ended_as == won) return ink::good;
  return a.ended_as == failed ? ink::bad : ink::faint;
}

/// The operation's end, or the last thing that happened where the trace was cut before it.
elapsed end_of(const trace& story) {
  elapsed end = story.took;
  for (const query_record& q : story.queries) end = std::max(end, q.ended.value_or(q.started));
  for (const attempt_record& a : story.attempts) end = std::max(end, a.ended.value_or(a.started));
  return end;
}

std::vector<event> events_of(const trace& story, elapsed end, bool reasons, const terminal& to, detail how) {
  std::vector<event> all;
  for (const query_record& q : story.queries) {
    event e{.from = q.started, .to = q.ended.value_or(end), .meaning = meaning_of(q)};
    e.what = to.safe(subject(q));
    e.outcome = to.safe(outcome(q, end, how));
    all.push_back(std::move(e));
  }
  for (const attempt_record& a : story.attempts) {
    event e{.from = a.started, .to = a.ended.value_or(end), .heavy = true, .meaning = meaning_of(a)};
    e.happened = a.ended_as != attempt_record::outcome::skipped;
    e.what = to.safe(subject(a));
    e.outcome = to.safe(outcome(a, end, how));
    if (reasons && e.happened && !a.detail.empty()) e.outcome += to.safe("; " + a.detail);
    all.push_back(std::move(e));
  }
  std::stable_sort(all.begin(), all.end(), [](const event& a, const event& b) { return a.from < b.from; });
  return all;
}

void append_waterfall(std::string& out, const terminal& to, std::span<const event> events, elapsed end) {
  std::vector<row> rows;
  for (const event& e : events) {
    rows.push_back({{e.what}, {}, {e.happened ? in_ms(e.to - e.from) : "", ink::plain, true}, {e.outcome, e.meaning}});
  }
  const std::size_t least_bar = std::max<std::size_t>(16, to.width / 5);
  const std::array<std::size_t, 4> fixed{0, least_bar, 0, 0};
  std::vector<std::size_t> widths = fit_columns(rows, to.width, fixed);
  std::size_t used = 2 * (widths.size() - 1);
  for (const std::size_t w : widths) used += w;
  widths[1] += to.width > used ? to.width - used : 0;

  const time_axis axis(end, widths[1], to.utf8);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const event& e = events[i];
    if (e.happened) rows[i][1] = {axis.bar(e.from, e.to, e.heavy), e.meaning};
  }
  rows.insert(rows.begin(), row{{}, {axis.ticks(), ink::faint}, {}, {}});
  append_rows(out, to, rows, widths);
}

void append_table(std::string& out, const terminal& to, std::span<const event> events) {
  std::vector<row> rows;
  rows.push_back(
      {{"START ms", ink::faint, true}, {"TOOK ms", ink::faint, true}, {"WHAT", ink::faint}, {"OUTCOME", ink::faint}});
  for (const event& e : events) {
    rows.push_back({{e.happened ? ms_number(e.from) : "-", ink::plain, true},
                    {e.happened ? ms_number(e.to - e.from) : "-", ink::plain, true},
                    {e.what},
                    {e.outcome, e.meaning}});
  }
  append_rows(out, to, rows, fit_columns(rows, to.width));
}

void append_narrow(std::string& out, const terminal& to, std::span<const event> events) {
  std::vector<row> rows;
  for (const event& e : events) {
    const std::string when = "at " + in_ms(e.from) + ", took " + in_ms(e.to - e.from);
    rows.push_back({{e.what}, {e.happened ? when : ""}, {e.outcome, e.meaning}});
  }
  append_stacked(out, to, rows);
}

}  // namespace

void append_story(std::string& out, const terminal& to, const trace& story, bool reasons) {
  const elapsed end = end_of(story);
  const bool bars = to.is_tty && to.width >= least_width_for_bars;
  const std::vector<event> events = events_of(story, end, reasons, to, bars ? detail::brief : detail::full);
  if (bars && !events.empty()) {
    append_waterfall(out, to, events, end);
  } else if (to.is_tty) {
    append_narrow(out, to, events);
  } else if (!events.empty()) {
    append_table(out, to, events);
  }
  for (const std::string& note : story.notes) append_text(out, to, to.safe("note: " + note), ink::faint, 6);
}

}  // namespace lbresolve::cli
