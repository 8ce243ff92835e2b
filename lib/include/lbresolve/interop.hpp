// Addresses in the words of libraries that connect by themselves: libcurl, libpq, gRPC.
//
// Each function takes what resolver::resolve() gave, in the order in which connect would try it, and writes it as that
// library wants it. All are plain text: nothing is looked up or connected to, and no header of theirs is needed.
#pragma once

#include <lbresolve/error.hpp>
#include <lbresolve/export.hpp>
#include <lbresolve/resolver.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace lbresolve {

/// How long libcurl keeps an entry.
enum class curl_entry : std::uint8_t {
  stays,    ///< until it is replaced or the handle ends
  expires,  ///< as its own answers do, CURLOPT_DNS_CACHE_TIMEOUT; then libcurl asks DNS itself. Needs libcurl >= 7.75
};

/// An entry for CURLOPT_RESOLVE: "host:443:192.0.2.1,[2001:db8::1]". Needs libcurl >= 7.59.
///
/// `host` and `port` are those of the URL. Endpoints with another port are left out, as libcurl has one port for all
/// addresses of an entry, and so are addresses with a scope, which it cannot read there. errc::no_addresses where
/// nothing is left; errc::invalid_target for a host that cannot be in an entry.
LBRESOLVE_EXPORT result<std::string> curl_resolve_entry(std::string_view host, std::uint16_t port,
                                                        const resolution& found, curl_entry kept = curl_entry::stays);

/// The connection parameters of libpq of these names: lists of equal length, which libpq tries from the first on.
struct libpq_hosts {
  std::string host;  ///< the same name for each: it is what the certificate is verified against
  std::string hostaddr;
  std::string port;
};

/// For PQconnectdbParams(). `host` is what `sslmode=verify-full` checks; `default_port` is for endpoints without one.
/// libpq gives each address `connect_timeout`, and by default minutes. errc::no_addresses for none.
LBRESOLVE_EXPORT result<libpq_hosts> libpq_hosts_for(std::string_view host, const resolution& found,
                                                     std::uint16_t default_port = 5432);

/// The same as text, "host=db,db hostaddr=192.0.2.1,2001:db8::1 port=5432,5432", to go before the rest of a conninfo.
LBRESOLVE_EXPORT result<std::string> libpq_conninfo(std::string_view host, const resolution& found,
                                                    std::uint16_t default_port = 5432);

/// A target for gRPC's C core (C++, Python, Ruby, C#, PHP): "ipv4:192.0.2.1:443,192.0.2.2:443" or
/// "ipv6:[2001:db8::1]:443".
///
/// Such a target has addresses of one family only: that of the first endpoint, which connect would try first; those of
/// the other family are left out. `default_port` is for endpoints without one. errc::no_addresses for none. The name is
/// not in it: set GRPC_ARG_DEFAULT_AUTHORITY to "host:port".
LBRESOLVE_EXPORT result<std::string> grpc_target(const resolution& found, std::uint16_t default_port = 443);

}  // namespace lbresolve
