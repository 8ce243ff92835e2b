#include "cli/state_path.hpp"

#include <cstdlib>
#include <string_view>

namespace lbresolve::cli {

namespace {

/// The value of a variable that holds an absolute path; else empty.
std::string_view folder_in(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && value[0] == '/' ? std::string_view(value) : std::string_view();
}

}  // namespace

std::string default_state_path() {
  const auto state = folder_in("XDG_STATE_HOME");
  const auto home = folder_in("HOME");
  if (state.empty() && home.empty()) return {};
  const auto base = state.empty() ? std::string(home) + "/.local/state" : std::string(state);
  return base + "/lbresolve/health.sqlite";
}

}  // namespace lbresolve::cli
