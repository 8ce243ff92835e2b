#include <lbresolve/endpoint.hpp>

namespace lbresolve {
}  // namespace lbresolve
