// A TCP listener on loopback that accepts and closes, on a thread of its own.
#pragma once

#include <lbresolve/endpoint.hpp>

#include <atomic>
#include <cstddef>
#include <thread>

namespace lbresolve::test {

class listener {
 public:
  /// Listens on 127.0.0.1 (or ::1), at a port of the kernel's choice.
  explicit listener(bool ipv6 = false);
  ~listener();
  listener(const listener&) = delete;
  listener& operator=(const listener&) = delete;

  const endpoint& where() const noexcept { return where_; }
  std::size_t accepted() const noexcept { return accepted_; }

 private:
  void serve();

  endpoint where_;
  int fd_ = -1;
  int stop_ = -1;
  std::atomic<std::size_t> accepted_{0};
  std::thread thread_;
};

/// How many descriptors this process has open.
std::size_t open_descriptors();

}  // namespace lbresolve::test
