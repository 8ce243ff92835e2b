#include "cli/resolve_command.hpp"

#include "cli/layout.hpp"
#include "cli/render_json.hpp"
#include "cli/render_resolution.hpp"
#include "cli/render_story.hpp"
#include "cli/render_tally.hpp"
#include "cli/repeat.hpp"
#include "cli/tally.hpp"
#include "cli/verdict.hpp"
#include "cli/words.hpp"

#include <fmt/format.h>

#include <chrono>
#include <string>
#include <utility>

namespace lbresolve::cli {
namespace {

resolve_options settings_of(const arguments& args) {
  resolve_options settings;
  if (args.timeout) settings.timeout = *args.timeout;
  settings.use_cache = !args.no_cache;
  settings.search = !args.no_search;
  return settings;
}

/// All that is said of one lookup that stands for itself.
std::string told(const arguments& args, const terminal& to, std::string_view target, const result<resolution>& what) {
  if (args.format == output_format::json) return json_of(target, what, !args.many());
  std::string text;
  if (args.format == output_format::short_text) {
    if (what) append_addresses(text, what.value());
    return text;
  }
  if (what) append_resolution(text, to, what.value(), !args.trace);
  const trace* story = what ? what.value().story.get() : what.error().story();
  if (args.trace && story != nullptr) {
    if (what) text += '\n';
    append_story(text, to, *story, true);
  }
  return text;
}

/// One line of many, for --count.
std::string told_briefly(const arguments& args, const terminal& to, std::string_view target, int number,
                         const result<resolution>& what, elapsed took) {
  if (args.format != output_format::table) return told(args, to, target, what);
  std::string text;
  if (!what) {
    append_turn(text, to, number, what.error());
  } else {
    append_turn(text, to, number, what.value().endpoints.empty() ? endpoint{} : what.value().endpoints.front(), took);
  }
  return text;
}

std::string summary(const arguments& args, const terminal& to, std::string_view target, const tally& sums,
                    elapsed took) {
  if (args.format == output_format::json) return json_summary("resolve", target, sums, took);
  std::string text;
  if (args.format == output_format::table) append_tally(text, to, "resolved", sums);
  return text;
}

/// One target; false when no other one should follow.
bool run_target(const arguments& args, resolver& with, const terminal& to, output& out, const std::string& target,
                verdict& verdict_of_all) {
  tally sums;
  const auto began = std::chrono::steady_clock::now();
  repeated<resolution> work{.count = args.count.value_or(1),
                            .parallel = args.parallel,
                            .interval = args.interval.value_or(std::chrono::milliseconds{0}),
                            .start = {},
                            .finished = {}};
  work.start = [&](int, resolve_callback done) {
    return with.async_resolve(target, settings_of(args), std::move(done));
  };
  work.finished = [&](int index, result<resolution> what) {
    if (!args.count) {
      const bool written = out.write(told(args, to, target, what));
      if (!what) verdict_of_all.failed(what.error());
      return written;
    }
    elapsed took{};
    if (!what) {
      sums.failure(what.error());
    } else {
      const resolution& r = what.value();
      took = r.story ? r.story->took : elapsed{};
      sums.success(r.endpoints.empty() ? endpoint{} : r.endpoints.front(), took);
    }
    return out.write(told_briefly(args, to, target, index + 1, what, took));
  };
  repeat(with, work);
  if (args.count && sums.total() > 0) {
    out.write(summary(args, to, target, sums, std::chrono::steady_clock::now() - began));
    if (sums.first_error()) verdict_of_all.failed(*sums.first_error(), sums.failed(), sums.total());
  }
  return out.error() == 0 && !wakeup::interrupted();
}

}  // namespace

exit_code run_resolve(const arguments& args, resolver& with, const terminal& to, output& out) {
  verdict all;
  bool first = true;
  for (const std::string& target : args.targets) {
    if (!std::exchange(first, false) && args.format == output_format::table) out.write("\n");
    if (!run_target(args, with, to, out, target, all)) break;
  }
  return all.code();
}

}  // namespace lbresolve::cli
