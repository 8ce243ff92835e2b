// As much HTTP/2 (RFC 9113) as DNS over HTTPS needs: octets in, octets out, no socket.
#pragma once

#include "core/doh_message.hpp"

#include <lbresolve/error.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

struct nghttp2_session;

namespace lbresolve::io {

/// The client's side of one connection. Requests beyond the number of streams that the server allows wait here for
/// their turn; one that the server refuses unseen is sent a second time. Server push is switched off.
/// Thread-safety: one thread at a time.
class http2_session {
 public:
  struct server {
    std::string authority;
    std::string path;
    bool use_get = false;
  };

  /// Null where memory is short.
  static std::unique_ptr<http2_session> create(server to);
  ~http2_session();
  http2_session(const http2_session&) = delete;
  http2_session& operator=(const http2_session&) = delete;

  /// Whether request() may be called: not after GOAWAY, nor when all stream IDs are used up.
  bool takes_requests() const noexcept;
  /// Opens `exchange` with `message`, as it is to go out. False where that cannot be.
  bool request(std::uint64_t exchange, std::span<const std::uint8_t> message);
  /// False where it is not open. The server is told.
  bool cancel(std::uint64_t exchange);

  /// Takes octets from the stream.
  void receive(std::span<const std::uint8_t> bytes);
  /// Appends what is to be written to the stream. After every other call there may be something.
  void send(std::vector<std::uint8_t>& out);

  /// How an exchange has ended.
  struct outcome {
    std::uint64_t exchange = 0;
    std::optional<error> failed;        ///< connection_aborted: the server has not looked at it, so ask again
    std::vector<std::uint8_t> message;  ///< as given to request()
    std::vector<std::uint8_t> content;  ///< of a response that core::why_refused() has nothing against
    std::uint32_t age = 0;              ///< how many seconds ago `content` was true
  };
  /// The next one; none where nothing has ended since.
  std::optional<outcome> next();

  /// Nothing will come of this connection any more: all exchanges are closed, and are named in the order of request().
  std::vector<std::uint64_t> reset();
  /// The server has broken the protocol, or has said GOAWAY and answered what it will answer.
  bool is_over() const noexcept;
  /// Why it is over, where that was somebody's mistake: a clause for a person.
  const std::string& complaint() const noexcept { return complaint_; }

  std::size_t open_exchanges() const noexcept { return by_exchange_.size(); }

 private:
  struct stream;
  struct callbacks;

  explicit http2_session(server to);
  bool submit(std::unique_ptr<stream>& s);
  stream* find(std::int32_t id) noexcept;
  std::unique_ptr<stream> close(std::int32_t id);
  void finish(std::int32_t id);
  void fail(std::int32_t id, int errno_value, std::string why);
  void on_head_complete(std::int32_t id, stream& s);
  void on_content(std::int32_t id, std::span<const std::uint8_t> bytes);
  void fail_unsent();
  std::vector<std::int32_t> ids_in_order() const;
  void on_stream_closed(std::int32_t id, std::uint32_t code);
  void complain(std::string_view rule);
  void reset_stream(std::int32_t id) noexcept;

  const server to_;
  nghttp2_session* session_ = nullptr;
  std::unordered_map<std::int32_t, std::unique_ptr<stream>> streams_;
  std::unordered_map<std::uint64_t, std::int32_t> by_exchange_;
  std::deque<outcome> ended_;
  std::string complaint_;
  bool broken_ = false;  // nghttp2 itself cannot go on
};

}  // namespace lbresolve::io
