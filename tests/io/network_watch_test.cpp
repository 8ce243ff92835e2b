// The network's fingerprint and its watcher, in a network namespace of the test's own.
#include "io/network_watch.hpp"

#include "io/clock.hpp"
#include "io/netlink.hpp"
#include "support/own_namespace.hpp"

#include <doctest/doctest.h>

#include <linux/rtnetlink.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <chrono>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace lbresolve::io {
namespace {

using namespace std::chrono_literals;
using test::in_child;

// ------------------------------------------------------------------------------------- in a namespace

/// Runs `ip` and succeeds, or ends the child with status 99.
void ip(const std::string& arguments) {
  if (std::system(("PATH=$PATH:/usr/sbin:/sbin; ip " + arguments).c_str()) != 0) ::_exit(99);
}

/// A namespace with a network: v0 with both families, and its other end.
void make_network() {
  if (!test::enter_namespaces(CLONE_NEWNET)) ::_exit(98);
  ip("link set lo up");
  ip("link add v0 type veth peer name v1");
  ip("link set v0 addrgenmode none");
  ip("link set v0 up");
  ip("link set v1 up");
  ip("address add 192.0.2.10/24 dev v0");
  ip("address add 2001:db8:1::10/64 dev v0 nodad");
  ip("route add default via 192.0.2.1 dev v0");
  ip("-6 route add default via 2001:db8:1::1 dev v0");
}

/// What `f` says in a child with make_network(): 0, or the number of the step that went wrong.
#define CHECK_IN_NETWORK(...)                           \
  if (test::has_namespaces(CLONE_NEWNET)) {             \
    CHECK(in_child([] {                                 \
            make_network();                             \
            return std::function<int()>(__VA_ARGS__)(); \
          }) == 0);                                     \
  }                                                     \
  static_assert(true)

/// Whether `ip` with these arguments makes it another network, and with `undo` the old one again.
bool counts(const std::string& change, const std::string& undo) {
  const auto before = network_fingerprint();
  ip(change);
  const bool differs = network_fingerprint() != before;
  ip(undo);
  if (network_fingerprint() != before) ::_exit(97);
  return differs;
}

TEST_CASE("part of MEM-10: addresses, interfaces and default routes make the network, of both families") {
  CHECK_IN_NETWORK([] {
    if (network_fingerprint() == 0 || network_fingerprint() != network_fingerprint()) return 1;
    if (!counts("address add 198.51.100.7/24 dev v0", "address del 198.51.100.7/24 dev v0")) return 2;
    if (!counts("address add 2001:db8:2::7/64 dev v0 nodad", "address del 2001:db8:2::7/64 dev v0")) return 3;
    if (!counts("route change default via 192.0.2.2 dev v0", "route change default via 192.0.2.1 dev v0")) return 4;
    if (!counts("route del default", "route add default via 192.0.2.1 dev v0")) return 5;
    if (!counts("-6 route del default", "-6 route add default via 2001:db8:1::1 dev v0")) return 6;
    if (!counts("route add default via 192.0.2.3 dev v0 metric 9", "route del default metric 9")) return 7;
    const std::string two = "nexthop via 192.0.2.1 dev v0 nexthop via 192.0.2.4 dev v0";
    if (!counts("route replace default " + two, "route replace default via 192.0.2.1 dev v0")) return 8;
    ip("address add 203.0.113.1/24 dev v1");
    if (!counts("link set v1 down", "link set v1 up")) return 9;
    if (!counts("route add default dev v1 table 77", "route del default dev v1 table 77")) return 10;
    return 0;
  });
}

TEST_CASE("part of MEM-10: what does not make another network does not count") {
  CHECK_IN_NETWORK([] {
    ip("link add a0 type veth peer name a1");
    if (counts("link set a0 up", "link set a0 down")) return 1;
    if (counts("link add b0 type veth peer name b1", "link del b0")) return 2;
    // A privacy address (RFC 8981), and one that is on its way out.
    if (counts("address add 2001:db8:1::aaaa:bbbb/64 dev v0 nodad", "address del 2001:db8:1::aaaa:bbbb/64 dev v0"))
      return 3;
    if (counts("address add 2001:db8:3::7/64 dev v0 nodad preferred_lft 0", "address del 2001:db8:3::7/64 dev v0"))
      return 4;
    if (counts("address add 192.0.2.77/24 dev v0", "address del 192.0.2.77/24 dev v0")) return 5;
    if (counts("address add fe80::7/64 dev v0 nodad", "address del fe80::7/64 dev v0")) return 6;
    if (counts("address add 169.254.7.7/16 dev v0", "address del 169.254.7.7/16 dev v0")) return 7;
    if (counts("address add 127.0.0.7/8 dev lo", "address del 127.0.0.7/8 dev lo")) return 8;
    if (counts("address add 10.9.9.9/32 dev lo", "address del 10.9.9.9/32 dev lo")) return 9;
    if (counts("route add 203.0.113.0/24 via 192.0.2.9", "route del 203.0.113.0/24")) return 10;
    if (counts("route add unreachable default metric 999", "route del unreachable default metric 999")) return 11;
    if (counts("link set v1 down", "link set v1 up")) return 12;  // v0's carrier, and no address of v1's
    return 0;
  });
}

TEST_CASE("part of MEM-10: a tentative address does not count until it may be used") {
  CHECK_IN_NETWORK([] {
    const auto before = network_fingerprint();
    ip("address add 2001:db8:4::7/64 dev v0");
    if (std::system("PATH=$PATH:/usr/sbin:/sbin; ip address show dev v0 tentative | grep -q 2001:db8:4") == 0 &&
        network_fingerprint() != before)
      return 1;
    const auto until = now() + 20s;
    while (network_fingerprint() == before && now() < until) ::usleep(50'000);
    return network_fingerprint() != before ? 0 : 2;
  });
}

struct watching {
  std::unique_ptr<event_loop> loop = event_loop::create().value();
  std::vector<std::uint64_t> told;
  network_watch watch{*loop, [this](std::uint64_t f) { told.push_back(f); }};

  /// Until `count` changes were told, or for so long.
  void run(core::duration for_so_long, std::size_t count = 1000) {
    const auto until = now() + for_so_long;
    while (told.size() < count && now() < until) loop->run_once(std::min<core::duration>(until - now(), 50ms));
  }
};

TEST_CASE("part of MEM-10: another network is told once, when the burst of changes has settled") {
  CHECK_IN_NETWORK([] {
    watching w;
    if (!w.watch.is_watching() || w.watch.fingerprint() != network_fingerprint()) return 1;
    const auto before = w.watch.fingerprint();
    ip("route del default");
    ip("address del 192.0.2.10/24 dev v0");
    ip("address add 198.51.100.10/24 dev v0");
    ip("route add default via 198.51.100.1");
    w.run(20s, 1);
    if (w.told.size() != 1 || w.told[0] == before || w.told[0] != network_fingerprint()) return 2;
    if (w.watch.fingerprint() != w.told[0]) return 3;
    w.run(500ms);
    return w.told.size() == 1 ? 0 : 4;
  });
}

TEST_CASE("part of MEM-10: changes that end in the same network, and changes of no matter, are not told") {
  CHECK_IN_NETWORK([] {
    watching w;
    ip("link add a0 type veth peer name a1");
    ip("link set a0 up");
    ip("address add 2001:db8:1::aaaa/64 dev v0 nodad");
    ip("route add 203.0.113.0/24 via 192.0.2.9");
    ip("route del default");
    ip("route add default via 192.0.2.1");
    w.run(1s);
    if (!w.told.empty()) return 1;
    ip("link set v0 down");
    w.run(20s, 1);
    return w.told.size() == 1 ? 0 : 2;
  });
}

TEST_CASE("part of MEM-10: more changes than the kernel keeps for us are one reason to look, and not the end") {
  CHECK_IN_NETWORK([] {
    watching w;
    const auto flood = [](const std::string& what) {
      ip("-batch - >/dev/null <<END\n" +
         [&] {
           std::string lines;
           for (int i = 0; i < 2000; ++i)
             lines += "route " + what + " 10." + std::to_string(i / 250) + "." + std::to_string(i % 250) +
                      ".0/24 via 192.0.2.9\n";
           return lines;
         }() +
         "END");
    };
    flood("add");
    flood("del");
    ip("address add 198.51.100.7/24 dev v0");
    w.run(20s, 1);
    if (w.told.size() != 1) return 1;
    ip("address del 198.51.100.7/24 dev v0");
    w.run(20s, 2);
    return w.told.size() == 2 && w.watch.is_watching() ? 0 : 2;
  });
}

TEST_CASE("part of MEM-10: a network that never settles is looked at nevertheless") {
  CHECK_IN_NETWORK([] {
    watching w;
    ip("address add 198.51.100.7/24 dev v0");
    const auto until = now() + 20s;
    for (int i = 0; w.told.empty() && now() < until; ++i) {
      ip(i % 2 == 0 ? "link set v1 mtu 1400" : "link set v1 mtu 1500");
      w.run(50ms, 1);
    }
    return w.told.size() == 1 ? 0 : 1;
  });
}

TEST_CASE("the watch may be destroyed by what it calls") {
  CHECK_IN_NETWORK([] {
    const auto loop = event_loop::create().value();
    std::unique_ptr<network_watch> watch;
    watch = std::make_unique<network_watch>(*loop, [&](std::uint64_t) { watch.reset(); });
    ip("address add 198.51.100.7/24 dev v0");
    for (const auto until = now() + 20s; watch && now() < until;) loop->run_once(50ms);
    return watch ? 1 : 0;
  });
}

TEST_CASE("where no socket to the kernel can be had, the network is unknown and nothing is watched") {
  const int status = in_child([] {
    const auto loop = event_loop::create().value();
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 3;
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return 1;
    const network_watch watch(*loop, [](std::uint64_t) {});
    if (watch.is_watching() || watch.fingerprint() != 0) return 2;
    loop->run_once(core::duration::zero());
    return 0;
  });
  CHECK(status == 0);
}

// ------------------------------------------------------------------------------------ from bytes alone

/// Builds messages as the kernel does.
class message_builder {
 public:
  template <class T>
  message_builder& put(const T& value) {
    const auto* from = reinterpret_cast<const std::byte*>(&value);
    bytes_.insert(bytes_.end(), from, from + sizeof value);
    bytes_.resize((bytes_.size() + 3) & ~std::size_t{3});
    return *this;
  }
  message_builder& attribute(unsigned short type, const std::vector<unsigned char>& value) {
    put(rtattr{static_cast<unsigned short>(sizeof(rtattr) + value.size()), type});
    for (const auto octet : value) bytes_.push_back(std::byte{octet});
    bytes_.resize((bytes_.size() + 3) & ~std::size_t{3});
    return *this;
  }
  std::vector<std::byte> as(std::uint16_t type) const {
    nlmsghdr header{};
    header.nlmsg_len = static_cast<std::uint32_t>(sizeof header + bytes_.size());
    header.nlmsg_type = type;
    std::vector<std::byte> whole(sizeof header);
    std::memcpy(whole.data(), &header, sizeof header);
    whole.insert(whole.end(), bytes_.begin(), bytes_.end());
    return whole;
  }

 private:
  std::vector<std::byte> bytes_;
};

std::vector<std::byte> small_dump() {
  ifinfomsg link{};
  link.ifi_index = 2;
  link.ifi_flags = 1;  // IFF_UP
  ifaddrmsg at{};
  at.ifa_family = AF_INET;
  at.ifa_prefixlen = 24;
  at.ifa_index = 2;
  rtmsg route{};
  route.rtm_family = AF_INET;
  route.rtm_type = RTN_UNICAST;
  std::vector<std::byte> all;
  for (const auto& one : {message_builder().put(link).attribute(IFLA_IFNAME, {'e', '0', 0}).as(RTM_NEWLINK),
                          message_builder().put(at).attribute(IFA_ADDRESS, {192, 0, 2, 9}).as(RTM_NEWADDR),
                          message_builder()
                              .put(route)
                              .attribute(RTA_GATEWAY, {192, 0, 2, 1})
                              .attribute(RTA_OIF, {2, 0, 0, 0})
                              .as(RTM_NEWROUTE)})
    all.insert(all.end(), one.begin(), one.end());
  return all;
}

core::network_facts read_dump(netlink_bytes bytes) {
  netlink_snapshot snapshot;
  for_each_message(bytes, [&](const netlink_message& m) {
    snapshot.take(m);
    is_of_interest(m);
    return true;
  });
  return snapshot.facts();
}

TEST_CASE("a dump says interfaces, prefixes and default routes") {
  const auto bytes = small_dump();
  const auto facts = read_dump(bytes);
  REQUIRE(facts.prefixes.size() == 1);
  CHECK(facts.prefixes[0] == core::network_prefix{"e0", address::parse("192.0.2.0").value(), 24});
  REQUIRE(facts.routes.size() == 1);
  CHECK(facts.routes[0] == core::default_route{"e0", family::ipv4, address::parse("192.0.2.1").value()});
}

TEST_CASE("messages are read within their bounds, wherever they are cut off or changed") {
  const auto bytes = small_dump();
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const std::vector<std::byte> part(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
    CHECK(read_dump(part).routes.empty());
  }
  std::mt19937 random{3};
  for (int round = 0; round < 20'000; ++round) {
    auto changed = bytes;
    for (auto n = 1 + random() % 4; n > 0; --n) changed[random() % changed.size()] = static_cast<std::byte>(random());
    const auto facts = read_dump(changed);
    CHECK(facts.prefixes.size() + facts.routes.size() <= bytes.size() / sizeof(rtattr));
  }
}

}  // namespace
}  // namespace lbresolve::io
