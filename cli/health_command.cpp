#include "cli/health_command.hpp"

#include "cli/render_choice.hpp"
#include "cli/render_json.hpp"
#include "cli/words.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace lbresolve::cli {

exit_code run_health(const arguments& args, resolver& with, const terminal& to, output& out) {
  if (args.clear) with.forget_health();
  std::vector<endpoint_health_record> records = with.health();
  std::sort(records.begin(), records.end(), [](const auto& a, const auto& b) { return a.endpoint < b.endpoint; });
  std::string text;
  if (args.format == output_format::json) {
    text = json_of(records);
  } else if (args.format == output_format::short_text) {
    for (const endpoint_health_record& r : records) text += subject(r.endpoint) + "\n";
  } else if (!args.clear) {
    append_health(text, to, records);
  }
  out.write(text);
  return exit_code::ok;
}

}  // namespace lbresolve::cli
