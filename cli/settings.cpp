#include "cli/settings.hpp"

namespace lbresolve::cli {

connect_options connect_settings(const arguments& args) {
  connect_options settings;
  if (args.timeout) settings.timeout = *args.timeout;
  settings.use_cache = !args.no_cache;
  settings.search = !args.no_search;
  settings.https_records = args.https;
  settings.source_address = args.source;
  settings.interface = args.interface;
  settings.attempt_delay = args.attempt_delay;
  if (args.tls) {
    settings.ready = ready::tls;
    settings.tls = args.tls_with;
  }
  if (args.key) settings.hash_key = *args.key;
  return settings;
}

}  // namespace lbresolve::cli
