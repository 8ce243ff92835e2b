// lbresolve/asio.hpp with Boost.Asio, in one program with the other kind.
#define LBRESOLVE_ASIO_BOOST
#define ASIO_KIND "Boost.Asio"

#include <utility>  // before Boost 1.74, which forgets it

#include <boost/asio.hpp>

#include "support/asio_cases.hpp"
