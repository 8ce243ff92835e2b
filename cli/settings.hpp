// What the arguments ask of one connect, explain or probe.
#pragma once

#include "cli/arguments.hpp"

#include <lbresolve/options.hpp>

namespace lbresolve::cli {

connect_options connect_settings(const arguments& args);

}  // namespace lbresolve::cli
