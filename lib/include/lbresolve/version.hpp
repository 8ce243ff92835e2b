// The version of these headers.
#pragma once

#include <lbresolve/export.hpp>

#define LBRESOLVE_VERSION_MAJOR 0
#define LBRESOLVE_VERSION_MINOR 1
#define LBRESOLVE_VERSION_PATCH 0
#define LBRESOLVE_VERSION "0.1.0"

namespace lbresolve {

/// The version of the library that is linked: "0.1.0".
LBRESOLVE_EXPORT const char* version() noexcept;

}  // namespace lbresolve
