// The public options, checked, and what they mean for each core.
#pragma once

#include "core/connect_operation.hpp"
#include "core/query.hpp"
#include "core/resolv_conf.hpp"
#include "core/resolve_operation.hpp"
#include "core/selection.hpp"
#include "core/tls_identity.hpp"
#include "core/upstream_group.hpp"

#include <lbresolve/options.hpp>

#include <memory>
#include <optional>
#include <vector>

namespace lbresolve::core {

/// Options that can be used.
struct settings {
  struct domain {
    name suffix;
    std::vector<upstream> servers;
  };

  options chosen;
  std::vector<upstream> servers;  ///< empty: the system's
  std::vector<domain> domains;
  std::vector<upstream> bootstrap;                    ///< empty: the system's
  std::shared_ptr<const rebinding_filter> rebinding;  ///< null: no filter
  std::optional<client_subnet> subnet;
  std::optional<nat64_prefix> nat64;
  bool has_http2 = true;  ///< whether this build speaks DNS over HTTPS
};

/// Reads servers, domains and subnet, and checks ranges. The sentence of an error names the option.
result<settings> check(options chosen);
/// Whether every server can be asked by this build: without HTTP/2 https:// is errc::unsupported.
result<void> check_transports(const settings& s);
/// The same as check() for the settings of one call.
result<void> check(const resolve_options& o);
result<void> check(const connect_options& o);

/// Who has to answer where a connect is to speak TLS. `o` has been checked.
tls_identity identity_for(const tls_options& o, const target& what);

/// Whether the system's servers count: none were chosen, or what they designate was.
bool follows_system(const settings& s);
/// The upstreams to ask and how: those of each domain, and for all other names those chosen or the system's.
std::vector<upstream_group> upstream_groups_for(const settings& s, const resolv_conf& system);
/// Who is asked for the addresses of those that are given by name: plain servers, chosen or the system's.
std::vector<upstream_group> bootstrap_for(const settings& s, const resolv_conf& system);

/// What to ask for. @param https whether HTTPS records are wanted; unset: for https:// targets
/// @param has_ipv6 whether this host has an IPv6 address that reaches beyond itself
lookup_request lookup_for(const settings& s, target what, std::optional<families> wanted, bool search,
                          std::optional<bool> https, const resolv_conf& system, bool has_ipv6);
race_settings racing_for(const settings& s, const connect_options& o, bool has_ipv6, time_point now);
/// Whether and how one call may use answers past their time.
std::optional<stale_rules> stale_for(const settings& s, bool use_cache, bool use_stale);
order_settings ordering_for(const settings& s);
/// As a connect with these settings orders.
order_settings ordering_for(const settings& s, const connect_options& o);

/// The memory of choices: its constants, and one race's or lookup's view of it.
selection_rules selection_rules_for(const settings& s);
race_memory memory_for(const settings& s, selection_store& store, const target& what, selection_mode mode);
/// How the memory knows a target: its host in lower case and its port.
std::string memory_key(const target& what);

}  // namespace lbresolve::core
