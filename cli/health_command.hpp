// lbresolve health
#pragma once

#include "cli/arguments.hpp"
#include "cli/exit_code.hpp"
#include "cli/output.hpp"
#include "cli/terminal.hpp"

#include <lbresolve/resolver.hpp>

namespace lbresolve::cli {

exit_code run_health(const arguments& args, resolver& with, const terminal& to, output& out);

}  // namespace lbresolve::cli
