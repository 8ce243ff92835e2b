#include "io/source_addresses.hpp"

#include "io/socket.hpp"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace lbresolve::io {

std::optional<address> source_addresses::source_of(const address& to, const std::string& interface) {
  auto opened = open_socket(to.family(), SOCK_DGRAM);
  if (!opened) return std::nullopt;
  const int fd = opened.value().get();
  if (!interface.empty() &&
      ::setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface.data(), static_cast<socklen_t>(interface.size())) != 0)
    return std::nullopt;
  const socket_address there(endpoint{to, 9});  // any port will do: nothing is sent
  if (::connect(fd, there.get(), there.size()) != 0) return std::nullopt;
  const auto here = local_endpoint(fd);
  if (!here) return std::nullopt;
  return here->address;
}

std::optional<address> source_addresses::source_of(const address& to, core::time_point now) {
  const std::lock_guard lock(mutex_);
  if (now - known_since_ >= believed_for || known_.size() >= most) {
    known_.clear();
    known_since_ = now;
  }
  if (const auto at = known_.find(to); at != known_.end()) return at->second;
  auto found = source_of(to, std::string());
  if (found) known_.emplace(to, *found);
  return found;
}

namespace {

bool is_wide_ipv6(const ifaddrs& entry) {
  if (entry.ifa_addr == nullptr || entry.ifa_addr->sa_family != AF_INET6) return false;
  const auto& a = reinterpret_cast<const sockaddr_in6*>(entry.ifa_addr)->sin6_addr;
  return !IN6_IS_ADDR_LOOPBACK(&a) && !IN6_IS_ADDR_LINKLOCAL(&a);
}

}  // namespace

bool source_addresses::has_ipv6(core::time_point now) {
  const std::lock_guard lock(mutex_);
  if (has_ipv6_ && now - ipv6_since_ < believed_for) return *has_ipv6_;
  bool found = false;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) == 0) {
    for (const ifaddrs* entry = list; entry != nullptr && !found; entry = entry->ifa_next) found = is_wide_ipv6(*entry);
    ::freeifaddrs(list);
  }
  has_ipv6_ = found;
  ipv6_since_ = now;
  return found;
}

}  // namespace lbresolve::io
