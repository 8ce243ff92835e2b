// `lbresolve connect HOST:PORT`
#pragma once

#include "cli/arguments.hpp"
#include "cli/exit_code.hpp"
#include "cli/output.hpp"
#include "cli/terminal.hpp"

#include <lbresolve/resolver.hpp>

namespace lbresolve::cli {

/// Connects, shows the race, and closes the connection; --count times.
exit_code run_connect(const arguments& args, resolver& with, const terminal& to, output& out);

}  // namespace lbresolve::cli
