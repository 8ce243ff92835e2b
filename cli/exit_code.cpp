#include "cli/exit_code.hpp"

#include <lbresolve/tls_error.hpp>

namespace lbresolve::cli {
namespace {

/// The library gives its own codes, and an errno or a reason of TLS where every attempt failed with that one.
errc meaning_of(const error& e) {
  if (e.code().category() == error_category()) return static_cast<errc>(e.code().value());
  for (const errc finer : {errc::certificate_rejected, errc::tls_failed, errc::local_resources})
    if (e.code().category() == tls_category() && e == finer) return finer;
  return e == std::errc::timed_out ? errc::timed_out : errc::connect_failed;
}

}  // namespace

exit_code exit_code_of(const error& e) {
  switch (meaning_of(e)) {
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

std::string error_name(const error& e) {
  switch (meaning_of(e)) {
    case errc::invalid_target:
      return "invalid_target";
    case errc::invalid_option:
      return "invalid_option";
    case errc::name_not_found:
      return "name_not_found";
    case errc::no_addresses:
      return "no_addresses";
    case errc::upstream_failed:
      return "upstream_failed";
    case errc::timed_out:
      return "timed_out";
    case errc::connect_failed:
      return "connect_failed";
    case errc::cancelled:
      return "cancelled";
    case errc::local_resources:
      return "local_resources";
    case errc::unsupported:
      return "unsupported";
    case errc::tls_failed:
      return "tls_failed";
    case errc::certificate_rejected:
      return "certificate_rejected";
  }
  return "unknown";
}

}  // namespace lbresolve::cli
