#include "cli/raw_arguments.hpp"

#include <CLI/CLI.hpp>

#include <array>
#include <functional>

namespace lbresolve::cli {

void declare(CLI::App& app, raw_arguments& raw) {
  app.set_help_flag();
  app.allow_extras();
  app.add_flag("-h,--help", raw.help);
  app.add_flag("-V,--version", raw.version);
  app.add_flag("-4", raw.v4);
  app.add_flag("-6", raw.v6);
  app.add_flag("--no-cache", raw.no_cache);
  app.add_flag("--no-search", raw.no_search);
  app.add_flag("--stale", raw.stale);
  app.add_flag("--no-probes", raw.no_probes);
  app.add_flag("--learn-weights", raw.learn_weights);
  app.add_flag("--https", raw.https);
  app.add_flag("--no-https", raw.no_https);
  app.add_flag("--trace", raw.trace);
  app.add_flag("--watch", raw.watch);
  app.add_flag("--clear", raw.clear);
  app.add_flag("--no-state", raw.no_state);
  app.add_flag("--trust-ad", raw.trust_ad);
  app.add_flag("--no-private", raw.no_private);
  app.add_flag("--tls", raw.tls);
  app.add_flag("--no-verify", raw.no_verify);
  const std::array<std::pair<const char*, std::string*>, 21> values{{{"--timeout", &raw.timeout},
                                                                     {"--attempt-delay", &raw.attempt_delay},
                                                                     {"--policy", &raw.policy},
                                                                     {"--mode", &raw.mode},
                                                                     {"--interval", &raw.interval},
                                                                     {"--count", &raw.count},
                                                                     {"--parallel", &raw.parallel},
                                                                     {"--source", &raw.source},
                                                                     {"--interface", &raw.interface},
                                                                     {"--subnet", &raw.subnet},
                                                                     {"--nat64", &raw.nat64},
                                                                     {"--resolv-conf", &raw.resolv_conf},
                                                                     {"--hosts", &raw.hosts},
                                                                     {"--state", &raw.state},
                                                                     {"--key", &raw.key},
                                                                     {"--choice", &raw.choice},
                                                                     {"--alpn", &raw.alpn},
                                                                     {"--tls-name", &raw.tls_name},
                                                                     {"--ca-file", &raw.ca_file},
                                                                     {"--format", &raw.format},
                                                                     {"--color", &raw.color}}};
  for (const auto& [name, into] : values) app.add_option(name, *into)->take_last();
  // Each value through a callback: CLI11 would split "[::1]" as a list.
  const auto add_repeated = [&](const char* name, const std::function<void(const std::string&)>& take) {
    app.add_option_function<std::string>(name, take)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
        ->trigger_on_parse();
  };
  add_repeated("--server", [&](const std::string& s) { raw.servers.emplace_back(app.remaining().size(), s); });
  add_repeated("--domain-server", [&](const std::string& s) { raw.domain_servers.push_back(s); });
  add_repeated("--bootstrap", [&](const std::string& s) { raw.bootstrap.push_back(s); });
  add_repeated("--private-ok", [&](const std::string& s) { raw.private_ok.push_back(s); });
  add_repeated("--pin", [&](const std::string& s) { raw.pins.push_back(s); });
}

}  // namespace lbresolve::cli
