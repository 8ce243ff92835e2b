// Exit codes, as curl has them, and the names of errors.
#pragma once

#include <lbresolve/error.hpp>

#include <string>

namespace lbresolve::cli {

/// docs/cli.md documents them.
enum class exit_code : int {
  ok = 0,
  other = 1,  ///< no fault of the name or of its addresses: this host is out of descriptors or memory
  usage = 2,
  not_resolved = 6,
  not_connected = 7,
  write_failed = 23,
  timed_out = 28,
  tls_failed = 35,
  certificate_rejected = 60,
  interrupted = 130,  ///< 128 + SIGINT
};

exit_code exit_code_of(const error& e);

}  // namespace lbresolve::cli
