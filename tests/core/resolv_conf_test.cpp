#include "core/resolv_conf.hpp"

#include "support/test_random.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace lbresolve;
using namespace lbresolve::core;

namespace {

using texts = std::vector<std::string>;

texts servers_of(const resolv_conf& conf) {
  texts all;
  for (const endpoint& e : conf.servers) all.push_back(e.to_string());
  return all;
}

texts search_of(const resolv_conf& conf) {
  texts all;
  for (const name& n : conf.search) all.push_back(n.to_text());
  return all;
}

bool mentions(const texts& warnings, const std::string& what) {
  for (const std::string& w : warnings) {
    if (w.find(what) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("DNS-12: an ordinary resolv.conf is read in full") {
  const resolv_conf conf = parse_resolv_conf(
      "# made by hand\n; really\nnameserver 192.0.2.53\nnameserver\t2001:db8::53  \n"
      "search corp.example example.net\noptions ndots:2 timeout:3 attempts:4 rotate edns0 trust-ad use-vc no-aaaa\n");
  CHECK(servers_of(conf) == texts{"192.0.2.53:53", "[2001:db8::53]:53"});
  CHECK(search_of(conf) == texts{"corp.example", "example.net"});
  CHECK(conf.ndots == 2);
  CHECK(conf.timeout == 3s);
  CHECK(conf.attempts == 4);
  CHECK(conf.rotate);
  CHECK(conf.edns0);
  CHECK(conf.trust_ad);
  CHECK(conf.use_tcp);
  CHECK(conf.no_aaaa);
  CHECK(conf.warnings.empty());
}

TEST_CASE("DNS-12: what is not said has the defaults of resolv.conf(5)") {
  const resolv_conf conf = parse_resolv_conf("nameserver 192.0.2.53\n");
  CHECK(conf.search.empty());
  CHECK(conf.ndots == 1);
  CHECK_FALSE(conf.timeout);
  CHECK_FALSE(conf.attempts);
  CHECK_FALSE((conf.rotate || conf.edns0 || conf.trust_ad || conf.use_tcp || conf.no_aaaa));
}

TEST_CASE("DNS-12: without a server the one on this host is asked") {
  for (const char* text : {"", "\n", "# nothing\n", "nameserver\n", "nameserver nonsense\n", "search a.example\n"}) {
    CAPTURE(std::string(text));
    CHECK(servers_of(parse_resolv_conf(text)) == texts{"127.0.0.1:53"});
  }
  CHECK(servers_of(resolv_conf::fallback()) == texts{"127.0.0.1:53"});
}

TEST_CASE("DNS-12: all servers count, not only three, and each once") {
  const resolv_conf conf = parse_resolv_conf(
      "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.1\nnameserver 192.0.2.3\nnameserver 192.0.2.4");
  CHECK(servers_of(conf) == texts{"192.0.2.1:53", "192.0.2.2:53", "192.0.2.3:53", "192.0.2.4:53"});
}

TEST_CASE("DNS-12: a server that is no IP address is left out with a warning that names line and text") {
  const resolv_conf conf =
      parse_resolv_conf("nameserver 192.0.2.1\nnameserver dns.example\nnameserver 192.0.2.2:53\nnameserver 127.1\n");
  CHECK(servers_of(conf) == texts{"192.0.2.1:53"});
  CHECK(conf.warnings.size() == 3);
  CHECK(mentions(conf.warnings, "line 2: the nameserver \"dns.example\""));
  CHECK(mentions(conf.warnings, "line 3: "));
}

TEST_CASE("DNS-12: the scope of a server is a number or the name of an interface") {
  resolv_conf conf = parse_resolv_conf(
      "nameserver fe80::1%eth0\nnameserver fe80::2%7\nnameserver 192.0.2.1%eth0\nnameserver fe80::3%gone\n"
      "nameserver fe80::1%wlan0\n");
  REQUIRE(conf.named_scopes.size() == 3);
  CHECK(conf.named_scopes[0].interface == "eth0");
  CHECK(servers_of(conf) == texts{"[fe80::1]:53", "[fe80::2%7]:53", "[fe80::3]:53", "[fe80::1]:53"});
  CHECK(conf.warnings.size() == 1);
  conf.resolve_scopes([](const std::string& interface) -> std::uint32_t {
    return interface == "gone" ? 0 : interface == "eth0" ? 2 : 3;
  });
  CHECK(servers_of(conf) == texts{"[fe80::1%2]:53", "[fe80::2%7]:53", "[fe80::1%3]:53"});
  CHECK(conf.named_scopes.empty());
  CHECK(mentions(conf.warnings, "no interface \"gone\""));
}

TEST_CASE("DNS-12: when no named scope exists, the server on this host takes over") {
  resolv_conf conf = parse_resolv_conf("nameserver fe80::1%a\nnameserver fe80::2%b\n");
  conf.resolve_scopes([](const std::string&) { return std::uint32_t{0}; });
  CHECK(servers_of(conf) == texts{"127.0.0.1:53"});
  CHECK(conf.warnings.size() == 2);
}

TEST_CASE("DNS-12: of search and domain lines the last one counts") {
  // resolv.conf(5): "If more than one instance of these keywords is present, the last instance is the one used."
  CHECK(search_of(parse_resolv_conf("search a.example b.example\nsearch c.example\n")) == texts{"c.example"});
  CHECK(search_of(parse_resolv_conf("search a.example\ndomain b.example c.example\n")) == texts{"b.example"});
  CHECK(search_of(parse_resolv_conf("domain a.example\nsearch b.example c.example\n")) ==
        texts{"b.example", "c.example"});
  CHECK(search_of(parse_resolv_conf("search a.example\nsearch\n")).empty());
  CHECK(search_of(parse_resolv_conf("search .\n")) == texts{"."});
}

TEST_CASE("DNS-12: a search domain that is no name is left out with a warning") {
  const resolv_conf conf = parse_resolv_conf("search a..b good.example " + std::string(64, 'x') + "\n");
  CHECK(search_of(conf) == texts{"good.example"});
  CHECK(conf.warnings.size() == 2);
}

TEST_CASE("DNS-12: ndots, timeout and attempts stop at the limits of libc") {
  const resolv_conf high = parse_resolv_conf("options ndots:16 timeout:31 attempts:6\n");
  CHECK(high.ndots == 15);
  CHECK(high.timeout == 30s);
  CHECK(high.attempts == 5);
  const resolv_conf low = parse_resolv_conf("options ndots:0 timeout:0 attempts:0\n");
  CHECK(low.ndots == 0);
  CHECK(low.timeout == 1s);
  CHECK(low.attempts == 1);
  CHECK(parse_resolv_conf("options ndots:99999999999999999999\n").ndots == 15);
}

TEST_CASE("DNS-12: options add up over lines; unknown ones are nothing to speak of, unreadable numbers are") {
  const resolv_conf conf = parse_resolv_conf(
      "options rotate\noptions timeout:2 single-request-reopen inet6 future:7\noptions ndots:x attempts: ndots:-1 "
      "timeout:2s\n");
  CHECK(conf.rotate);
  CHECK(conf.timeout == 2s);
  CHECK(conf.ndots == 1);
  CHECK_FALSE(conf.attempts);
  CHECK(conf.warnings.size() == 4);
  CHECK(mentions(conf.warnings, "line 3: the option \"ndots:x\""));
}

TEST_CASE("DNS-12: keywords start the line and are whole words; sortlist and others are passed over") {
  const resolv_conf conf = parse_resolv_conf(
      " nameserver 192.0.2.1\nnameservers 192.0.2.2\nNAMESERVER 192.0.2.3\nsortlist 192.0.2.0/24\n#nameserver "
      "192.0.2.4\n"
      "lookup file bind\n");
  CHECK(servers_of(conf) == texts{"127.0.0.1:53"});
  CHECK(conf.warnings.size() == 1);
  CHECK(mentions(conf.warnings, "line 1: "));
}

TEST_CASE("DNS-12: line ends of other systems, and a last line without one") {
  const resolv_conf conf = parse_resolv_conf("nameserver 192.0.2.1\r\nsearch a.example\r\noptions rotate");
  CHECK(servers_of(conf) == texts{"192.0.2.1:53"});
  CHECK(search_of(conf) == texts{"a.example"});
  CHECK(conf.rotate);
}

TEST_CASE("SEC-12: warnings about a hostile file are few and printable") {
  std::string text;
  for (int i = 0; i < 10'000; ++i) text += "nameserver \x1b[2J\x9b\n";
  const resolv_conf conf = parse_resolv_conf(text);
  CHECK(conf.warnings.size() == 16);
  for (const std::string& w : conf.warnings) {
    for (const char c : w) CHECK((c >= 0x20 && c < 0x7f));
  }
}

TEST_CASE("random files, and random octets, leave a configuration that can be used") {
  static constexpr const char* pieces[] = {"nameserver", "search", "domain",    "options",   " ",         "\t",
                                           "\n",         "\r\n",   "192.0.2.1", "::1",       "%eth0",     "%5",
                                           "#",          ";",      "ndots:",    "timeout:",  "attempts:", "rotate",
                                           "-",          "7",      "..",        "a.example", "\0",        "\xff"};
  for (std::uint64_t seed = 1; seed <= 3'000; ++seed) {
    CAPTURE(seed);
    test::test_random random(seed);
    std::string text;
    for (std::uint64_t n = random.below(60); n > 0; --n) {
      if (random.below(8) == 0) {
        text += static_cast<char>(random.below(256));
      } else {
        text += pieces[random.below(std::size(pieces))];
      }
    }
    resolv_conf conf = parse_resolv_conf(text);
    conf.resolve_scopes([&](const std::string&) { return static_cast<std::uint32_t>(random.below(3)); });
    REQUIRE_FALSE(conf.servers.empty());
    REQUIRE((conf.ndots >= 0 && conf.ndots <= 15));
    REQUIRE((!conf.timeout || (*conf.timeout >= 1s && *conf.timeout <= 30s)));
    REQUIRE((!conf.attempts || (*conf.attempts >= 1 && *conf.attempts <= 5)));
  }
}
