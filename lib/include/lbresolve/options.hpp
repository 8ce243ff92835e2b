// Every setting of a resolver and of one call, with its default. All are plain aggregates.
#pragma once

#include <lbresolve/endpoint.hpp>
#include <lbresolve/selection.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

namespace lbresolve {

class observer;

/// Which address is tried first among equals: inside a priority of SRV or HTTPS records, and a tier of RFC 6724.
enum class policy : std::uint8_t {
  balanced,     ///< clearly nearer and healthier ones win, equals share by weight, load spills outward
  fastest,      ///< the one with the least expected time to a connection
  round_robin,  ///< one after the other
  random,       ///< by weight, whatever is known of them
  hash,         ///< the same one for the same `hash_key`, while it is there (rendezvous hashing)
  in_order,     ///< as the DNS answer has them
};

/// Which address families are asked for and connected to.
enum class families : std::uint8_t { both, ipv4_only, ipv6_only };

/// Who runs the resolver's work.
enum class loop : std::uint8_t {
  own_thread,  ///< one thread, started when the network is first needed
  caller,      ///< no thread: call `process()` when `fd()` is readable
};

/// Happy Eyeballs (RFC 8305). Times in milliseconds.
struct racing_options {
  std::chrono::milliseconds resolution_delay{50};  ///< waiting for the preferred family, from the first answer
  std::chrono::milliseconds attempt_delay{250};    ///< between attempts; never under 10 ms (section 5)
  int first_family_count = 1;                      ///< of the preferred family before the families alternate
  int max_live_attempts = 6;
  std::chrono::milliseconds replace_after{1'000};  ///< at the cap, an attempt older than this makes room
  std::chrono::milliseconds late_answers{2'000};   ///< answers after the win still reach the cache for so long
};

/// Which of several upstreams is asked first. The others follow when it fails or is slow.
enum class upstream_choice : std::uint8_t {
  ordered,  ///< the first of the list, while it works
  fastest,  ///< the one that has answered fastest lately; in the order of the list while nothing is known
  race,     ///< the two fastest at once
};

/// How upstreams are asked.
struct query_options {
  std::optional<std::chrono::milliseconds> try_timeout;  ///< one try; unset: 2 s, or the system config's `timeout`
  std::chrono::milliseconds timeout{5'000};              ///< the whole query, over all upstreams
  std::chrono::milliseconds hedge_delay{300};            ///< the next upstream is asked too after so long, when the
                                                         ///< first one's speed is unknown
  /// Unset: `ordered` for the system's upstreams and those of `domain_servers`, `fastest` for those in `servers`.
  std::optional<upstream_choice> choice;
  /// Ask an upstream that has failed for something small (the SOA of the root) in the background, when its backoff is
  /// over and the resolver is in use, and use it again once it answers. False: the next query finds out.
  bool probing = true;
  /// Believe upstreams without TLS when they say that DNSSEC validated an answer. For those on this host, or reached
  /// through a network where nobody else can answer. The system's `options trust-ad` does the same for its own.
  bool trust_ad = false;
  /// The authorities (PEM) that may vouch for servers with TLS. Empty: the system's.
  std::string ca_file;
  std::uint16_t udp_payload_size = 1232;  ///< EDNS buffer size (DNS Flag Day 2020), 512 to 4096
  bool randomize_case = true;             ///< 0x20 (draft-vixie-dnsext-dns0x20)
  /// EDNS Client Subnet (RFC 7871), as "192.0.2.0/24"; "0.0.0.0/0" asks upstreams to send none; unset: not sent.
  std::optional<std::string> client_subnet;
};

/// Sizes and limits of the cache. TTLs in seconds.
struct cache_options {
  std::size_t max_bytes = std::size_t{16} << 20;
  std::chrono::seconds max_ttl{86'400};
  std::chrono::seconds min_ttl{0};
  std::chrono::seconds max_negative_ttl{3'600};
  std::chrono::seconds failure_ttl{5};  ///< RFC 9520: first failure; doubles to `max_failure_ttl`
  std::chrono::seconds max_failure_ttl{300};
  /// A name that is used in the last tenth of its answer's TTL is asked for again in the background, once, at a moment
  /// that differs from name to name. What goes unused is not.
  bool prefetch = true;
  /// Not for a shorter TTL: its last tenth is hardly longer than a query takes, and it would mean a query all the time.
  std::chrono::seconds prefetch_min_ttl{10};
  /// Serve-stale (RFC 8767): how long after its time an answer with records may still be used where no upstream gives a
  /// newer one. 0: never. An hour is a good value.
  std::chrono::seconds stale_window{0};
  std::chrono::seconds stale_ttl{30};            ///< `resolution.ttl` of an answer past its time
  std::chrono::milliseconds stale_after{1'800};  ///< how long a resolve waits for a new answer before it takes it
  std::chrono::seconds stale_recheck{30};        ///< after that did not come, not asked again for so long; >= 30 s
};

/// How addresses are chosen among. The reasons are in docs/balancing.md.
struct selection_options {
  selection_mode mode = selection_mode::hybrid;
  lbresolve::policy policy = policy::balanced;
  /// Policy `balanced`: an address is as good as the best while it costs at most so many times as much. 0: only the
  /// best; infinity: weights only.
  double band = 1.25;
  /// Mode `client`: how long an address of a rotating name counts since it was last seen; at most 10 times its TTL.
  std::chrono::seconds rotation_window{300};
  /// Mode `client`: of a name that shows one or a few of many addresses at a time, give each the share of connects that
  /// it has of the answers, among those about as good. For servers that draw their answers by weight; policies
  /// `balanced` and `random` use it. Where the answers do not rotate, and where SRV records say weights, it does
  /// nothing.
  bool learn_weights = false;
  /// Connect in the background to addresses that are suspect, due back, or not measured for a while: of names used in
  /// the last minute that have several, at most 1 % of connects + 1 a second.
  bool probing = true;
  /// A file in which what was learned outlives this process, shared with other processes: SQLite, made where missing.
  /// Empty: none. Whatever is wrong with it means that nothing is remembered, and a note in the next trace.
  std::string state_file;
};

/// Runs once for each attempt, after the socket is made and before it connects, on the thread that races: set socket
/// options here. An error skips that attempt. It must not block, throw, fork, or close the descriptor.
using socket_hook = std::function<std::error_code(int fd, const endpoint& to)>;

/// Asked about every 50 ms by a call that blocks, on the thread that it blocks: true ends the call with
/// errc::cancelled. For what has to be looked at now and then, as an interpreter's Ctrl-C. It must not throw.
using interruption = std::function<bool()>;

/// The upstreams of a domain.
struct domain_servers {
  std::string domain;                ///< "corp.example": this name and all below it
  std::vector<std::string> servers;  ///< at least one, as in `options.servers`
};

/// The settings of a resolver.
struct options {
  /// "1.2.3.4", "[::1]:5353", "udp://1.2.3.4", "tcp://1.2.3.4:53". Empty: the system's. "ddr": whom these designate.
  /// With TLS: "tls://1.1.1.1#cloudflare-dns.com", "tls://dns.example?ip=192.0.2.1", "https://dns.example/dns-query";
  /// the certificate is verified against the name, else against the address, or has to have the key of one of
  /// "?pin=sha256-BASE64&pin=..."; "tls-opportunistic://192.0.2.1" verifies nobody (RFC 7858 section 4.1).
  std::vector<std::string> servers;
  /// Names inside these domains are asked of their own upstreams and of no others; of nested ones the longest counts.
  std::vector<lbresolve::domain_servers> domain_servers;
  /// Upstreams without TLS that are asked for the addresses of those given by name. Empty: the system's.
  std::vector<std::string> bootstrap;
  /// Against DNS rebinding: addresses of this host and of networks around it (loopback, private, link-local and so on,
  /// also inside IPv6 addresses) are left out of what DNS says. Not of the hosts file, nor of a target that is an
  /// address. The trace has a note for each.
  bool rebinding_filter = false;
  std::vector<std::string> rebinding_allowed;  ///< domains that may have such addresses: your own
  lbresolve::families families = families::both;
  lbresolve::loop loop = loop::own_thread;
  /// Ask AAAA also where this host has no route to any IPv6 address.
  bool ask_unroutable = false;
  /// The prefix of this network's NAT64 (RFC 6052), as "64:ff9b::/96"; 32, 40, 48, 56, 64 or 96 bits. Where this host
  /// has no route to an IPv4 address, from DNS or given as it is, but one to the address that the NAT64 has for it,
  /// that one is used instead (RFC 8305 section 7). Not with `families::ipv4_only`. Unset: never.
  std::optional<std::string> nat64_prefix;
  selection_options selection;
  racing_options racing;
  query_options query;
  cache_options cache;
  std::string resolv_conf = "/etc/resolv.conf";   ///< noticed when it changes; missing: 127.0.0.1, as libc does
  std::string hosts = "/etc/hosts";               ///< noticed when it changes; empty: not read
  std::shared_ptr<lbresolve::observer> observer;  ///< is told what happens (observer.hpp); null: nobody
};

/// The settings of one resolve.
struct resolve_options {
  std::chrono::milliseconds timeout{5'000};
  /// Once one address family has answered, how long to wait for the other.
  std::chrono::milliseconds sibling_wait{500};
  std::optional<lbresolve::families> families;  ///< unset: the resolver's
  bool use_cache = true;                        ///< false: ask again; the answer is cached all the same
  /// Where `cache.stale_window` keeps answers past their time: take one when no upstream answers within
  /// `cache.stale_after`. The trace says so, and `resolution.ttl` is `cache.stale_ttl`.
  bool use_stale = true;
  bool search = true;  ///< apply the search list of the system's config
  interruption interrupted;
};

/// What an attempt of a race has to come to before it wins.
enum class ready : std::uint8_t {
  connected,  ///< TCP is there
  tls,        ///< the TLS handshake is done too, and the server verified
};

/// How TLS is spoken, and with whom. TLS 1.2 is the oldest.
struct tls_options {
  /// The DNS name or IP address that the certificate must be for; a name is also sent (SNI). Empty: the target's host,
  /// of a service the name after its two labels.
  std::string name;
  std::vector<std::string> alpn;  ///< protocols to offer, the best first (RFC 7301), as "h2"; `tls().protocol()` tells
  bool alpn_required = false;     ///< whether a server that chooses none of them is refused
  std::string ca_file;            ///< PEM; instead of the system's authorities. Read once by a resolver
  /// "sha256-BASE64" of a public key (RFC 7858 section 4.2). Where there are any, one must match the server's
  /// certificate, or one above it that it leads to; no authority is asked then.
  std::vector<std::string> pins;
  bool verify = true;  ///< false: whoever answers will do
};

/// The settings of one connect.
struct connect_options {
  std::chrono::milliseconds timeout{15'000};
  std::optional<lbresolve::families> families;             ///< unset: the resolver's
  std::optional<lbresolve::policy> policy;                 ///< unset: the resolver's
  std::optional<selection_mode> mode;                      ///< unset: the resolver's
  std::string hash_key;                                    ///< policy `hash`: what decides; empty: the target
  std::optional<std::chrono::milliseconds> attempt_delay;  ///< unset: the resolver's
  bool use_cache = true;
  /// Where `cache.stale_window` keeps answers past their time: connect to their addresses at once while the name is
  /// asked again; new addresses join, and where the old ones fail the new ones are waited for.
  bool use_stale = true;
  bool search = true;
  /// Ask for HTTPS records (RFC 9460), and go where they say; unset: for https:// targets.
  std::optional<bool> https_records;
  std::optional<lbresolve::address> source_address;  ///< the other family is skipped
  std::string interface;                             ///< SO_BINDTODEVICE, by name
  lbresolve::ready ready = ready::connected;
  tls_options tls;  ///< where `ready` is tls
  lbresolve::socket_hook hook;
  interruption interrupted;
};

}  // namespace lbresolve
