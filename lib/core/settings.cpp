#include "core/settings.hpp"

#include "core/ascii.hpp"
#include "core/quoted.hpp"
#include "core/special_names.hpp"
#include "core/spki_pin.hpp"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

namespace lbresolve::core {

using namespace std::chrono_literals;

namespace {

error bad(const std::string& sentence) { return error(make_error_code(errc::invalid_option), sentence); }

std::optional<error> check_racing(const racing_options& r) {
  if (r.resolution_delay < 0ms) return bad("racing.resolution_delay is negative: give 0 ms or more");
  if (r.attempt_delay <= 0ms) return bad("racing.attempt_delay is not positive: give 10 ms or more");
  if (r.first_family_count < 1) return bad("racing.first_family_count is under 1: give 1 or more");
  if (r.max_live_attempts < 1) return bad("racing.max_live_attempts is under 1: give 1 or more");
  if (r.late_answers < 0ms) return bad("racing.late_answers is negative: give 0 ms or more");
  return std::nullopt;
}

std::optional<error> check_selection(const selection_options& o) {
  if (!(o.band >= 0)) return bad("selection.band is negative: give 0 (only the best), 1 or more, or infinity");
  if (o.rotation_window < 0s) return bad("selection.rotation_window is negative: give 0 s (strict TTL) or more");
  return std::nullopt;
}

std::optional<error> check_query(const query_options& q) {
  if (q.timeout <= 0ms) return bad("query.timeout is not positive: give 1 ms or more");
  if (q.try_timeout && *q.try_timeout <= 0ms) return bad("query.try_timeout is not positive: give 1 ms or more");
  if (q.udp_payload_size < 512 || q.udp_payload_size > 4096)
    return bad("query.udp_payload_size is " + std::to_string(q.udp_payload_size) + ": give 512 to 4096");
  return std::nullopt;
}

std::optional<error> check_cache(const cache_options& c) {
  if (c.prefetch_min_ttl < 1s) return bad("cache.prefetch_min_ttl is under 1 s: give 1 s or more");
  if (c.stale_window < 0s) return bad("cache.stale_window is negative: give 0 s or more");
  if (c.stale_ttl < 0s) return bad("cache.stale_ttl is negative: give 0 s or more");
  if (c.stale_after < 0ms) return bad("cache.stale_after is negative: give 0 ms or more");
  if (c.stale_recheck < 30s) return bad("cache.stale_recheck is under 30 s: give 30 s or more");
  return std::nullopt;
}

result<std::vector<upstream>> read_servers(const std::vector<std::string>& texts) {
  std::vector<upstream> servers;
  for (const std::string& text : texts) {
    LBRESOLVE_TRY(server, parse_upstream(text));
    servers.push_back(std::move(server));
  }
  return servers;
}

result<name> read_domain(const char* option, const std::string& text) {
  auto domain = name::from_text(text);
  if (!domain || text.empty()) return bad(std::string(option) + " " + quoted(text) + " is not a domain name");
  return std::move(domain).assume_value();
}

result<std::vector<settings::domain>> read_domains(const std::vector<domain_servers>& given) {
  std::vector<settings::domain> domains;
  for (const domain_servers& d : given) {
    LBRESOLVE_TRY(suffix, read_domain("domain_servers", d.domain));
    const std::string subject = "domain_servers " + quoted(d.domain);
    if (suffix.is_root()) return bad(subject + " is every name: list its servers in `servers`");
    if (const special_answer s = find_special(suffix)) return bad(subject + " is never asked for: " + s.reason);
    if (d.servers.empty()) return bad(subject + " has no server: give at least one");
    const auto is_same = [&, &wanted = suffix](const settings::domain& other) { return other.suffix == wanted; };
    if (std::any_of(domains.begin(), domains.end(), is_same))
      return bad(subject + " is there twice: list its servers together");
    LBRESOLVE_TRY(servers, read_servers(d.servers));
    domains.push_back({std::move(suffix), std::move(servers)});
  }
  return domains;
}

// They are asked before anybody can be verified, so there is nothing that TLS would rest on.
result<std::vector<upstream>> read_bootstrap(const std::vector<std::string>& given) {
  LBRESOLVE_TRY(servers, read_servers(given));
  for (const upstream& u : servers)
    if (is_encrypted(u) || u.discovers)
      return bad("bootstrap server " + quoted(u.text) + " has TLS: give one without, as \"192.0.2.53\"");
  return servers;
}

result<std::shared_ptr<const rebinding_filter>> read_rebinding(const options& o,
                                                               const std::optional<nat64_prefix>& nat64) {
  std::vector<name> allowed;
  for (const std::string& text : o.rebinding_allowed) {
    LBRESOLVE_TRY(domain, read_domain("rebinding_allowed", text));
    allowed.push_back(std::move(domain));
  }
  if (!o.rebinding_filter) return std::shared_ptr<const rebinding_filter>();
  return std::make_shared<const rebinding_filter>(std::move(allowed), nat64);
}

std::optional<error> check_tls(const tls_options& o) {
  constexpr std::size_t longest_protocol = 255;  // RFC 7301 section 3.1
  for (const std::string& protocol : o.alpn)
    if (protocol.empty() || protocol.size() > longest_protocol)
      return bad("tls.alpn has a protocol of " + std::to_string(protocol.size()) + " octets: give 1 to 255, as in h2");
  for (const std::string& pin : o.pins)
    if (!parse_spki_pin(pin))
      return bad("tls.pins: " + quoted(pin) + " is not the SHA-256 of a public key, as sha256-BASE64");
  const auto host = parse_target(o.name, false);
  if (!o.name.empty() && (!host || host.value().port || host.value().https || host.value().service))
    return bad("tls.name " + quoted(o.name) + " is neither a DNS name nor an IP address");
  return std::nullopt;
}

/// "_imaps._tcp.example.com" is served by who can prove to be example.com (RFC 6125 section 6.2.1).
std::string_view without_service(std::string_view host) {
  for (int label = 0; label < 2; ++label) host.remove_prefix(std::min(host.find('.'), host.size() - 1) + 1);
  return host;
}

}  // namespace

tls_identity identity_for(const tls_options& o, const target& what) {
  tls_identity who{.name = o.name, .address = {}, .pins = {}, .verify = o.verify};
  if (who.name.empty()) who.name = what.service ? without_service(what.host) : what.host;
  who.address = o.name.empty() ? what.literal : address::parse(o.name);
  if (who.address) who.name.clear();
  if (who.name.ends_with('.')) who.name.pop_back();
  for (const std::string& pin : o.pins) who.pins.push_back(*parse_spki_pin(pin));
  return who;
}

result<settings> check(options chosen) {
  settings s;
  LBRESOLVE_TRY(servers, read_servers(chosen.servers));
  LBRESOLVE_TRY(domains, read_domains(chosen.domain_servers));
  LBRESOLVE_TRY(bootstrap, read_bootstrap(chosen.bootstrap));
  s.servers = std::move(servers);
  s.domains = std::move(domains);
  s.bootstrap = std::move(bootstrap);
  if (const auto wrong = check_racing(chosen.racing)) return *wrong;
  if (const auto wrong = check_query(chosen.query)) return *wrong;
  if (const auto wrong = check_cache(chosen.cache)) return *wrong;
  if (const auto wrong = check_selection(chosen.selection)) return *wrong;
  if (chosen.query.client_subnet) {
    s.subnet = client_subnet::parse(*chosen.query.client_subnet);
    if (!s.subnet)
      return bad("query.client_subnet " + quoted(*chosen.query.client_subnet) +
                 " is not an address and a prefix length with zero host bits, as 192.0.2.0/24 is");
  }
  if (chosen.nat64_prefix) {
    s.nat64 = nat64_prefix::parse(*chosen.nat64_prefix);
    if (!s.nat64)
      return bad("nat64_prefix " + quoted(*chosen.nat64_prefix) +
                 " is not an IPv6 prefix of 32, 40, 48, 56, 64 or 96 bits, as 64:ff9b::/96 is");
  }
  LBRESOLVE_TRY(rebinding, read_rebinding(chosen, s.nat64));
  s.rebinding = std::move(rebinding);
  s.chosen = std::move(chosen);
  return s;
}

result<void> check_transports(const settings& s) {
  std::vector<upstream> all = s.servers;
  for (const settings::domain& d : s.domains) all.insert(all.end(), d.servers.begin(), d.servers.end());
  for (const upstream& u : all) {
    if (u.only != transport::https || s.has_http2) continue;
    return error(
        make_error_code(errc::unsupported),
        "server " + quoted(u.text) + ": this build has no HTTP/2; give a tls:// server, or build with nghttp2");
  }
  return BOOST_OUTCOME_V2_NAMESPACE::success();
}

result<void> check(const resolve_options& o) {
  if (o.timeout <= 0ms) return bad("timeout is not positive: give 1 ms or more");
  return BOOST_OUTCOME_V2_NAMESPACE::success();
}

result<void> check(const connect_options& o) {
  if (o.timeout <= 0ms) return bad("timeout is not positive: give 1 ms or more");
  if (o.attempt_delay && *o.attempt_delay <= 0ms) return bad("attempt_delay is not positive: give 10 ms or more");
  if (const auto wrong = check_tls(o.tls)) return *wrong;
  return BOOST_OUTCOME_V2_NAMESPACE::success();
}

namespace {

query_rules query_rules_for(const query_options& q, const std::optional<client_subnet>& subnet) {
  query_rules r{.timeout = q.timeout,
                .udp_payload_size = q.udp_payload_size,
                .randomize_case = q.randomize_case,
                .subnet = subnet,
                .trust_ad = q.trust_ad};
  if (q.try_timeout) r.try_timeout = *q.try_timeout;
  return r;
}

/// What resolv.conf says about time and transport holds for the servers it names, not for those the user listed.
void apply(const resolv_conf& system, bool own_try_timeout, query_rules& to) {
  if (system.timeout && !own_try_timeout) to.try_timeout = *system.timeout;
  if (system.attempts) to.passes = *system.attempts;
  to.force_tcp = system.use_tcp;
  to.trust_ad = to.trust_ad || system.trust_ad;
}

/// "ddr" stands for each of the system's servers.
std::vector<upstream> with_system(const std::vector<upstream>& listed, const resolv_conf& system) {
  std::vector<upstream> out;
  for (const upstream& u : listed) {
    if (!is_of_system(u)) {
      out.push_back(u);
      continue;
    }
    for (const endpoint& at : system.servers) {
      out.push_back(make_upstream(at));
      out.back().discovers = true;
    }
  }
  return out;
}

bool lists_system(const std::vector<upstream>& listed) {
  return std::any_of(listed.begin(), listed.end(), is_of_system);
}

/// What `listed` designates is asked by the rules of whoever is listed, and without telling who asks for what.
std::shared_ptr<const discovered> discovered_of(const settings& s, std::vector<upstream> listed,
                                                const upstream_rules& choice, const resolv_conf* system) {
  if (std::none_of(listed.begin(), listed.end(), [](const upstream& u) { return u.discovers; })) return nullptr;
  query_rules asking = query_rules_for(s.chosen.query, {});
  if (system != nullptr) apply(*system, s.chosen.query.try_timeout.has_value(), asking);
  return std::make_shared<const discovered>(discovered{std::move(listed), choice, asking, s.has_http2});
}

}  // namespace

bool follows_system(const settings& s) {
  return s.servers.empty() || lists_system(s.servers) ||
         std::any_of(s.domains.begin(), s.domains.end(), [](const auto& d) { return lists_system(d.servers); });
}

std::vector<upstream_group> upstream_groups_for(const settings& s, const resolv_conf& system) {
  const query_options& q = s.chosen.query;
  const auto rules_of = [&](upstream_choice usual, bool rotate) {
    return upstream_rules{
        .choice = q.choice.value_or(usual), .rotate = rotate, .hedge_unknown = q.hedge_delay, .probing = q.probing};
  };
  const auto group = [&](const name& domain, std::vector<upstream> servers, upstream_choice usual, bool rotate) {
    return upstream_group{domain, std::make_shared<upstreams>(std::move(servers), rules_of(usual, rotate)),
                          query_rules_for(q, s.subnet)};
  };
  // What is designated has an order, by its priorities, so it is the usual one.
  const auto listed = [&](const name& domain, const std::vector<upstream>& servers, upstream_choice usual) {
    std::vector<upstream> all = with_system(servers, system);
    const upstream_rules rules = rules_of(upstream_choice::ordered, false);
    auto from = discovered_of(s, all, rules, lists_system(servers) ? &system : nullptr);
    if (!from) return group(domain, std::move(all), usual, false);
    upstream_group made = group(domain, {}, upstream_choice::ordered, false);
    made.from = std::move(from);
    return made;
  };
  std::vector<upstream_group> groups;
  if (s.servers.empty()) {
    std::vector<upstream> servers;
    for (const endpoint& at : system.servers) servers.push_back(make_upstream(at));
    groups.push_back(group(name(), std::move(servers), upstream_choice::ordered, system.rotate));
    apply(system, q.try_timeout.has_value(), groups.back().rules);
  } else {
    groups.push_back(listed(name(), s.servers, upstream_choice::fastest));
  }
  for (const settings::domain& d : s.domains) groups.push_back(listed(d.suffix, d.servers, upstream_choice::ordered));
  return groups;
}

// Never those that need to be looked up themselves: an upstream's name is not asked for through itself.
std::vector<upstream_group> bootstrap_for(const settings& s, const resolv_conf& system) {
  settings plain = s;
  plain.servers = s.bootstrap;
  plain.domains.clear();
  return upstream_groups_for(plain, system);
}

lookup_request lookup_for(const settings& s, target what, std::optional<families> wanted, bool search,
                          std::optional<bool> https, const resolv_conf& system, bool has_ipv6) {
  const families f = wanted.value_or(s.chosen.families);
  lookup_request r{.search = search, .ask_aaaa = (has_ipv6 || s.chosen.ask_unroutable) && !system.no_aaaa};
  if (what.service) r.types.push_back(rr_type::srv);
  if (https.value_or(what.https) && !what.service)
    r.types.push_back(rr_type::https);  // RFC 8305 section 3, and HEv3: in this order
  if (f != families::ipv4_only) r.types.push_back(rr_type::aaaa);
  if (f != families::ipv6_only) r.types.push_back(rr_type::a);
  if (f == families::both) r.nat64 = s.nat64;
  r.rebinding = s.rebinding;
  r.what = std::move(what);
  return r;
}

race_settings racing_for(const settings& s, const connect_options& o, bool has_ipv6, time_point now) {
  const racing_options& r = s.chosen.racing;
  return {.resolution_delay = r.resolution_delay,
          .attempt_delay = o.attempt_delay.value_or(r.attempt_delay),
          .first_family_count = r.first_family_count,
          .max_live_attempts = static_cast<std::size_t>(r.max_live_attempts),
          .replace_after = r.replace_after,
          .policy = o.policy.value_or(s.chosen.selection.policy),
          .mode = o.mode.value_or(s.chosen.selection.mode),
          .balance = {.band = s.chosen.selection.band},
          .hash_key = std::hash<std::string>()(o.hash_key),
          .adapt_delay = !o.attempt_delay,
          .round_trips = o.ready == ready::tls ? 2 : 1,
          .awaited = has_ipv6 ? family::ipv6 : family::ipv4,
          .deadline = now + o.timeout};
}

std::optional<stale_rules> stale_for(const settings& s, bool use_cache, bool use_stale) {
  const cache_options& c = s.chosen.cache;
  if (!use_cache || !use_stale || c.stale_window == 0s) return std::nullopt;
  return stale_rules{.ttl = c.stale_ttl, .after = c.stale_after};
}

order_settings ordering_for(const settings& s) {
  return {.policy = s.chosen.selection.policy,
          .first_family_count = s.chosen.racing.first_family_count,
          .mode = s.chosen.selection.mode,
          .balance = {.band = s.chosen.selection.band}};
}

order_settings ordering_for(const settings& s, const connect_options& o) {
  order_settings out = ordering_for(s);
  out.policy = o.policy.value_or(out.policy);
  out.mode = o.mode.value_or(out.mode);
  out.hash_key = std::hash<std::string>()(o.hash_key);
  return out;
}

selection_rules selection_rules_for(const settings& s) {
  selection_rules r;
  r.probes.enabled = s.chosen.selection.probing;
  return r;
}

std::string memory_key(const target& what) {
  std::string key = what.host + ":" + std::to_string(what.port.value_or(0));
  for (char& c : key) c = static_cast<char>(ascii_lower(static_cast<std::uint8_t>(c)));
  return key;
}

race_memory memory_for(const settings& s, selection_store& store, const target& what, selection_mode mode) {
  const duration window =
      std::min<std::chrono::seconds>(s.chosen.selection.rotation_window, std::chrono::hours{24 * 365});
  return {store,
          memory_key(what),
          {.mode = mode, .rotation_window = window, .learn_weights = s.chosen.selection.learn_weights}};
}

}  // namespace lbresolve::core
