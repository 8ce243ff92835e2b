// The options of the command, as typed.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace CLI {  // NOLINT(readability-identifier-naming): of CLI11
class App;
}

namespace lbresolve::cli {

/// What CLI11 collects, as typed. The words between the options are read here: an address in brackets is a list to
/// CLI11, and @server may stand anywhere.
struct raw_arguments {
  bool help = false, version = false, v4 = false, v6 = false;
  bool no_cache = false, no_search = false, no_probes = false, learn_weights = false, stale = false, https = false,
       no_https = false;
  bool trace = false, watch = false, clear = false, no_state = false, trust_ad = false, no_private = false;
  bool tls = false, no_verify = false;
  std::string timeout, attempt_delay, policy, mode, interval, count, parallel, source, interface, subnet, nat64,
      resolv_conf, hosts, format, color, state, key, choice, alpn, tls_name, ca_file;
  std::vector<std::string> pins;
  /// With the number of words before it, for its place among the @servers.
  std::vector<std::pair<std::size_t, std::string>> servers;
  std::vector<std::string> domain_servers, bootstrap, private_ok;
};

/// Tells `app` of every option; what is given goes into `raw`, which must outlive it.
void declare(CLI::App& app, raw_arguments& raw);

}  // namespace lbresolve::cli
