// Streams in memory, and the dialer that opens them: the other end is the test.
#pragma once

#include "io/byte_stream.hpp"
#include "io/event_loop.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lbresolve::test {

/// The far end of one stream. Kept by the dialer.
class memory_peer : public std::enable_shared_from_this<memory_peer> {
 public:
  memory_peer(io::event_loop& loop, std::string protocol) : loop_(loop), protocol_(std::move(protocol)) {}

  /// Arrives in a later round of the loop.
  void send(std::span<const std::uint8_t> bytes) {
    loop_.post([me = shared_from_this(), bytes = std::vector<std::uint8_t>(bytes.begin(), bytes.end())] {
      if (me->client_ != nullptr) me->client_->on_data(bytes);
    });
  }
  void close(const error& why = error(std::error_code(ECONNRESET, std::system_category()))) {
    loop_.post([me = shared_from_this(), why] {
      if (me->client_ != nullptr) std::exchange(me->client_, nullptr)->on_closed(why);
    });
  }

  std::vector<std::uint8_t> received;                              ///< all that the client wrote
  std::size_t writes = 0;                                          ///< in so many pieces
  std::size_t acknowledged = 0;                                    ///< by the client, at once, so many times
  bool is_closed = false;                                          ///< by the client
  std::function<void(std::span<const std::uint8_t>)> on_received;  ///< told a round later

 private:
  friend class memory_dialer;
  class stream final : public io::byte_stream {
   public:
    explicit stream(std::shared_ptr<memory_peer> peer) : peer_(std::move(peer)) {}
    ~stream() override {
      peer_->client_ = nullptr;
      peer_->is_closed = true;
    }
    void listen(events& to) override { peer_->client_ = &to; }
    void write(std::span<const std::uint8_t> bytes) override { peer_->take(bytes); }
    void acknowledge() override { ++peer_->acknowledged; }
    std::size_t unsent() const noexcept override { return 0; }
    std::string_view protocol() const noexcept override { return peer_->protocol_; }
    bool is_resumed() const noexcept override { return false; }

   private:
    std::shared_ptr<memory_peer> peer_;
  };

  void take(std::span<const std::uint8_t> bytes) {
    ++writes;
    received.insert(received.end(), bytes.begin(), bytes.end());
    if (!on_received) return;
    loop_.post([me = shared_from_this(), bytes = std::vector<std::uint8_t>(bytes.begin(), bytes.end())] {
      me->on_received(bytes);
    });
  }

  io::event_loop& loop_;
  std::string protocol_;
  io::byte_stream::events* client_ = nullptr;
};

class memory_dialer final : public io::stream_dialer {
 public:
  explicit memory_dialer(io::event_loop& loop) : loop_(loop) {}

  id dial(const core::upstream&, finished done) override {
    ++dials;
    waiting_.emplace_back(dials, std::move(done));
    if (!is_held) release();
    return dials;
  }
  void cancel(id which) noexcept override {
    cancelled += std::erase_if(waiting_, [&](const auto& w) { return w.first == which; });
  }
  /// Answers the dials that wait.
  void release() {
    loop_.post([this] {
      for (auto& [which, done] : std::exchange(waiting_, {})) {
        if (fails) {
          done(*std::exchange(fails, std::nullopt));
        } else {
          peers.push_back(std::make_shared<memory_peer>(loop_, protocol));
          if (on_accept) on_accept(peers.back());
          done(std::unique_ptr<io::byte_stream>(std::make_unique<memory_peer::stream>(peers.back())));
        }
      }
    });
  }

  std::string protocol = "h2";
  std::optional<error> fails;  ///< the next dial
  bool is_held = false;        ///< dials wait for release()
  std::function<void(const std::shared_ptr<memory_peer>&)> on_accept;
  std::vector<std::shared_ptr<memory_peer>> peers;  ///< by connection
  id dials = 0;
  std::size_t cancelled = 0;

 private:
  io::event_loop& loop_;
  std::vector<std::pair<id, finished>> waiting_;
};

}  // namespace lbresolve::test
