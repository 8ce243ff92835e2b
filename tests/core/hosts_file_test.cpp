#include "core/hosts_file.hpp"

#include "support/test_random.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

using namespace lbresolve;
using namespace lbresolve::core;

namespace {

using texts = std::vector<std::string>;

name name_of(std::string_view text) { return name::from_text(text).value(); }

/// The canonical name, then the addresses; empty where the name is not in the table.
texts found(const hosts_file& hosts, std::string_view text) {
  const auto e = hosts.find(name_of(text));
  if (!e) return {};
  texts all{e->canonical.to_text()};
  for (const address& a : e->addresses) all.push_back(a.to_string());
  return all;
}

}  // namespace

TEST_CASE("DNS-12: /etc/hosts gives the addresses of a name and of its aliases") {
  const hosts_file hosts = hosts_file::parse(
      "127.0.0.1\tlocalhost\n::1 localhost ip6-localhost ip6-loopback\n\n192.0.2.10 web.example web  # the old one\n");
  CHECK(found(hosts, "web.example") == texts{"web.example", "192.0.2.10"});
  CHECK(found(hosts, "web") == texts{"web.example", "192.0.2.10"});
  CHECK(found(hosts, "ip6-loopback") == texts{"localhost", "::1"});
  CHECK(found(hosts, "localhost") == texts{"localhost", "127.0.0.1", "::1"});
  CHECK(found(hosts, "example").empty());
  CHECK(found(hosts, "the").empty());
  CHECK(found(hosts, ".").empty());
  CHECK(hosts.size() == 5);
  CHECK(hosts.bad_lines() == 0);
  CHECK(hosts.warnings().empty());
}

TEST_CASE("DNS-12: several lines for one name add up in file order, without duplicates") {
  const hosts_file hosts = hosts_file::parse(
      "192.0.2.2 first web\n2001:db8::1 web other\n192.0.2.1 web\n192.0.2.2 web\n2001:DB8:0::1 web\n");
  CHECK(found(hosts, "web") == texts{"first", "192.0.2.2", "2001:db8::1", "192.0.2.1"});
  CHECK(found(hosts, "other") == texts{"web", "2001:db8::1"});
}

TEST_CASE("DNS-12: names in /etc/hosts are equal without regard to case, and keep the case they were written in") {
  const hosts_file hosts = hosts_file::parse("192.0.2.1 Web.Example WEB\n192.0.2.2 web\n");
  CHECK(found(hosts, "wEb") == texts{"Web.Example", "192.0.2.1", "192.0.2.2"});
  CHECK(found(hosts, "WEB.EXAMPLE") == texts{"Web.Example", "192.0.2.1"});
  CHECK(found(hosts, "web.example.") == texts{"Web.Example", "192.0.2.1"});
}

TEST_CASE("DNS-12: comments, blank lines, line ends of other systems, and a last line without one") {
  const hosts_file hosts = hosts_file::parse(
      "# a comment\r\n  \t \r\n   # another\r\n192.0.2.1 a#b c\r\n\t192.0.2.2 \t d\te \r\n192.0.2.3 f#\n192.0.2.4 g");
  CHECK(found(hosts, "a") == texts{"a", "192.0.2.1"});
  CHECK(found(hosts, "c").empty());
  CHECK(found(hosts, "d") == texts{"d", "192.0.2.2"});
  CHECK(found(hosts, "e") == texts{"d", "192.0.2.2"});
  CHECK(found(hosts, "f") == texts{"f", "192.0.2.3"});
  CHECK(found(hosts, "g") == texts{"g", "192.0.2.4"});
  CHECK(hosts.bad_lines() == 0);
}

TEST_CASE("DNS-12: bad lines are left out and counted with their number, and spoil nothing") {
  const hosts_file hosts = hosts_file::parse(
      "192.0.2.1 good\n"
      "192.0.2.256 bad\n"
      "not-an-address bad\n"
      "192.0.2.1\n"
      "192.0.2.2 a..b fine .x\n"
      "fe80::1%lo0 bad\n"
      "127.1 bad\n"
      "192.0.2.3 also-good\n");
  CHECK(found(hosts, "good") == texts{"good", "192.0.2.1"});
  CHECK(found(hosts, "fine") == texts{"fine", "192.0.2.2"});
  CHECK(found(hosts, "also-good") == texts{"also-good", "192.0.2.3"});
  CHECK(found(hosts, "bad").empty());
  CHECK(hosts.bad_lines() == 6);
  REQUIRE(hosts.warnings().size() == 7);  // line 5 has two
  CHECK(hosts.warnings()[0] == "line 2: \"192.0.2.256\" is not an IP address, so the line is left out");
  CHECK(hosts.warnings()[3].find("line 5: ") == 0);
}

TEST_CASE("DNS-12: localhost keeps to loopback addresses in /etc/hosts (RFC 6761 section 6.3)") {
  const hosts_file hosts =
      hosts_file::parse("192.0.2.66 localhost www.localhost innocent\n127.0.0.2 localhost\n127.1.2.3 app.localhost\n");
  CHECK(found(hosts, "localhost") == texts{"localhost", "127.0.0.2"});
  CHECK(found(hosts, "www.localhost").empty());
  CHECK(found(hosts, "app.localhost") == texts{"app.localhost", "127.1.2.3"});
  CHECK(found(hosts, "innocent") == texts{"innocent", "192.0.2.66"});
  CHECK(hosts.bad_lines() == 1);
}

TEST_CASE("an empty table knows no name") {
  CHECK_FALSE(hosts_file().find(name_of("localhost")));
  CHECK_FALSE(hosts_file::parse("").find(name_of("localhost")));
  CHECK_FALSE(hosts_file::parse("# nothing\n").find(name()));
}

TEST_CASE("SEC-12: warnings about a hostile file are few and printable") {
  std::string text;
  for (int i = 0; i < 5'000; ++i) text += "\x1b]0;owned\x07 x\n127.0.0.1 \x9b..\n";
  const hosts_file hosts = hosts_file::parse(text);
  CHECK(hosts.bad_lines() == 10'000);
  CHECK(hosts.warnings().size() == hosts_file::max_warnings);
  for (const std::string& w : hosts.warnings()) {
    for (const char c : w) CHECK((c >= 0x20 && c < 0x7f));
  }
}

TEST_CASE("DNS-12: 100,000 lines as ad blockers write them are all found, and none that is not there") {
  std::string text;
  const auto host = [](int i) { return "ads" + std::to_string(i * 7) + ".tracker.example"; };
  for (int i = 0; i < 100'000; ++i) text += "0.0.0.0 " + host(i) + "\n";
  const hosts_file hosts = hosts_file::parse(text);
  CHECK(hosts.size() == 100'000);
  int missing = 0;
  for (int i = 0; i < 100'000; ++i) {
    const auto e = hosts.find(name_of(host(i)));
    if (!e || e->addresses.size() != 1 || e->canonical.to_text() != host(i)) ++missing;
    if (hosts.find(name_of("x" + host(i)))) ++missing;
  }
  CHECK(missing == 0);
}

TEST_CASE("a name on 20,000 lines is no more work than its lines") {
  std::string text;
  for (int i = 0; i < 20'000; ++i) {
    text += "10.1." + std::to_string(i / 256) + "." + std::to_string(i % 256) + " many\n";
  }
  const auto e = hosts_file::parse(text).find(name_of("many"));
  REQUIRE(e);
  CHECK(e->addresses.size() == 20'000);
  CHECK(e->addresses.back().to_string() == "10.1.78.31");
}

TEST_CASE("random files leave a table that agrees with what is in them") {
  static constexpr const char* pieces[] = {"192.0.2.1", "::1", "a",  "B",    "a.b", "localhost", " ",  "\t",
                                           "\n",        "#",   "..", "\r\n", ".",   "\\",        "%1", "\xc3\xbc"};
  for (std::uint64_t seed = 1; seed <= 3'000; ++seed) {
    CAPTURE(seed);
    test::test_random random(seed);
    std::string text;
    for (std::uint64_t n = random.below(80); n > 0; --n) {
      if (random.below(10) == 0) {
        text += static_cast<char>(random.below(256));
      } else {
        text += pieces[random.below(std::size(pieces))];
      }
    }
    const hosts_file hosts = hosts_file::parse(text);
    REQUIRE(hosts.warnings().size() <= hosts_file::max_warnings);
    for (const char* n : {"a", "b", "a.b", "localhost", "c"}) {
      const auto e = hosts.find(name_of(n));
      if (!e) continue;
      REQUIRE_FALSE(e->addresses.empty());
      REQUIRE(e->addresses.size() <= 2);
      REQUIRE_FALSE(e->canonical.is_root());
    }
    REQUIRE_FALSE(hosts.find(name_of("c.never-written")));
  }
}
