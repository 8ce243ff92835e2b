#include "cli/exit_code.hpp"

namespace lbresolve::cli {

exit_code exit_code_of(const error& e) {
  switch (kind_of(e)) {
    case errc::invalid_target:
    case errc::invalid_option:
    case errc::unsupported:
      return exit_code::usage;
    case errc::name_not_found:
    case errc::no_addresses:
    case errc::upstream_failed:
      return exit_code::not_resolved;
    case errc::timed_out:
      return exit_code::timed_out;
    case errc::connect_failed:
      return exit_code::not_connected;
    case errc::tls_failed:
      return exit_code::tls_failed;
    case errc::certificate_rejected:
      return exit_code::certificate_rejected;
    case errc::cancelled:
      return exit_code::interrupted;
    case errc::local_resources:
      break;
  }
  return exit_code::other;
}

}  // namespace lbresolve::cli
