// What a run of operations comes to: the exit code, and the sentence on standard error.
#pragma once

#include "cli/exit_code.hpp"

#include <lbresolve/error.hpp>

#include <cstddef>
#include <optional>

namespace lbresolve::cli {

/// The first failure decides the exit code; Ctrl-C decides over it.
class verdict {
 public:
  /// Says the sentence of a failure at once.
  void failed(const error& e);

  /// Of --count: one sentence for all failures, when all is done.
  void failed(const error& first, std::size_t failures, std::size_t total);

  exit_code code() const;

 private:
  std::optional<exit_code> first_;
};

}  // namespace lbresolve::cli
