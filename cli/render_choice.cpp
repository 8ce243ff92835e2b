#include "cli/render_choice.hpp"

#include "cli/layout.hpp"
#include "cli/words.hpp"

#include <fmt/format.h>

#include <chrono>
#include <string>
#include <utility>

namespace lbresolve::cli {
namespace {

constexpr std::size_t least_table = 60;

ink ink_of(endpoint_state s) {
  switch (s) {
    case endpoint_state::healthy:
      return ink::good;
    case endpoint_state::suspect:
    case endpoint_state::half_open:
    case endpoint_state::ejected:
      return ink::bad;
    case endpoint_state::unknown:
    case endpoint_state::ramping:
      break;
  }
  return ink::plain;
}

/// "12 of 13": successes of the last half minute.
std::string record_of(double successes, double failures) {
  if (successes + failures == 0) return "-";
  return fmt::format("{:g} of {:g}", successes, successes + failures);
}

std::string in_seconds(std::chrono::nanoseconds t) {
  return fmt::format("{:.0f} s", std::chrono::duration<double>(t).count());
}

/// A table with a head, or stacked where the terminal is too narrow for one.
void append_table(std::string& out, const terminal& to, row head, std::vector<row> rows) {
  if (to.width > 0 && to.width < least_table) return append_stacked(out, to, rows);
  for (cell& c : head) c.meaning = ink::faint;
  rows.insert(rows.begin(), std::move(head));
  append_rows(out, to, rows, fit_columns(rows, to.width));
}

/// Columns that are there only where they say something.
struct optional_columns {
  bool tiers = false;    ///< priority and weight
  bool answers = false;  ///< in how many of them it is
};

row explained_row(const terminal& to, const explained_candidate& c, int place, const optional_columns& shown) {
  row out{{fmt::format("{}", place), ink::plain, true}, {subject(c.endpoint), ink::strong}};
  if (shown.tiers) {
    out.push_back({fmt::format("{}", c.priority), ink::plain, true});
    out.push_back({c.weight ? fmt::format("{}", *c.weight) : std::string("-"), ink::plain, true});
  }
  if (shown.answers)
    out.push_back({c.frequency ? fmt::format("{:.0f} %", 100 * *c.frequency) : std::string("-"), ink::plain, true});
  out.push_back({to_string(c.state), ink_of(c.state)});
  out.push_back({c.srtt ? in_ms(*c.srtt) : std::string("-"), ink::plain, true});
  out.push_back({record_of(c.successes, c.failures), ink::plain, true});
  out.push_back({in_ms(c.cost), ink::plain, true});
  out.push_back({fmt::format("{:.0f} %", 100 * c.share), ink::plain, true});
  out.push_back({to.safe(c.why)});
  return out;
}

}  // namespace

void append_explanation(std::string& out, const terminal& to, const explanation& e) {
  optional_columns shown;
  for (const explained_candidate& c : e.candidates) {
    shown.tiers = shown.tiers || c.weight || c.priority != e.candidates.front().priority;
    shown.answers = shown.answers || c.frequency;
  }
  row head{{"#", ink::faint, true}, {"address"}};
  if (shown.tiers) {
    head.push_back({"priority", ink::faint, true});
    head.push_back({"weight", ink::faint, true});
  }
  if (shown.answers) head.push_back({"answers", ink::faint, true});
  for (const char* title : {"state", "srtt", "success", "cost", "first", "why"}) head.push_back({title});
  for (std::size_t i = head.size() - 5; i + 1 < head.size(); ++i) head[i].right = true;
  std::vector<row> rows;
  int place = 0;
  for (const explained_candidate& c : e.candidates) rows.push_back(explained_row(to, c, ++place, shown));
  append_table(out, to, std::move(head), std::move(rows));
  append_text(out, to,
              fmt::format("policy {}, mode {}, the name's answers: {}", to_string(e.policy), to_string(e.mode),
                          to_string(e.behaviour)),
              ink::faint);
  if (e.panic)
    append_text(out, to, "most addresses fail and none succeeds: suspect the local network; nobody is ejected",
                ink::bad);
}

void append_probe(std::string& out, const terminal& to, const probe_report& r) {
  std::vector<row> rows;
  for (const attempt_record& a : r.attempts) {
    const bool connected = a.ended_as == attempt_record::outcome::won;
    const elapsed took = a.ended.value_or(a.started) - a.started;
    rows.push_back({{subject(a), ink::strong},
                    {connected ? in_ms(took) : std::string("-"), ink::plain, true},
                    {connected ? std::string("connected") : to.safe(outcome(a, took, detail::full)),
                     connected ? ink::good : ink::bad}});
  }
  append_rows(out, to, rows, fit_columns(rows, to.width));
}

void append_health(std::string& out, const terminal& to, const std::vector<endpoint_health_record>& records) {
  if (records.empty()) return append_text(out, to, "nothing is known yet: connect to something first");
  row head{{"address"}, {"state"}, {"srtt"}, {"success"}, {"failures in a row"}, {"last heard of"}, {"comes back"}};
  for (std::size_t i = 2; i < head.size(); ++i) head[i].right = true;
  std::vector<row> rows;
  rows.reserve(records.size() + 1);
  for (const endpoint_health_record& h : records)
    rows.push_back({{subject(h.endpoint), ink::strong},
                    {to_string(h.state), ink_of(h.state)},
                    {h.srtt ? in_ms(*h.srtt) : std::string("-"), ink::plain, true},
                    {record_of(h.successes, h.failures), ink::plain, true},
                    {fmt::format("{}", h.consecutive_failures), ink::plain, true},
                    {in_seconds(h.age) + " ago", ink::plain, true},
                    {h.comes_back ? "in " + in_seconds(*h.comes_back) : std::string("-"), ink::plain, true}});
  append_table(out, to, std::move(head), std::move(rows));
}

}  // namespace lbresolve::cli
