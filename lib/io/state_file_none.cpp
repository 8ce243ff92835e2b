// The state file of a build without SQLite: there is none.
#include "io/state_file.hpp"

#include <utility>

namespace lbresolve::io {

const char* state_file::why_unsupported() noexcept { return "it was built without SQLite (LBRESOLVE_WITH_SQLITE)"; }

state_file::state_file(std::string path, const std::atomic<bool>& hurry) : path_(std::move(path)), hurry_(hurry) {}

std::vector<core::remembered> state_file::load(std::uint64_t, std::chrono::system_clock::time_point) { return {}; }

state_file::outcome state_file::write(std::span<const core::remembered>, bool, std::chrono::system_clock::time_point) {
  return outcome::failed;
}

std::vector<std::string> state_file::take_warnings() { return {}; }

}  // namespace lbresolve::io
