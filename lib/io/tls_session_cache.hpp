// Sessions that may be resumed, of all the servers that were spoken to.
#pragma once

#include "io/fork.hpp"
#include "io/openssl.hpp"

#include <cstddef>
#include <list>
#include <mutex>
#include <string>
#include <utility>

namespace lbresolve::io {

/// Bounded; the session unused for the longest goes first. Thread-safe. A parent's is empty in a forked child and stays
/// so: connections of the parent may be used there, and the lock may be locked for good.
class tls_session_cache {
 public:
  /// @param key who was authenticated, and by what rule: another key must never get the session
  void put(const std::string& key, ssl_session_pointer session);
  /// The newest for `key`; null for none. TLS 1.3 sessions are given out once (RFC 8446 appendix C.4: clients "SHOULD
  /// NOT reuse a ticket", or an observer could tell that two connections are of one client).
  ssl_session_pointer take(const std::string& key);
  bool has(const std::string& key);

 private:
  static constexpr std::size_t most = 256;
  static constexpr std::size_t most_of_one_key = 4;

  birthplace born_;
  std::mutex mutex_;
  std::list<std::pair<std::string, ssl_session_pointer>> sessions_;  // newest first
};

}  // namespace lbresolve::io
