// The clock: the one place that reads the time.
#pragma once

#include "core/time.hpp"

namespace lbresolve::io {

/// CLOCK_BOOTTIME: does not jump with the wall clock, and runs on while the machine sleeps (TTL-09). Any thread.
core::time_point now() noexcept;

}  // namespace lbresolve::io
