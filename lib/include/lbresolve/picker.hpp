// Choosing an endpoint again and again, without connecting: for programs that have their own connections.
#pragma once

#include <lbresolve/endpoint.hpp>
#include <lbresolve/export.hpp>

#include <cstdint>
#include <memory>
#include <optional>

namespace lbresolve {

namespace io {
class pick_board;
struct board_plan;
}  // namespace io

/// Picks among the members of one target by its policy, with what is known of them at the moment.
///
/// A pick makes no system call, takes no lock that another pick can wait on, and allocates nothing, but for the first
/// one after DNS or health have changed. Tell what comes of the picks with resolver::begin() and report(): picks see
/// it. The target is looked up again in the background before its answers expire, as long as picks are made.
///
/// Ownership: shares its target's plan with all pickers of the target; it may outlive the resolver, and then goes on
/// with what was known last. Thread-safety: one thread at a time; give each thread a copy of its own.
class picker {
 public:
  /// The endpoint for the next request. Empty once the answers have expired and could not be renewed, or were not used
  /// for a while, and in a forked child of the process that made it: ask resolver::make_picker() again.
  LBRESOLVE_EXPORT std::optional<endpoint> pick() noexcept;

  LBRESOLVE_EXPORT picker(const picker& other);
  LBRESOLVE_EXPORT picker& operator=(const picker& other);
  picker(picker&&) noexcept = default;
  picker& operator=(picker&&) noexcept = default;
  LBRESOLVE_EXPORT ~picker();

  /// Made by resolver::make_picker().
  picker(std::shared_ptr<io::pick_board> board, std::uint64_t seed);

 private:
  std::shared_ptr<io::pick_board> board_;
  std::shared_ptr<const io::board_plan> plan_;
  std::uint64_t version_ = 0;
  std::uint64_t state_;  ///< of the random numbers
};

}  // namespace lbresolve
