// A TLS server on a loopback address, on a thread of its own: it greets, echoes, or says nothing at all.
#pragma once

#include "io/fork.hpp"
#include "support/tls_peer.hpp"

#include <lbresolve/endpoint.hpp>

#include <atomic>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace lbresolve::test {

struct tls_listener_settings {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;                  ///< 0: of the kernel's choice
  std::optional<tls_peer_settings> tls{};  ///< none: accepts and stays mute
  std::string greeting{};                  ///< said as soon as the handshake is done, in the same breath
  bool close_in_handshake = false;         ///< closes as soon as something has come in
};

class tls_listener {
 public:
  explicit tls_listener(tls_listener_settings settings);
  ~tls_listener();
  tls_listener(const tls_listener&) = delete;
  tls_listener& operator=(const tls_listener&) = delete;

  const endpoint& where() const noexcept { return where_; }
  std::size_t accepted() const noexcept { return accepted_; }
  /// Everything that clients have said, decrypted.
  std::string heard() const;
  /// The octets of the first thing that a client has sent: a TLS record, or a cleartext that should not have been.
  std::string first_octets() const;

 private:
  struct client;
  void serve();
  void accept_one();
  bool read_from(client& c);
  void write_to(client& c);

  tls_listener_settings settings_;
  std::optional<tls_server_context> shared_;
  endpoint where_;
  int fd_ = -1;
  int stop_ = -1;
  std::atomic<std::size_t> accepted_{0};
  std::vector<std::unique_ptr<client>> clients_;
  io::fork_shelter shelter_;  // a child of a test must not find OpenSSL's locks held by this thread
  mutable std::mutex mutex_;
  std::string heard_;         // guarded by mutex_
  std::string first_octets_;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace lbresolve::test
