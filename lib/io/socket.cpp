#include "io/socket.hpp"

#include <netinet/in.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace lbresolve::io {

void unique_fd::reset(int fd) noexcept {
  const int old = std::exchange(fd_, fd);
  if (old < 0 || old == fd) return;
  const int kept = errno;
  ::close(old);  // never retried: Linux frees the descriptor also when it says EINTR
  errno = kept;
}

socket_address::socket_address(const endpoint& e) noexcept {
  const auto octets = e.address.bytes();
  if (e.address.is_v4()) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(e.port);
    std::memcpy(&in.sin_addr, octets.data(), octets.size());
    std::memcpy(&storage_, &in, sizeof(in));
    size_ = sizeof(in);
  } else {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(e.port);
    in.sin6_scope_id = e.address.scope();
    std::memcpy(&in.sin6_addr, octets.data(), octets.size());
    std::memcpy(&storage_, &in, sizeof(in));
    size_ = sizeof(in);
  }
}

std::optional<endpoint> to_endpoint(const sockaddr* from, socklen_t size) noexcept {
  if (from == nullptr || size < offsetof(sockaddr, sa_data)) return std::nullopt;
  if (from->sa_family == AF_INET && size >= sizeof(sockaddr_in)) {
    sockaddr_in in;
    std::memcpy(&in, from, sizeof(in));
    std::array<std::uint8_t, 4> octets{};
    std::memcpy(octets.data(), &in.sin_addr, octets.size());
    return endpoint{address::v4(octets), ntohs(in.sin_port)};
  }
  if (from->sa_family == AF_INET6 && size >= sizeof(sockaddr_in6)) {
    sockaddr_in6 in;
    std::memcpy(&in, from, sizeof(in));
    std::array<std::uint8_t, 16> octets{};
    std::memcpy(octets.data(), &in.sin6_addr, octets.size());
    return endpoint{address::v6(octets, in.sin6_scope_id), ntohs(in.sin6_port)};
  }
  return std::nullopt;
}

std::optional<endpoint> local_endpoint(int fd) noexcept {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  auto* const at = reinterpret_cast<sockaddr*>(&storage);
  if (::getsockname(fd, at, &size) != 0) return std::nullopt;
  return to_endpoint(at, size);
}

std::error_code last_error() noexcept { return errno_code(errno); }

std::error_code pending_error(int fd) noexcept {
  int value = 0;
  socklen_t size = sizeof(value);
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &size) != 0) return last_error();
  return errno_code(value);
}

result<unique_fd> open_socket(lbresolve::family family, int type) {
  unique_fd fd(::socket(address_family(family), type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return error(last_error(), "no socket can be opened");
  return fd;
}

}  // namespace lbresolve::io
