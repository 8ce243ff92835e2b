#include "io/quick_random.hpp"

#include "io/system_random.hpp"

namespace lbresolve::io {

quick_random& thread_quick_random() {
  thread_local std::uint64_t state = thread_random().next();
  thread_local quick_random own(state);
  return own;
}

}  // namespace lbresolve::io
