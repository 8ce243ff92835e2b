#include "cli/settings.hpp"

namespace lbresolve::cli {

options arguments::resolver_options() const {
  options o;
  o.servers = servers;
  o.domain_servers = domain_servers;
  o.bootstrap = bootstrap;
  o.query.choice = choice;
  o.query.trust_ad = trust_ad;
  o.query.ca_file = tls_with.ca_file;
  o.rebinding_filter = no_private;
  o.rebinding_allowed = private_ok;
  if (policy) o.selection.policy = *policy;
  if (mode) o.selection.mode = *mode;
  // One operation is over before any probe: what is overdue is tried beside it instead.
  o.selection.probing = !no_probes && (many() || watch);
  o.selection.learn_weights = learn_weights;
  o.selection.state_file = state;
  if (families) o.families = *families;
  if (attempt_delay) o.racing.attempt_delay = *attempt_delay;
  // The lookup's own deadline comes first, so that running out of time is that, and not a failure of the servers.
  if (what == command::resolve) {
    o.query.timeout = timeout.value_or(resolve_options{}.timeout) + std::chrono::seconds(1);
  }
  o.query.client_subnet = subnet;
  if (stale) o.cache.stale_window = std::chrono::hours(1);
  o.nat64_prefix = nat64;
  if (resolv_conf) o.resolv_conf = *resolv_conf;
  if (hosts) o.hosts = *hosts;
  return o;
}

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
