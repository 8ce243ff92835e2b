#include "support/listener.hpp"

#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <filesystem>

namespace lbresolve::test {

listener::listener(bool ipv6) {
  fd_ = ::socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_storage at{};
  socklen_t size = ipv6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  if (ipv6) {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&at);
    v6->sin6_family = AF_INET6;
    v6->sin6_addr = in6addr_loopback;
    where_.address = *address::parse("::1");
  } else {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&at);
    v4->sin_family = AF_INET;
    v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    where_.address = *address::parse("127.0.0.1");
  }
  ::bind(fd_, reinterpret_cast<sockaddr*>(&at), size);
  ::listen(fd_, 1024);
  ::getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size);
  where_.port =
      ntohs(ipv6 ? reinterpret_cast<sockaddr_in6*>(&at)->sin6_port : reinterpret_cast<sockaddr_in*>(&at)->sin_port);
  stop_ = ::eventfd(0, EFD_CLOEXEC);
  thread_ = std::thread([this] { serve(); });
}

listener::~listener() {
  const std::uint64_t one = 1;
  if (::write(stop_, &one, sizeof one) == sizeof one) thread_.join();
  ::close(stop_);
  ::close(fd_);
}

void listener::serve() {
  for (;;) {
    pollfd polled[2] = {{fd_, POLLIN, 0}, {stop_, POLLIN, 0}};
    if (::poll(polled, 2, -1) < 0) continue;
    if (polled[1].revents != 0) return;
    const int accepted = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
    if (accepted < 0) continue;
    ++accepted_;
    ::close(accepted);
  }
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count - 1;  // the one that reads the directory
}

}  // namespace lbresolve::test
