// The kernel's interfaces, addresses and routes, as rtnetlink(7) tells them.
#pragma once

#include "core/network_facts.hpp"
#include "io/socket.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace lbresolve::io {

using netlink_bytes = std::span<const std::byte>;

/// One message in a datagram from the kernel.
struct netlink_message {
  std::uint16_t type = 0;
  std::uint16_t flags = 0;
  netlink_bytes payload;
};

/// Calls `f` for each message of a datagram, until it returns false. Stops at the first that does not fit.
void for_each_message(netlink_bytes datagram, const std::function<bool(const netlink_message&)>& f);

/// What has been dumped so far. Messages are read within their bounds; what is malformed or of no interest is skipped.
class netlink_snapshot {
 public:
  void take(const netlink_message& m);

  /// Interfaces that are up, without the loopback: their prefixes, but link-local ones and those of addresses that are
  /// tentative, deprecated or failed (RFC 4862); and their default routes of both families, in every table.
  core::network_facts facts() const;

 private:
  struct link {
    std::string name;
    bool counts = false;
  };
  struct prefix {
    std::uint32_t interface = 0;
    address network;
    std::uint8_t length = 0;
  };
  struct route {
    std::uint32_t interface = 0;
    lbresolve::family family{};
    std::optional<address> gateway;
  };

  void take_link(netlink_bytes payload);
  void take_address(netlink_bytes payload);
  void take_route(netlink_bytes payload);

  std::map<std::uint32_t, link> links_;
  std::vector<prefix> prefixes_;
  std::vector<route> routes_;
};

/// Whether this notice can change what a snapshot's facts() say: routes other than default ones cannot.
bool is_of_interest(const netlink_message& notice);

/// A close-on-exec socket to the kernel. `groups`: RTMGRP_LINK and the like, to be told of changes without blocking; 0:
/// to ask. Fails with errno.
result<unique_fd> open_netlink(std::uint32_t groups);

/// What the kernel says now; nothing where it cannot be asked (no such sockets here, a sandbox). A few hundred
/// microseconds; does not block.
std::optional<core::network_facts> ask_network_facts();

/// One datagram from the kernel into `buffer`; what others sent is dropped. Fails with errno: EAGAIN where there is
/// none, ENOBUFS where some were lost, EMSGSIZE where it did not fit.
result<netlink_bytes> receive_netlink(int fd, std::span<std::byte> buffer);

}  // namespace lbresolve::io
