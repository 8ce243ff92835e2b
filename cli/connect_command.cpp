#include "cli/connect_command.hpp"

#include "cli/layout.hpp"
#include "cli/render_json.hpp"
#include "cli/render_story.hpp"
#include "cli/render_tally.hpp"
#include "cli/repeat.hpp"
#include "cli/settings.hpp"
#include "cli/tally.hpp"
#include "cli/verdict.hpp"
#include "cli/words.hpp"

#include <fmt/format.h>

#include <chrono>
#include <string>
#include <utility>

namespace lbresolve::cli {
namespace {

elapsed took(const connection& c) { return c.story() == nullptr ? elapsed{} : c.story()->took; }

/// All that is said of one connect that stands for itself.
std::string told(const arguments& args, const terminal& to, const result<connection>& what) {
  if (args.format == output_format::json) return json_of(args.targets.front(), what, !args.many());
  if (args.format == output_format::short_text) return what ? subject(what.value().peer()) + "\n" : std::string();
  std::string text;
  const trace* story = what ? what.value().story() : what.error().story();
  if (story != nullptr) append_story(text, to, *story, args.trace);
  if (what) {
    const connection& c = what.value();
    append_text(text, to, fmt::format("connected to {} in {}", subject(c.peer()), in_ms(took(c))), ink::strong);
    if (c.tls()) append_text(text, to, to.safe(subject(c.tls())), ink::plain);
  }
  return text;
}

/// One line of many, for --count.
std::string told_briefly(const arguments& args, const terminal& to, int number, const result<connection>& what) {
  if (args.format != output_format::table) return told(args, to, what);
  std::string text;
  if (what) {
    append_turn(text, to, number, what.value().peer(), took(what.value()));
  } else {
    append_turn(text, to, number, what.error());
  }
  return text;
}

std::string summary(const arguments& args, const terminal& to, const tally& sums, elapsed all_took) {
  if (args.format == output_format::json) return json_summary("connect", args.targets.front(), sums, all_took);
  std::string text;
  if (args.format == output_format::table) append_tally(text, to, "connected", sums);
  return text;
}

}  // namespace

exit_code run_connect(const arguments& args, resolver& with, const terminal& to, output& out) {
  verdict all;
  tally sums;
  const auto began = std::chrono::steady_clock::now();
  repeated<connection> work{.count = args.count.value_or(1),
                            .parallel = args.parallel,
                            .interval = args.interval.value_or(std::chrono::milliseconds{0}),
                            .start = {},
                            .finished = {}};
  work.start = [&](int, connect_callback done) {
    return with.async_connect(args.targets.front(), connect_settings(args), std::move(done));
  };
  work.finished = [&](int index, result<connection> what) {
    if (!args.count) {
      const bool written = out.write(told(args, to, what));
      if (!what) all.failed(what.error());
      return written;
    }
    if (what) {
      sums.success(what.value().peer(), took(what.value()));
    } else {
      sums.failure(what.error());
    }
    return out.write(told_briefly(args, to, index + 1, what));
  };
  repeat(with, work);
  if (args.count && sums.total() > 0) {
    out.write(summary(args, to, sums, std::chrono::steady_clock::now() - began));
    if (sums.first_error()) all.failed(*sums.first_error(), sums.failed(), sums.total());
  }
  return all.code();
}

}  // namespace lbresolve::cli
