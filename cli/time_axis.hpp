// The time axis of a waterfall: from moments to columns.
#pragma once

#include <lbresolve/trace.hpp>

#include <cstddef>
#include <string>

namespace lbresolve::cli {

/// From the start of an operation to `end`, over `columns` cells.
class time_axis {
 public:
  time_axis(elapsed end, std::size_t columns, bool utf8);

  /// Round times at their columns: "0        100       200 ms".
  std::string ticks() const;

  /// Spaces, then a bar from `from` to `to`: one cell for what took no time. Heavy for attempts, light for lookups.
  std::string bar(elapsed from, elapsed to, bool heavy) const;

 private:
  std::size_t column(elapsed at) const;

  elapsed end_;
  std::size_t columns_;
  bool utf8_;
};

}  // namespace lbresolve::cli
