// The command line as values.
#pragma once

#include "cli/terminal.hpp"

#include <lbresolve/options.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace lbresolve::cli {

enum class output_format { table, short_text, json };

struct arguments {
  enum class command : std::uint8_t { resolve, connect, explain, probe, health, help, version };

  command what = command::resolve;
  std::vector<std::string> targets;
  std::vector<std::string> servers;  ///< from @server and --server, in their order
  std::optional<upstream_choice> choice;
  std::vector<lbresolve::domain_servers> domain_servers;
  std::vector<std::string> bootstrap;
  std::vector<std::string> private_ok;  ///< domains that --no-private does not hold for
  std::optional<lbresolve::families> families;
  std::optional<lbresolve::policy> policy;
  std::optional<selection_mode> mode;
  std::optional<std::chrono::milliseconds> timeout;
  std::optional<std::chrono::milliseconds> attempt_delay;
  std::optional<int> count;
  int parallel = 1;
  std::optional<std::chrono::milliseconds> interval;  ///< between the starts of --count
  bool no_cache = false;
  bool no_search = false;
  bool stale = false;
  bool no_probes = false;
  bool learn_weights = false;
  bool trust_ad = false;
  bool no_private = false;
  bool trace = false;
  bool watch = false;        ///< probe: again and again
  bool clear = false;        ///< health: forget it all
  bool state_named = false;  ///< `state` comes from --state, and not by default
  bool tls = false;
  std::optional<bool> https;       ///< --https, --no-https
  std::optional<std::string> key;  ///< policy hash
  std::string state;               ///< where what is learned is kept; empty: nowhere
  std::optional<address> source;
  std::string interface;
  tls_options tls_with;  ///< where `tls`
  std::optional<std::string> subnet;
  std::optional<std::string> nat64;
  std::optional<std::string> resolv_conf;
  std::optional<std::string> hosts;
  output_format format = output_format::table;
  color_choice color = color_choice::automatic;

  /// The resolver's settings that these arguments ask for.
  options resolver_options() const;

  /// More than one operation: JSON goes one object a line.
  bool many() const { return count.has_value() || targets.size() > 1; }
};

/// One sentence that names the wrong part. May quote what was typed: foreign text.
struct usage_error {
  std::string sentence;
};

/// Reads argv without the program's name.
std::variant<arguments, usage_error> parse_arguments(std::span<const char* const> argv);

/// The text of --help.
std::string_view help_text();

}  // namespace lbresolve::cli
