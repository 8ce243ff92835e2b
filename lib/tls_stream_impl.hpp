// What stands behind a tls_stream.
#pragma once

#include "io/tls_session.hpp"

#include <lbresolve/tls_stream.hpp>

#include <memory>
#include <utility>

namespace lbresolve {

class tls_stream::impl {
 public:
  explicit impl(std::unique_ptr<io::tls_session> attached) noexcept : session(std::move(attached)) {}

  std::unique_ptr<io::tls_session> session;  // on its socket
};

}  // namespace lbresolve
