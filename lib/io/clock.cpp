#include "io/clock.hpp"

#include <ctime>

namespace lbresolve::io {

core::time_point now() noexcept {
  timespec t{};
  // CLOCK_BOOTTIME exists since Linux 2.6.39; the call cannot fail with a valid pointer.
  ::clock_gettime(CLOCK_BOOTTIME, &t);
  return core::time_point(std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec));
}

}  // namespace lbresolve::io
