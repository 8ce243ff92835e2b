// The stream below DNS over TLS and DNS over HTTPS: opened when it is wanted, closed when nobody has needed it.
#pragma once

#include "core/time.hpp"
#include "core/upstream.hpp"
#include "io/byte_stream.hpp"
#include "io/event_loop.hpp"
#include "io/holder.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace lbresolve::io {

/// One connection at a time to one upstream. Thread-safety: that of its loop.
class dialed_stream final : byte_stream::events, event_loop::timer_handler {
 public:
  /// Called from the event loop, while held. May call everything of the stream.
  struct user : holder {
    virtual void on_open() = 0;
    virtual void on_data(std::span<const std::uint8_t> bytes) = 0;
    /// It could not be opened, or it is over. want() opens another one.
    virtual void on_lost(const error& why) = 0;
    /// It was closed because of rest().
    virtual void on_rested() = 0;

   protected:
    ~user() = default;
  };

  /// All of them must outlive this.
  dialed_stream(event_loop& loop, stream_dialer& dialer, const core::upstream& to, user& who)
      : dialer_(dialer), to_(to), user_(who), rest_(loop, *this) {}
  ~dialed_stream() { close(); }
  dialed_stream(const dialed_stream&) = delete;
  dialed_stream& operator=(const dialed_stream&) = delete;

  /// Opens it, unless it is open or on the way; ends a rest.
  void want();
  /// Nobody needs it: it is closed after `time`, unless it is wanted before.
  void rest(core::duration time);
  /// Without a word to the user.
  void close() noexcept;

  bool is_open() const noexcept { return stream_ != nullptr; }
  void write(std::span<const std::uint8_t> bytes) { stream_->write(bytes); }  ///< while open
  void acknowledge() { stream_->acknowledge(); }                              ///< while open
  std::string_view protocol() const noexcept { return stream_->protocol(); }  ///< while open

 private:
  void on_dialed(result<std::unique_ptr<byte_stream>> dialed);
  void on_data(std::span<const std::uint8_t> bytes) override;
  void on_closed(const error& why) override;
  void on_timer() override;

  stream_dialer& dialer_;
  const core::upstream& to_;
  user& user_;
  std::optional<stream_dialer::id> dialing_;
  std::unique_ptr<byte_stream> stream_;
  event_loop::timer rest_;
};

/// After so long without a word, a connection on which an exchange is given up is not used again.
inline constexpr core::duration longest_silence = std::chrono::seconds{1};

/// Why the other exchanges of such a connection are over: connection_aborted, they may be asked again at once.
error fallen_silent();

/// Whether a stream is over because the other side has closed it.
bool is_closed_by_peer(const error& why);

/// `why` a stream is over, for an exchange that was open then: where the other side has closed it, connection_aborted
/// or connection_reset as transport_events has them.
error lost_exchange(const error& why, bool had_answered);

}  // namespace lbresolve::io
