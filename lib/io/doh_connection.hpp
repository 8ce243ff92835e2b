// One connection of DNS over HTTPS, from its dial to its end.
#pragma once

#include "core/time.hpp"
#include "core/upstream.hpp"
#include "io/dialed_stream.hpp"
#include "io/exchange_sink.hpp"
#include "io/http2_session.hpp"
#include "io/silence.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

namespace lbresolve::io {

/// Dials at once. Its end is final: for what comes later another one is made.
class doh_connection final : dialed_stream::user, public std::enable_shared_from_this<doh_connection> {
 public:
  struct user {
    /// From the event loop only; the user may close() in there. As transport_events::on_reply.
    virtual void on_reply(std::uint64_t exchange, core::reply_match kind, std::span<const std::uint8_t> bytes) = 0;
    /// At any time: it is kept, and told from the event loop.
    virtual void on_failure(std::uint64_t exchange, const error& why) = 0;
    /// From the event loop only: the server wants no more on this connection, and has not looked at this one. It has at
    /// others, so that asking on another connection leads on (RFC 9113 section 6.8).
    virtual void on_unseen(std::uint64_t exchange, std::span<const std::uint8_t> query) = 0;

   protected:
    ~user() = default;
  };

  /// All of them must outlive this, or its close().
  doh_connection(event_loop& loop, stream_dialer& dialer, const core::upstream& to, user& who,
                 std::unique_ptr<http2_session> session, core::duration idle_time, core::duration silence_time);
  void start() { stream_.want(); }  ///< first, and once a shared_ptr holds this
  void close() noexcept;            ///< everything, without a word

  bool takes_requests() const noexcept { return !is_over_ && session_->takes_requests(); }
  /// Nothing will come of it any more: it can be destroyed.
  bool is_over() const noexcept { return is_over_; }
  /// While it takes requests.
  void send(std::uint64_t exchange, std::span<const std::uint8_t> query);
  bool abandon(std::uint64_t exchange);  ///< false where it is not open here

  std::size_t open_exchanges() const noexcept { return ids_.size(); }

 private:
  std::shared_ptr<void> hold() override { return shared_from_this(); }
  void on_open() override;
  void on_data(std::span<const std::uint8_t> bytes) override;
  void on_lost(const error& why) override;
  void on_rested() override { is_over_ = true; }

  void tell_ended();
  void tell(http2_session::outcome& what);
  void settle();
  void settle_later();
  void end(const error& why);

  event_loop& loop_;
  user* user_;  // null once closed
  core::duration idle_time_;
  core::duration silence_time_;
  std::unique_ptr<http2_session> session_;
  std::unordered_map<std::uint64_t, std::uint16_t> ids_;  // of open exchanges: as given to send()
  std::vector<std::uint8_t> out_;
  silence silence_;
  bool telling_ = false;
  bool settling_ = false;  // at the end of this round
  bool answered_ = false;  // a response came over it
  bool is_over_ = false;
  dialed_stream stream_;
};

}  // namespace lbresolve::io
