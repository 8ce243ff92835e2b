#include "io/netlink.hpp"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <type_traits>
#include <utility>

namespace lbresolve::io {

namespace {

/// A dump has one datagram in flight, of at most 32 KiB since Linux 4.5.
constexpr std::size_t buffer_size = 65'536;

/// A router with a full table has a million routes. Both families tell the default ones first: they sort by prefix.
constexpr std::size_t most_messages = 65'536;

constexpr std::size_t aligned(std::size_t n) noexcept { return (n + 3) & ~std::size_t{3}; }

template <class T>
std::optional<T> read(netlink_bytes from) {
  static_assert(std::is_trivially_copyable_v<T>);
  if (from.size() < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, from.data(), sizeof(T));
  return value;
}

/// The attributes after a header of type Header, each within what is left. `f(type, payload)`.
void for_each_attribute(netlink_bytes payload, std::size_t header,
                        const std::function<void(unsigned, netlink_bytes)>& f) {
  if (payload.size() < aligned(header)) return;
  auto left = payload.subspan(aligned(header));
  while (const auto a = read<rtattr>(left)) {
    if (a->rta_len < sizeof(rtattr) || a->rta_len > left.size()) return;
    f(a->rta_type & unsigned{NLA_TYPE_MASK & 0xFFFF}, left.subspan(sizeof(rtattr), a->rta_len - sizeof(rtattr)));
    left = left.subspan(std::min(aligned(a->rta_len), left.size()));
  }
}

std::optional<address> read_address(lbresolve::family family, netlink_bytes from) {
  if (family == lbresolve::family::ipv4) {
    const auto octets = read<std::array<std::uint8_t, 4>>(from);
    return octets && from.size() == octets->size() ? std::optional(address::v4(*octets)) : std::nullopt;
  }
  const auto octets = read<std::array<std::uint8_t, 16>>(from);
  return octets && from.size() == octets->size() ? std::optional(address::v6(*octets)) : std::nullopt;
}

std::optional<lbresolve::family> to_family(unsigned value) noexcept {
  if (value == AF_INET) return lbresolve::family::ipv4;
  if (value == AF_INET6) return lbresolve::family::ipv6;
  return std::nullopt;
}

bool is_local(const address& a) noexcept {
  const auto b = a.bytes();
  if (a.is_v4()) return b[0] == 127 || (b[0] == 169 && b[1] == 254);  // RFC 3927
  const bool is_loopback = std::all_of(b.begin(), b.end() - 1, [](auto octet) { return octet == 0; }) && b[15] == 1;
  return is_loopback || (b[0] == 0xFE && (b[1] & 0xC0) == 0x80);
}

}  // namespace

void for_each_message(netlink_bytes datagram, const std::function<bool(const netlink_message&)>& f) {
  while (const auto header = read<nlmsghdr>(datagram)) {
    if (header->nlmsg_len < sizeof(nlmsghdr) || header->nlmsg_len > datagram.size()) return;
    const auto payload = datagram.subspan(sizeof(nlmsghdr), header->nlmsg_len - sizeof(nlmsghdr));
    if (!f({header->nlmsg_type, header->nlmsg_flags, payload})) return;
    datagram = datagram.subspan(std::min(aligned(header->nlmsg_len), datagram.size()));
  }
}

// ------------------------------------------------------------------------------------ what it says

void netlink_snapshot::take(const netlink_message& m) {
  switch (m.type) {
    case RTM_NEWLINK:
      return take_link(m.payload);
    case RTM_NEWADDR:
      return take_address(m.payload);
    case RTM_NEWROUTE:
      return take_route(m.payload);
    default:
      return;
  }
}

void netlink_snapshot::take_link(netlink_bytes payload) {
  const auto header = read<ifinfomsg>(payload);
  if (!header) return;
  link l;
  // IFF_UP, what the administrator wants, and not the carrier: the bridge of a container engine loses its carrier with
  // its last container, and the network is the same.
  l.counts = (header->ifi_flags & IFF_UP) != 0 && (header->ifi_flags & IFF_LOOPBACK) == 0;
  for_each_attribute(payload, sizeof(ifinfomsg), [&l](unsigned type, netlink_bytes value) {
    if (type != IFLA_IFNAME) return;
    l.name.assign(reinterpret_cast<const char*>(value.data()), value.size());
    l.name.resize(std::min(l.name.find('\0'), l.name.size()));
  });
  links_[static_cast<std::uint32_t>(header->ifi_index)] = std::move(l);
}

void netlink_snapshot::take_address(netlink_bytes payload) {
  const auto header = read<ifaddrmsg>(payload);
  const auto family = header ? to_family(header->ifa_family) : std::nullopt;
  if (!family || header->ifa_scope >= RT_SCOPE_LINK) return;
  std::uint32_t flags = header->ifa_flags;
  std::optional<address> found;
  for_each_attribute(payload, sizeof(ifaddrmsg), [&](unsigned type, netlink_bytes value) {
    if (type == IFA_ADDRESS) found = read_address(*family, value);
    if (type == IFA_FLAGS) flags = read<std::uint32_t>(value).value_or(flags);
  });
  if (!found || is_local(*found)) return;
  if ((flags & (IFA_F_TENTATIVE | IFA_F_DEPRECATED | IFA_F_DADFAILED)) != 0) return;
  prefixes_.push_back({header->ifa_index, core::masked(*found, header->ifa_prefixlen), header->ifa_prefixlen});
}

void netlink_snapshot::take_route(netlink_bytes payload) {
  const auto header = read<rtmsg>(payload);
  const auto family = header ? to_family(header->rtm_family) : std::nullopt;
  if (!family || header->rtm_dst_len != 0 || header->rtm_type != RTN_UNICAST) return;
  if ((header->rtm_flags & RTM_F_CLONED) != 0) return;
  const auto read_hop = [&](route& hop, unsigned type, netlink_bytes value) {
    if (type == RTA_GATEWAY) hop.gateway = read_address(*family, value);
    if (type == RTA_OIF) hop.interface = read<std::uint32_t>(value).value_or(0);
    if (type != RTA_VIA || value.size() < 2) return;  // a gateway of the other family (RFC 8950)
    const auto other = to_family(read<std::uint16_t>(value).value_or(0));
    if (other) hop.gateway = read_address(*other, value.subspan(2));
  };
  route single{0, *family, {}};
  for_each_attribute(payload, sizeof(rtmsg), [&](unsigned type, netlink_bytes value) {
    if (type != RTA_MULTIPATH) return read_hop(single, type, value);
    while (const auto hop = read<rtnexthop>(value)) {
      if (hop->rtnh_len < sizeof(rtnexthop) || hop->rtnh_len > value.size()) return;
      route one{static_cast<std::uint32_t>(hop->rtnh_ifindex), *family, {}};
      for_each_attribute(value.first(hop->rtnh_len), sizeof(rtnexthop),
                         [&](unsigned t, netlink_bytes v) { read_hop(one, t, v); });
      routes_.push_back(one);
      value = value.subspan(std::min(aligned(hop->rtnh_len), value.size()));
    }
  });
  if (single.interface != 0) routes_.push_back(single);
}

core::network_facts netlink_snapshot::facts() const {
  const auto name_of = [this](std::uint32_t index) -> const std::string* {
    const auto at = links_.find(index);
    return at != links_.end() && at->second.counts ? &at->second.name : nullptr;
  };
  core::network_facts facts;
  for (const auto& p : prefixes_) {
    if (const auto* name = name_of(p.interface)) facts.prefixes.push_back({*name, p.network, p.length});
  }
  for (const auto& r : routes_) {
    if (const auto* name = name_of(r.interface)) facts.routes.push_back({*name, r.family, r.gateway});
  }
  return facts;
}

bool is_of_interest(const netlink_message& notice) {
  switch (notice.type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return true;
    case RTM_NEWROUTE:
    case RTM_DELROUTE: {
      const auto header = read<rtmsg>(notice.payload);
      return header && header->rtm_dst_len == 0;
    }
    default:
      return false;
  }
}

// ------------------------------------------------------------------------------------- asking it

result<unique_fd> open_netlink(std::uint32_t groups) {
  const int how = SOCK_RAW | SOCK_CLOEXEC | (groups != 0 ? SOCK_NONBLOCK : 0);
  unique_fd fd(::socket(AF_NETLINK, how, NETLINK_ROUTE));
  if (!fd) return error(last_error());
  sockaddr_nl here{};
  here.nl_family = AF_NETLINK;
  here.nl_groups = groups;
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&here), sizeof here) != 0) return error(last_error());
  return fd;
}

result<netlink_bytes> receive_netlink(int fd, std::span<std::byte> buffer) {
  for (;;) {
    sockaddr_nl from{};
    iovec part{buffer.data(), buffer.size()};
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    const auto got = ::recvmsg(fd, &message, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return error(last_error());
    if (message.msg_namelen != sizeof from || from.nl_pid != 0) continue;  // any process may send to us
    if ((message.msg_flags & MSG_TRUNC) != 0) return error(errno_code(EMSGSIZE));
    return netlink_bytes(buffer.first(static_cast<std::size_t>(got)));
  }
}

namespace {

enum class dumped : std::uint8_t { whole, torn, failed };

bool send_dump_request(int fd, std::uint16_t what, unsigned char family) {
  struct {
    nlmsghdr header;
    std::array<unsigned char, std::max({sizeof(ifinfomsg), sizeof(ifaddrmsg), sizeof(rtmsg)})> body;
  } request{};
  const std::size_t body = what == RTM_GETLINK   ? sizeof(ifinfomsg)
                           : what == RTM_GETADDR ? sizeof(ifaddrmsg)
                                                 : sizeof(rtmsg);
  request.header.nlmsg_len = static_cast<std::uint32_t>(sizeof(nlmsghdr) + body);
  request.header.nlmsg_type = what;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.body[0] = family;  // each of the three kinds begins with it
  const auto size = static_cast<ssize_t>(request.header.nlmsg_len);
  return ::send(fd, &request, static_cast<std::size_t>(size), 0) == size;
}

dumped dump(int fd, std::uint16_t what, unsigned char family, netlink_snapshot& into, std::span<std::byte> buffer) {
  if (!send_dump_request(fd, what, family)) return dumped::failed;
  std::optional<dumped> ended;
  bool torn = false;
  for (std::size_t messages = 0; !ended;) {
    const auto datagram = receive_netlink(fd, buffer);
    if (!datagram || datagram.value().empty()) return dumped::failed;
    for_each_message(datagram.value(), [&](const netlink_message& m) {
      torn = torn || (m.flags & NLM_F_DUMP_INTR) != 0;
      if (m.type == NLMSG_ERROR) ended = dumped::failed;
      if (m.type == NLMSG_DONE) ended = torn ? dumped::torn : dumped::whole;
      if (ended) return false;
      into.take(m);
      return true;
    });
    messages += 1;
    if (messages > most_messages) return dumped::whole;
  }
  return *ended;
}

dumped dump_all(netlink_snapshot& into) {
  constexpr std::array<std::pair<std::uint16_t, unsigned char>, 4> wanted{
      {{RTM_GETLINK, AF_UNSPEC}, {RTM_GETADDR, AF_UNSPEC}, {RTM_GETROUTE, AF_INET}, {RTM_GETROUTE, AF_INET6}}};
  std::vector<std::byte> buffer(buffer_size);
  for (const auto& [what, family] : wanted) {
    // A socket for each: one left in the middle of a dump cannot be used for the next.
    const auto opened = open_netlink(0);
    if (!opened) return dumped::failed;
    const int fd = opened.value().get();
    const timeval patience{1, 0};  // the kernel answers at once; this is for a sandbox that swallows the request
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const auto ended = dump(fd, what, family, into, buffer);
    if (ended != dumped::whole) return ended;
  }
  return dumped::whole;
}

}  // namespace

std::optional<core::network_facts> ask_network_facts() {
  // Torn: something changed meanwhile. After a few tries what there is must do; a change is told of in any case.
  for (int tries = 0; tries < 4; ++tries) {
    netlink_snapshot snapshot;
    const auto ended = dump_all(snapshot);
    if (ended == dumped::failed) return std::nullopt;
    if (ended == dumped::whole || tries == 3) return snapshot.facts();
  }
  return std::nullopt;
}

}  // namespace lbresolve::io
