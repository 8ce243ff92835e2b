#include "io/dialed_stream.hpp"

#include "io/clock.hpp"
#include "io/socket.hpp"

#include <cerrno>
#include <string>
#include <utility>

namespace lbresolve::io {

void dialed_stream::want() {
  rest_.clear();
  if (stream_ || dialing_) return;
  dialing_ = dialer_.dial(to_, [this](result<std::unique_ptr<byte_stream>> dialed) { on_dialed(std::move(dialed)); });
}

void dialed_stream::rest(core::duration time) {
  if (stream_) rest_.set(now() + time);
}

void dialed_stream::close() noexcept {
  rest_.clear();
  if (dialing_) dialer_.cancel(*std::exchange(dialing_, std::nullopt));
  stream_.reset();
}

void dialed_stream::on_dialed(result<std::unique_ptr<byte_stream>> dialed) {
  const auto held = user_.hold();
  dialing_.reset();
  if (!dialed) return user_.on_lost(dialed.error());
  stream_ = std::move(dialed).assume_value();
  stream_->listen(*this);
  user_.on_open();
}

void dialed_stream::on_data(std::span<const std::uint8_t> bytes) {
  const auto held = user_.hold();
  user_.on_data(bytes);
}

void dialed_stream::on_closed(const error& why) {
  const auto held = user_.hold();
  const auto gone = std::move(stream_);  // `why` may belong to it
  close();
  user_.on_lost(why);
}

void dialed_stream::on_timer() {
  const auto held = user_.hold();
  close();
  user_.on_rested();
}

error fallen_silent() { return error(errno_code(ECONNABORTED), "it fell silent, and its connection was given up"); }

bool is_closed_by_peer(const error& why) {
  return why.code() == std::errc::connection_reset || why.code() == std::errc::broken_pipe;
}

error lost_exchange(const error& why, bool had_answered) {
  if (!is_closed_by_peer(why)) return why;
  const std::string said = why.message();
  const bool is_bare = said == why.code().message();
  return error(errno_code(had_answered ? ECONNABORTED : ECONNRESET),
               is_bare ? "it closed the connection before it answered" : said);
}

}  // namespace lbresolve::io
