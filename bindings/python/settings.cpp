#include "settings.hpp"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace nb = nanobind;

namespace lbresolve::python {
namespace {

/// One setting: its name, and how its value gets in.
template <class Options>
using setter = std::pair<std::string_view, void (*)(nb::handle, Options&)>;

template <class Options, std::size_t N>
void read_all(nb::dict from, Options& to, const std::array<setter<Options>, N>& known) {
  for (const auto& [key, value] : from) {
    const std::string_view name = nb::cast<nb::str>(key).c_str();
    bool found = false;
    for (const auto& [known_name, set] : known) {
      if (known_name != name) continue;
      found = true;
      try {
        set(value, to);
      } catch (const nb::cast_error&) {
        throw nb::type_error(("the setting " + std::string(name) + " has a value of the wrong type").c_str());
      }
    }
    if (!found) throw nb::type_error(("there is no setting " + std::string(name)).c_str());
  }
}

std::chrono::milliseconds ms(nb::handle value) { return std::chrono::milliseconds(nb::cast<std::int64_t>(value)); }
std::chrono::seconds s(nb::handle value) { return std::chrono::seconds(nb::cast<std::int64_t>(value)); }
std::string text(nb::handle value) { return nb::cast<std::string>(value); }
std::vector<std::string> texts(nb::handle value) { return nb::cast<std::vector<std::string>>(value); }
bool truth(nb::handle value) { return nb::cast<bool>(value); }

template <class E, std::size_t N>
E one_of(nb::handle value, const char* what, const std::array<std::pair<std::string_view, E>, N>& words) {
  const std::string given = text(value);
  std::string all;
  for (const auto& [word, meaning] : words) {
    if (word == given) return meaning;
    all += (all.empty() ? "" : ", ") + std::string(word);
  }
  throw nb::value_error((std::string(what) + " is '" + given + "': give one of " + all).c_str());
}

lbresolve::policy read_policy(nb::handle value) {
  return one_of(value, "policy",
                std::array<std::pair<std::string_view, policy>, 6>{{{"balanced", policy::balanced},
                                                                    {"fastest", policy::fastest},
                                                                    {"round_robin", policy::round_robin},
                                                                    {"random", policy::random},
                                                                    {"hash", policy::hash},
                                                                    {"in_order", policy::in_order}}});
}

selection_mode read_mode(nb::handle value) {
  return one_of(value, "mode",
                std::array<std::pair<std::string_view, selection_mode>, 3>{{{"server", selection_mode::server},
                                                                            {"client", selection_mode::client},
                                                                            {"hybrid", selection_mode::hybrid}}});
}

lbresolve::families read_families(nb::handle value) {
  return one_of(value, "families",
                std::array<std::pair<std::string_view, families>, 3>{
                    {{"both", families::both}, {"ipv4", families::ipv4_only}, {"ipv6", families::ipv6_only}}});
}

upstream_choice read_choice(nb::handle value) {
  return one_of(value, "upstream_choice",
                std::array<std::pair<std::string_view, upstream_choice>, 3>{{{"ordered", upstream_choice::ordered},
                                                                             {"fastest", upstream_choice::fastest},
                                                                             {"race", upstream_choice::race}}});
}

void read_domains(nb::handle value, options& to) {
  for (const auto& [domain, servers] : nb::cast<nb::dict>(value))
    to.domain_servers.push_back({.domain = text(domain), .servers = texts(servers)});
}

constexpr std::array<setter<options>, 31> of_resolver{{
    {"servers", [](nb::handle v, options& o) { o.servers = texts(v); }},
    {"domain_servers", read_domains},
    {"bootstrap", [](nb::handle v, options& o) { o.bootstrap = texts(v); }},
    {"rebinding_filter", [](nb::handle v, options& o) { o.rebinding_filter = truth(v); }},
    {"rebinding_allowed", [](nb::handle v, options& o) { o.rebinding_allowed = texts(v); }},
    {"families", [](nb::handle v, options& o) { o.families = read_families(v); }},
    {"nat64_prefix", [](nb::handle v, options& o) { o.nat64_prefix = text(v); }},
    {"mode", [](nb::handle v, options& o) { o.selection.mode = read_mode(v); }},
    {"policy", [](nb::handle v, options& o) { o.selection.policy = read_policy(v); }},
    {"band", [](nb::handle v, options& o) { o.selection.band = nb::cast<double>(v); }},
    {"rotation_window_s", [](nb::handle v, options& o) { o.selection.rotation_window = s(v); }},
    {"learn_weights", [](nb::handle v, options& o) { o.selection.learn_weights = truth(v); }},
    {"probing",
     [](nb::handle v, options& o) {
       o.selection.probing = truth(v);
       o.query.probing = truth(v);
     }},
    {"state_file", [](nb::handle v, options& o) { o.selection.state_file = text(v); }},
    {"resolution_delay_ms", [](nb::handle v, options& o) { o.racing.resolution_delay = ms(v); }},
    {"attempt_delay_ms", [](nb::handle v, options& o) { o.racing.attempt_delay = ms(v); }},
    {"max_live_attempts", [](nb::handle v, options& o) { o.racing.max_live_attempts = nb::cast<int>(v); }},
    {"try_timeout_ms", [](nb::handle v, options& o) { o.query.try_timeout = ms(v); }},
    {"query_timeout_ms", [](nb::handle v, options& o) { o.query.timeout = ms(v); }},
    {"hedge_delay_ms", [](nb::handle v, options& o) { o.query.hedge_delay = ms(v); }},
    {"upstream_choice", [](nb::handle v, options& o) { o.query.choice = read_choice(v); }},
    {"trust_ad", [](nb::handle v, options& o) { o.query.trust_ad = truth(v); }},
    {"ca_file", [](nb::handle v, options& o) { o.query.ca_file = text(v); }},
    {"client_subnet", [](nb::handle v, options& o) { o.query.client_subnet = text(v); }},
    {"cache_bytes", [](nb::handle v, options& o) { o.cache.max_bytes = nb::cast<std::size_t>(v); }},
    {"max_ttl_s", [](nb::handle v, options& o) { o.cache.max_ttl = s(v); }},
    {"min_ttl_s", [](nb::handle v, options& o) { o.cache.min_ttl = s(v); }},
    {"prefetch", [](nb::handle v, options& o) { o.cache.prefetch = truth(v); }},
    {"stale_window_s", [](nb::handle v, options& o) { o.cache.stale_window = s(v); }},
    {"resolv_conf", [](nb::handle v, options& o) { o.resolv_conf = text(v); }},
    {"hosts", [](nb::handle v, options& o) { o.hosts = text(v); }},
}};

constexpr std::array<setter<resolve_options>, 5> of_resolve{{
    {"timeout_ms", [](nb::handle v, resolve_options& o) { o.timeout = ms(v); }},
    {"families", [](nb::handle v, resolve_options& o) { o.families = read_families(v); }},
    {"use_cache", [](nb::handle v, resolve_options& o) { o.use_cache = truth(v); }},
    {"use_stale", [](nb::handle v, resolve_options& o) { o.use_stale = truth(v); }},
    {"search", [](nb::handle v, resolve_options& o) { o.search = truth(v); }},
}};

/// bind() with a port of the caller's choice, which the library does not do: in its stead, so that it is bound once.
void bind_to_port(nb::handle value, connect_options& o) {
  const auto port = nb::cast<std::uint16_t>(value);
  const auto from = std::exchange(o.source_address, std::nullopt);
  if (from) o.families = from->is_v4() ? families::ipv4_only : families::ipv6_only;
  o.hook = [port, from](int fd, const endpoint& to) -> std::error_code {
    sockaddr_storage storage{};
    socklen_t size = sizeof(sockaddr_in);
    if (to.address.is_v4()) {
      sockaddr_in in{.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {}, .sin_zero = {}};
      if (from) std::memcpy(&in.sin_addr, from->bytes().data(), sizeof(in.sin_addr));
      std::memcpy(&storage, &in, sizeof(in));
    } else {
      sockaddr_in6 in{};
      in.sin6_family = AF_INET6;
      in.sin6_port = htons(port);
      if (from) {
        std::memcpy(&in.sin6_addr, from->bytes().data(), sizeof(in.sin6_addr));
        in.sin6_scope_id = from->scope();
      }
      size = sizeof(in);
      std::memcpy(&storage, &in, sizeof(in));
    }
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&storage), size) == 0) return {};
    return {errno, std::system_category()};
  };
}

void read_source(nb::handle value, connect_options& o) {
  const std::string given = text(value);
  o.source_address = address::parse(given);
  if (!o.source_address) throw nb::value_error(("the source address " + given + " is not an IP address").c_str());
}

constexpr std::array<setter<connect_options>, 13> of_connect{{
    {"timeout_ms", [](nb::handle v, connect_options& o) { o.timeout = ms(v); }},
    {"families", [](nb::handle v, connect_options& o) { o.families = read_families(v); }},
    {"policy", [](nb::handle v, connect_options& o) { o.policy = read_policy(v); }},
    {"mode", [](nb::handle v, connect_options& o) { o.mode = read_mode(v); }},
    {"hash_key", [](nb::handle v, connect_options& o) { o.hash_key = text(v); }},
    {"attempt_delay_ms", [](nb::handle v, connect_options& o) { o.attempt_delay = ms(v); }},
    {"use_cache", [](nb::handle v, connect_options& o) { o.use_cache = truth(v); }},
    {"use_stale", [](nb::handle v, connect_options& o) { o.use_stale = truth(v); }},
    {"search", [](nb::handle v, connect_options& o) { o.search = truth(v); }},
    {"https_records", [](nb::handle v, connect_options& o) { o.https_records = truth(v); }},
    {"interface", [](nb::handle v, connect_options& o) { o.interface = text(v); }},
    {"source_address", read_source},
    {"source_port", bind_to_port},  // after the address: a dict keeps its order
}};

}  // namespace

void read(nb::dict from, options& to) { read_all(from, to, of_resolver); }
void read(nb::dict from, resolve_options& to) { read_all(from, to, of_resolve); }
void read(nb::dict from, connect_options& to) { read_all(from, to, of_connect); }

endpoint read_endpoint(std::string_view text_of, std::uint16_t port) {
  const auto parsed = address::parse(text_of);
  if (!parsed) throw nb::value_error((std::string(text_of) + " is not an IP address").c_str());
  return {*parsed, port};
}

}  // namespace lbresolve::python
