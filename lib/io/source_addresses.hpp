// Which address this host would send from: what RFC 6724 needs to know, asked of the kernel's routes.
#pragma once

#include "core/time.hpp"

#include <lbresolve/endpoint.hpp>

#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

namespace lbresolve::io {

/// Asks the kernel by connecting a UDP socket, which sends nothing. What it said is believed for a second: routes
/// change seldom, and a connect by name should not pay for a system call per address. Thread-safe.
class source_addresses {
 public:
  /// The address to send from to reach `to`; nothing where there is no route (never remembered).
  std::optional<address> source_of(const address& to, core::time_point now);

  /// The same through one interface, by name. Not remembered.
  static std::optional<address> source_of(const address& to, const std::string& interface);

  /// Whether this host has an IPv6 address beyond loopback and link-local ones.
  bool has_ipv6(core::time_point now);

  static constexpr core::duration believed_for = std::chrono::seconds{1};

 private:
  static constexpr std::size_t most = 4096;  // then it starts afresh

  std::mutex mutex_;
  core::time_point known_since_{};
  std::unordered_map<address, address> known_;
  std::optional<bool> has_ipv6_;
  core::time_point ipv6_since_{};
};

}  // namespace lbresolve::io
