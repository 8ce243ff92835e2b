#include "cli/probe_command.hpp"

#include "cli/render_choice.hpp"
#include "cli/render_json.hpp"
#include "cli/render_story.hpp"
#include "cli/repeat.hpp"
#include "cli/settings.hpp"
#include "cli/verdict.hpp"
#include "cli/words.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

namespace lbresolve::cli {
namespace {

bool connected(const attempt_record& a) { return a.ended_as == attempt_record::outcome::won; }

std::string told(const arguments& args, const terminal& to, const result<probe_report>& what) {
  const bool for_a_program = args.watch && !to.is_tty && args.format == output_format::table;
  if (args.format == output_format::json || for_a_program) return json_of(args.targets.front(), what);
  std::string text;
  if (what && args.format == output_format::short_text) {
    for (const attempt_record& a : what.value().attempts)
      if (connected(a)) text += subject(a) + "\n";
    return text;
  }
  const trace* story = what ? what.value().story.get() : what.error().story();
  if (args.format == output_format::table && story != nullptr && (args.trace || !what))
    append_story(text, to, *story, true);
  if (what) append_probe(text, to, what.value());
  if (args.watch) text += "\n";
  return text;
}

/// Nobody answered: that is a failure to connect, as connect has it.
error nobody(const probe_report& r) {
  return error(make_error_code(errc::connect_failed), "no address of " + r.target + " could be connected to", r.story);
}

}  // namespace

exit_code run_probe(const arguments& args, resolver& with, const terminal& to, output& out) {
  using namespace std::chrono_literals;
  verdict all;
  repeated<probe_report> work{.start = {}, .finished = {}};
  if (args.watch) {
    work.count = std::numeric_limits<int>::max();
    work.interval = args.interval.value_or(1s);
  } else {
    work.count = args.count.value_or(1);
    work.parallel = args.parallel;
    work.interval = args.interval.value_or(0ms);
  }
  work.start = [&](int, probe_callback done) {
    return with.async_probe(args.targets.front(), connect_settings(args), std::move(done));
  };
  work.finished = [&](int, result<probe_report> what) {
    const bool written = out.write(told(args, to, what));
    if (!what) {
      all.failed(what.error());
    } else if (std::none_of(what.value().attempts.begin(), what.value().attempts.end(), connected)) {
      all.failed(nobody(what.value()));
    }
    return written;
  };
  repeat(with, work);
  return all.code();
}

}  // namespace lbresolve::cli
