// A descriptor that closes itself, and addresses as the kernel wants them.
#pragma once

#include <lbresolve/endpoint.hpp>
#include <lbresolve/error.hpp>

#include <sys/socket.h>

#include <optional>
#include <system_error>
#include <utility>

namespace lbresolve::io {

/// Owns a descriptor.
class unique_fd {
 public:
  unique_fd() noexcept = default;
  explicit unique_fd(int fd) noexcept : fd_(fd) {}
  unique_fd(unique_fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  unique_fd& operator=(unique_fd&& other) noexcept {
    reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~unique_fd() { reset(); }

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  /// Gives it up: the caller closes it.
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  /// Closes what it holds and takes `fd`. Leaves errno alone.
  void reset(int fd = -1) noexcept;

 private:
  int fd_ = -1;
};

/// An endpoint as a sockaddr_in or sockaddr_in6.
class socket_address {
 public:
  explicit socket_address(const endpoint& e) noexcept;
  const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t size() const noexcept { return size_; }

 private:
  sockaddr_storage storage_;  // only the first size_ octets are ever set or read
  socklen_t size_;
};

/// The endpoint in `from`; nothing where it is neither IPv4 nor IPv6, or shorter than its family wants.
std::optional<endpoint> to_endpoint(const sockaddr* from, socklen_t size) noexcept;

/// The address a socket is bound to.
std::optional<endpoint> local_endpoint(int fd) noexcept;

/// A value of errno as a code: system category, which compares with std::errc.
inline std::error_code errno_code(int value) noexcept { return {value, std::system_category()}; }

/// What errno says now.
std::error_code last_error() noexcept;

/// What went wrong on a socket since it was last asked (SO_ERROR); clears it.
std::error_code pending_error(int fd) noexcept;

/// A non-blocking, close-on-exec socket of the address's family.
/// @param type SOCK_STREAM or SOCK_DGRAM.
result<unique_fd> open_socket(lbresolve::family family, int type);

constexpr int address_family(lbresolve::family f) noexcept { return f == lbresolve::family::ipv4 ? AF_INET : AF_INET6; }

}  // namespace lbresolve::io
