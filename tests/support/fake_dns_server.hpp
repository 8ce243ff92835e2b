// A DNS server for tests, on a thread of its own: UDP and TCP on one loopback port, every reply up to the test.
#pragma once

#include <lbresolve/endpoint.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

namespace lbresolve::test {

class fake_dns_server {
 public:
  struct request {
    bool tcp = false;
    std::size_t connection = 0;  ///< TCP: counts connections from 0
    std::uint16_t source_port = 0;
    std::vector<std::uint8_t> query;
  };

  struct reply {
    std::vector<std::uint8_t> bytes;
    std::chrono::milliseconds after{0};
    bool then_close = false;  ///< TCP: the connection is closed once this has gone out
    bool framed = true;       ///< TCP: false sends the bytes without a length
  };

  /// Called on the server's thread.
  using handler = std::function<std::vector<reply>(const request&)>;

  explicit fake_dns_server(handler h, bool ipv6 = false);
  ~fake_dns_server();
  fake_dns_server(const fake_dns_server&) = delete;
  fake_dns_server& operator=(const fake_dns_server&) = delete;

  const endpoint& where() const noexcept { return where_; }
  /// Every one so far, unless they are only counted.
  std::vector<request> requests() const;
  void only_count() noexcept { only_count_ = true; }
  std::size_t request_count() const noexcept { return request_count_.load(); }
  std::size_t connection_count() const noexcept { return connection_count_.load(); }

 private:
  struct peer;
  struct delayed;
  using clock = std::chrono::steady_clock;

  void serve();
  void accept_one();
  void read_datagrams();
  void read_stream(std::size_t connection);
  void on_request(request r, const std::shared_ptr<peer>& from);
  void send_due();

  handler handler_;
  endpoint where_;
  int udp_ = -1;
  int listener_ = -1;
  int stop_ = -1;
  std::map<std::size_t, std::shared_ptr<peer>> streams_;
  std::multimap<clock::time_point, delayed> later_;
  std::atomic<std::size_t> connection_count_{0};
  std::atomic<std::size_t> request_count_{0};
  std::atomic<bool> only_count_{false};
  mutable std::mutex mutex_;
  std::vector<request> requests_;  // guarded by mutex_
  std::thread thread_;
};

/// `query` with QR, RA and the flags and RCODE given, and `addresses` (IPv4) as its answer.
std::vector<std::uint8_t> answer_to(std::span<const std::uint8_t> query, std::span<const address> addresses = {},
                                    std::uint8_t rcode = 0, bool truncated = false, std::uint8_t ttl = 60);

}  // namespace lbresolve::test
