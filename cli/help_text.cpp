#include "cli/arguments.hpp"

namespace lbresolve::cli {
namespace {

constexpr std::string_view text = R"(lbresolve: looks names up and connects by name, and tells the story of it.

Usage:
  lbresolve [resolve] NAME...       the addresses of a name, in the order connect would try them
  lbresolve connect HOST:PORT       races the addresses (RFC 8305), shows the race, and hangs up
  lbresolve connect https://HOST    goes where its HTTPS records say (RFC 9460)
  lbresolve connect _SVC._tcp.HOST  goes where its SRV records say (RFC 2782); resolve takes it too
  lbresolve explain HOST:PORT       the order in which connect would try the addresses, and why
  lbresolve probe HOST:PORT         connects to every address, and shows which ones answer
  lbresolve health                  what is remembered of addresses, from earlier runs too

Which servers and files:
  @SERVER, --server SERVER   ask this DNS server; may repeat
                             192.0.2.53, [::1]:5353, tcp://192.0.2.53, tls://192.0.2.53#dns.example,
                             tls://dns.example?ip=192.0.2.53, https://dns.example/dns-query;
                             ddr: the encrypted ones that those of resolv.conf designate (RFC 9462)
  --choice CHOICE            which server first: fastest (the default for those given here),
                             ordered (for those of resolv.conf), race: two at once
  --domain-server DOMAIN=SERVER
                             names in this domain are asked of this server only; may repeat
  --bootstrap SERVER         ask this one for the addresses of servers that are given by name
  --resolv-conf FILE         instead of /etc/resolv.conf
  --hosts FILE               instead of /etc/hosts; an empty FILE reads none

How to look up:
  -4, -6                     only IPv4, only IPv6
  --timeout TIME             for all of it: 500ms, 1.5s, or seconds (resolve 5 s, connect 15 s)
  --no-cache                 ask again for every one of --count
  --stale                    with --count: use answers up to an hour past their TTL where
                             no server answers (RFC 8767)
  --no-search                do not apply the search list of resolv.conf
  --subnet PREFIX            send EDNS Client Subnet, as 198.51.100.0/24; 0.0.0.0/0: no subnet
  --trust-ad                 believe servers without TLS that DNSSEC validated an answer
  --no-private               leave private, loopback and link-local addresses out of what DNS says
  --private-ok DOMAIN        with --no-private: but not for names in this domain; may repeat
  --nat64 PREFIX             this network's NAT64, as 64:ff9b::/96: without IPv4, use it

How to choose among addresses:
  --policy POLICY            balanced (the default), fastest, round_robin, random, hash, in_order
  --mode MODE                hybrid: inside the newest answer (the default); client: inside all
                             that still count; server: the order of the answer stands
  --learn-weights            with --mode client: share as often as DNS answers with each address
  --key TEXT                 what decides with --policy hash; else the target

How to connect (also explain and probe, but for the first):
  --attempt-delay TIME       between attempts: 100ms, 1s, or milliseconds (250 ms)
  --https, --no-https        ask HTTPS records (RFC 9460), or not; asked for https://HOST
  --source ADDRESS           connect from this address
  --interface NAME           connect through this network interface

How to connect with TLS (connect only, but for --ca-file):
  --tls                      connected is what has finished TLS and shown the right certificate
  --alpn LIST                offer these protocols, as h2,http/1.1 (RFC 7301)
  --tls-name NAME            the name or address to verify instead of the target's host
  --ca-file FILE             trust these authorities (PEM), not the system's; of DNS servers too
  --pin sha256-BASE64        trust this public key, and ask no authority; may repeat (RFC 7858)
  --no-verify                whoever answers will do

What is remembered of addresses, in ~/.local/state/lbresolve/health.sqlite:
  --state FILE, --no-state   in another file; nowhere: learn nothing from earlier runs, keep nothing
  --no-probes                open no connections in the background to see how addresses are
  --clear                    with health: forget it all

Repeating:
  --count N                  N times through one resolver, then the distribution and the percentiles
  --parallel P               P of them at a time (1)
  --interval TIME            between the starts, at least: 500ms, 2s, or seconds
  --watch                    with probe: again every second, or every --interval, until Ctrl-C

Output:
  --format table|short|json  short: addresses only; json: see lbresolve(1) for the schema
  --trace                    resolve, explain, probe: the story of the lookup; connect: also why
                             each attempt was started
  --color auto|always|never  auto: on a terminal, unless NO_COLOR is set
  -h, --help                 -V, --version

Exit codes: 0 done, 2 wrong usage, 6 not resolved, 7 not connected, 28 out of time,
35 TLS failed, 60 certificate rejected, 130 interrupted.

Examples:
  lbresolve example.com
  lbresolve resolve example.com @192.0.2.53 --trace
  lbresolve connect example.com:443
  lbresolve connect example.com:443 --count 100 --policy random
  lbresolve connect _imaps._tcp.example.com
  lbresolve explain example.com:443
  lbresolve probe example.com:443 --watch --interval 5s
  lbresolve connect '[2001:db8::1]:443' --timeout 500ms --format json
)";

}  // namespace

std::string_view help_text() { return text; }

}  // namespace lbresolve::cli
