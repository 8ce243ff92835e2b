// `fleet`: runs scenarios and prints what they showed, as Markdown or CSV. See docs/balancing.md.
#include "sim/fleet/competitors.hpp"
#include "sim/fleet/fleet.hpp"
#include "sim/fleet/scenarios.hpp"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace lbresolve::fleet;
using lbresolve::core::duration;

constexpr const char* usage = R"(usage: fleet [--scenario A,B] [--chooser A,B] [--seed N] [--set NAME=VALUE]...
             [--sweep NAME=V,V,...] [--format markdown|csv] [--timeline]

Runs each scenario with each chooser, in virtual time; the same seed gives the same output.
  --sweep      runs all of it once for each value (may be given more than once: every combination)
  --timeline   instead of one line a run, one for each server and second: its connections, and how many tried it first
  --list       the scenarios and choosers
A parameter that no scenario and no chooser knows is an error.
)";

struct request {
  std::vector<std::string> scenarios, choosers;
  std::uint64_t seed = 1;
  parameters given;
  std::vector<std::pair<std::string, std::vector<double>>> sweeps;
  bool csv = false, timeline = false;
};

[[noreturn]] void refuse(const std::string& why) {
  std::cerr << "fleet: " << why << '\n' << usage;
  std::exit(2);
}

double number(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0') refuse('"' + text + "\" is not a number");
  return value;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, ',');) out.push_back(part);
  return out;
}

std::pair<std::string, std::string> assignment(const std::string& text) {
  const auto sign = text.find('=');
  if (sign == std::string::npos) refuse('"' + text + "\" has no =");
  return {text.substr(0, sign), text.substr(sign + 1)};
}

void list() {
  for (const auto& s : scenarios()) std::cout << "scenario  " << s.name << ": " << s.says << '\n';
  for (const auto& c : competitors()) std::cout << "chooser   " << c.name << ": " << c.says << '\n';
}

request read(int argc, char** argv) {
  request r;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--list") {
      list();
      std::exit(0);
    }
    if (flag == "--timeline") {
      r.timeline = true;
      continue;
    }
    if (i + 1 == argc) refuse('"' + flag + "\" needs a value, or is unknown");
    const std::string value = argv[++i];
    if (flag == "--scenario") {
      r.scenarios = split(value);
    } else if (flag == "--chooser") {
      r.choosers = split(value);
    } else if (flag == "--seed") {
      r.seed = static_cast<std::uint64_t>(number(value));
    } else if (flag == "--format") {
      r.csv = value == "csv";
    } else if (flag == "--set") {
      const auto [name, text] = assignment(value);
      r.given.set(name, number(text));
    } else if (flag == "--sweep") {
      const auto [name, text] = assignment(value);
      r.sweeps.emplace_back(name, std::vector<double>{});
      for (const auto& v : split(text)) r.sweeps.back().second.push_back(number(v));
    } else {
      refuse("unknown flag \"" + flag + '"');
    }
  }
  if (r.scenarios.empty()) {
    for (const auto& s : scenarios()) r.scenarios.emplace_back(s.name);
  }
  if (r.choosers.empty()) {
    for (const auto& c : competitors()) r.choosers.emplace_back(c.name);
  }
  return r;
}

std::string text(double value, int decimals) {
  char buffer[400];
  std::snprintf(buffer, sizeof buffer, "%.*f", decimals, value);
  return buffer;
}
std::string short_text(double value, int digits) {
  char buffer[40];
  std::snprintf(buffer, sizeof buffer, "%.*g", digits, value);
  return buffer;
}
std::string milliseconds(duration d) { return short_text(static_cast<double>(d.count()) / 1e6, 3); }
std::string percent(double part, double whole) { return text(whole > 0 ? 100 * part / whole : 0, 3); }

std::string parameters_text(const parameters& p) {
  std::string out;
  for (const auto& [name, value] : p.what_is_set()) out += (out.empty() ? "" : " ") + name + '=' + short_text(value, 6);
  return out;
}

const std::vector<std::string> columns{"scenario",  "chooser",        "parameters",       "connects",  "within 1 s %",
                                       "failed",    "p50 ms",         "p99 ms",           "p99.9 ms",  "second try %",
                                       "max/mean",  "first server %", "hits most",        "late hits", "avoided s",
                                       "ejections", "false",          "attempts/connect", "probes"};

std::vector<std::string> row(const run_report& r) {
  double ejections = 0, false_ones = 0;
  for (const auto& s : r.servers) {
    ejections += static_cast<double>(s.ejections);
    false_ones += static_cast<double>(s.false_ejections);
  }
  const auto connects = static_cast<double>(r.connects);
  return {std::to_string(r.connects),
          text(100 * r.success_within_second(), 3),
          std::to_string(r.failed),
          milliseconds(r.total_time.quantile(0.5)),
          milliseconds(r.total_time.quantile(0.99)),
          milliseconds(r.total_time.quantile(0.999)),
          percent(static_cast<double>(r.second_tries), connects),
          text(r.max_to_mean(), 3),
          text(100 * r.share(0), 2),
          std::to_string(r.most_hits),
          std::to_string(r.late_hits),
          text(static_cast<double>(r.avoided_after.quantile(0.99).count()) / 1e9, 1),
          text(ejections, 0),
          text(false_ones, 0),
          text(connects > 0 ? static_cast<double>(r.attempts) / connects : 0, 3),
          std::to_string(r.probes)};
}

void print(const std::vector<std::string>& cells, bool csv) {
  for (const auto& c : cells) std::cout << (csv ? "" : "| ") << c << (csv ? (&c == &cells.back() ? "" : ",") : " ");
  std::cout << (csv ? "\n" : "|\n");
}

void print_timeline(const std::string& about, const run_report& r) {
  for (std::size_t t = 0; t < r.wins.size(); ++t) {
    for (std::size_t s = 0; s < r.wins[t].size(); ++s) {
      const auto firsts = t < r.firsts.size() ? r.firsts[t][s] : 0;
      std::cout << about << ',' << static_cast<double>(t) * std::chrono::duration<double>(r.step).count() << ',' << s
                << ',' << r.wins[t][s] << ',' << firsts << '\n';
    }
  }
}

void run_one(const request& r, const scenario& s, const competitor& c, const parameters& p) {
  auto setup = s.setup(p);
  setup.seed = r.seed;
  const auto make = c.make(p);
  const auto report = fleet(setup, make).run();
  const std::string parameters = parameters_text(p);
  if (r.timeline) {
    return print_timeline(std::string(s.name) + ',' + std::string(c.name) + ',' + parameters, report);
  }
  std::vector<std::string> cells{std::string(s.name), std::string(c.name), parameters};
  const auto rest = row(report);
  cells.insert(cells.end(), rest.begin(), rest.end());
  print(cells, r.csv);
  std::cout.flush();
}

/// Finds misspelled parameters: those that neither the scenario nor any chooser of this run asks for.
void check(const request& r, const scenario& s, const parameters& p) {
  s.setup(p);
  for (const auto& name : r.choosers) {
    const auto* how = find_competitor(name);
    if (how == nullptr) refuse("no chooser is called \"" + name + '"');
    how->make(p);
  }
  for (const auto& [name, value] : p.what_is_set()) {
    if (p.what_was_asked().count(name) == 0) refuse("no parameter is called \"" + name + '"');
  }
}

/// Every combination of the values swept.
void run_all(const request& r, const parameters& p, std::size_t sweep) {
  if (sweep < r.sweeps.size()) {
    for (const double value : r.sweeps[sweep].second) {
      auto with = p;
      with.set(r.sweeps[sweep].first, value);
      run_all(r, with, sweep + 1);
    }
    return;
  }
  for (const auto& s : r.scenarios) {
    const auto* which = find_scenario(s);
    if (which == nullptr) refuse("no scenario is called \"" + s + '"');
    check(r, *which, p);
    for (const auto& c : r.choosers) run_one(r, *which, *find_competitor(c), p);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const auto r = read(argc, argv);
  if (r.timeline) {
    std::cout << "scenario,chooser,parameters,second,server,connections,firsts\n";
  } else {
    print(columns, r.csv);
    if (!r.csv) print(std::vector<std::string>(columns.size(), "---"), false);
  }
  run_all(r, r.given, 0);
}
