// `lbresolve resolve NAME...`
#pragma once

#include "cli/arguments.hpp"
#include "cli/exit_code.hpp"
#include "cli/output.hpp"
#include "cli/terminal.hpp"

#include <lbresolve/resolver.hpp>

namespace lbresolve::cli {

/// Looks up every target, --count times each, and shows what came of it as it comes.
exit_code run_resolve(const arguments& args, resolver& with, const terminal& to, output& out);

}  // namespace lbresolve::cli
