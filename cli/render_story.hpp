// A trace for people: a waterfall on a terminal, a plain table elsewhere.
#pragma once

#include "cli/terminal.hpp"

#include <lbresolve/trace.hpp>

#include <string>

namespace lbresolve::cli {

/// Lookups and attempts, one row each, in the order in which they happened; then the notes.
///
/// On a terminal of 60 columns or more each row has a bar on a time axis shared by all; below that, no bars.
/// Not on a terminal: columns with times as numbers. No line is wider than the terminal.
/// @param reasons also say why each attempt was started when it was.
void append_story(std::string& out, const terminal& to, const trace& story, bool reasons);

}  // namespace lbresolve::cli
