// lbresolve/asio.hpp with standalone Asio, where that is installed.
#if __has_include(<asio.hpp>)
#define LBRESOLVE_ASIO_STANDALONE
#define ASIO_KIND "Asio"

#include <asio.hpp>

#include "support/asio_cases.hpp"
#endif
