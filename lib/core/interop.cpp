#include <lbresolve/interop.hpp>

#include "core/ascii.hpp"
#include "core/quoted.hpp"
#include "core/wire_result.hpp"

#include <algorithm>
#include <string>

namespace lbresolve {

namespace {

bool is_of_a_name(char c) {
  return core::ascii_is_letter(c) || core::ascii_is_digit(c) || c == '-' || c == '_' || c == '.';
}

/// What may stand in a list of any of the three without quotes: a name or an address. A name that begins with "-" or
/// "+" would be a command to libcurl.
result<std::string_view> check_host(std::string_view host) {
  const bool is_name = !host.empty() && host.front() != '-' && std::all_of(host.begin(), host.end(), is_of_a_name);
  if (is_name || address::parse(host)) return host;
  return error(make_error_code(errc::invalid_target),
               core::quoted(host) + " is not a host: give a name in ASCII letters, or an IP address, without a port");
}

error no_addresses(const char* why) { return error(make_error_code(errc::no_addresses), why); }

void append_to_list(std::string& list, std::string_view entry) {
  if (!list.empty()) list += ',';
  list += entry;
}

std::uint16_t port_of(const endpoint& e, std::uint16_t default_port) { return e.port != 0 ? e.port : default_port; }

/// A scope's "%" is "%25" in a URI (RFC 6874 section 2).
std::string in_uri(std::string text) {
  if (const auto at = text.find('%'); at != std::string::npos) text.insert(at + 1, "25");
  return text;
}

}  // namespace

result<std::string> curl_resolve_entry(std::string_view host, std::uint16_t port, const resolution& found,
                                       curl_entry kept) {
  LBRESOLVE_TRY(checked, check_host(host));
  std::string addresses;
  for (const endpoint& e : found.endpoints) {
    if (port_of(e, port) != port || e.address.scope() != 0) continue;
    const std::string text = e.address.to_string();
    append_to_list(addresses, e.address.is_v6() ? '[' + text + ']' : text);
  }
  if (addresses.empty()) return no_addresses("none of these addresses can be in an entry for this port");
  std::string entry = kept == curl_entry::expires ? "+" : "";
  const bool is_v6 = checked.find(':') != std::string_view::npos;
  entry += is_v6 ? '[' + std::string(checked) + ']' : std::string(checked);
  return entry + ':' + std::to_string(port) + ':' + addresses;
}

result<libpq_hosts> libpq_hosts_for(std::string_view host, const resolution& found, std::uint16_t default_port) {
  LBRESOLVE_TRY(checked, check_host(host));
  if (found.endpoints.empty()) return no_addresses("there is no address to connect to");
  libpq_hosts lists;
  for (const endpoint& e : found.endpoints) {
    append_to_list(lists.host, checked);
    append_to_list(lists.hostaddr, e.address.to_string());
    append_to_list(lists.port, std::to_string(port_of(e, default_port)));
  }
  return lists;
}

// No value needs quotes: none has a space, a quote or a backslash, and none is empty.
result<std::string> libpq_conninfo(std::string_view host, const resolution& found, std::uint16_t default_port) {
  LBRESOLVE_TRY(lists, libpq_hosts_for(host, found, default_port));
  return "host=" + lists.host + " hostaddr=" + lists.hostaddr + " port=" + lists.port;
}

result<std::string> grpc_target(const resolution& found, std::uint16_t default_port) {
  if (found.endpoints.empty()) return no_addresses("there is no address to connect to");
  const family only = found.endpoints.front().address.family();
  std::string addresses;
  for (const endpoint& e : found.endpoints)
    if (e.address.family() == only)
      append_to_list(addresses, in_uri(endpoint{e.address, port_of(e, default_port)}.to_string()));
  return (only == family::ipv4 ? "ipv4:" : "ipv6:") + addresses;
}

}  // namespace lbresolve
