// Where the command keeps what it learns.
#pragma once

#include <string>

namespace lbresolve::cli {

/// $XDG_STATE_HOME/lbresolve/health.sqlite, or ~/.local/state/lbresolve/health.sqlite (XDG Base Directory Specification
/// 0.8: a variable that is no absolute path counts as unset). Empty where neither is known: then nothing is kept.
std::string default_state_path();

}  // namespace lbresolve::cli
