#include "cli/explain_command.hpp"

#include "cli/render_choice.hpp"
#include "cli/render_json.hpp"
#include "cli/render_story.hpp"
#include "cli/repeat.hpp"
#include "cli/settings.hpp"
#include "cli/verdict.hpp"
#include "cli/words.hpp"

#include <string>
#include <utility>

namespace lbresolve::cli {
namespace {

std::string told(const arguments& args, const terminal& to, const result<explanation>& what) {
  if (args.format == output_format::json) return json_of(args.targets.front(), what);
  std::string text;
  if (what && args.format == output_format::short_text) {
    for (const explained_candidate& c : what.value().candidates) text += subject(c.endpoint) + "\n";
    return text;
  }
  const trace* story = what ? what.value().story.get() : what.error().story();
  if (args.format == output_format::table && story != nullptr && (args.trace || !what))
    append_story(text, to, *story, true);
  if (what) append_explanation(text, to, what.value());
  return text;
}

}  // namespace

exit_code run_explain(const arguments& args, resolver& with, const terminal& to, output& out) {
  verdict all;
  // Asked about so often, it is explained as it stands at the end.
  int left = args.count.value_or(1);
  repeated<explanation> work{
      .count = left, .interval = args.interval.value_or(std::chrono::milliseconds{0}), .start = {}, .finished = {}};
  work.start = [&](int, explain_callback done) {
    return with.async_explain(args.targets.front(), connect_settings(args), std::move(done));
  };
  work.finished = [&](int, result<explanation> what) {
    if (!what) all.failed(what.error());
    if (--left > 0 && what) return true;
    return out.write(told(args, to, what));
  };
  repeat(with, work);
  return all.code();
}

}  // namespace lbresolve::cli
