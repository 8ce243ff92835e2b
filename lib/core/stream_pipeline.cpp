#include "core/stream_pipeline.hpp"

#include "core/wire_name.hpp"

#include <algorithm>
#include <chrono>

namespace lbresolve::core {
namespace {

constexpr std::size_t length_size = 2;
constexpr std::size_t max_message = 65'535;  // RFC 1035 section 4.2.2: what the length says at most
constexpr std::uint16_t option_tcp_keepalive = 11;

void store_u16(std::uint8_t* at, std::size_t value) noexcept {
  at[0] = static_cast<std::uint8_t>(value >> 8 & 0xFF);
  at[1] = static_cast<std::uint8_t>(value & 0xFF);
}

// Length and message go out together: a server may read them as one (RFC 7766 section 8).
void append_framed(std::vector<std::uint8_t>& out, std::span<const std::uint8_t> message) {
  const std::size_t start = out.size();
  out.resize(start + length_size + message.size());
  store_u16(out.data() + start, message.size());
  std::copy(message.begin(), message.end(), out.begin() + static_cast<std::ptrdiff_t>(start + length_size));
}

}  // namespace

bool stream_pipeline::send(std::uint64_t exchange, std::span<const std::uint8_t> query,
                           std::vector<std::uint8_t>& out) {
  if (query.size() < header_size || query.size() > max_message || open_exchanges() >= max_open) return false;
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t place = free_.back();
  free_.pop_back();
  slot& s = slots_[place];
  s.exchange = exchange;
  s.serial = next_serial_++;
  s.query.assign(query.begin(), query.end());
  s.given_id = load_u16(query.data());
  s.told_other_case = false;
  const std::uint16_t id = unused_id(s.given_id);
  store_u16(s.query.data(), id);
  by_exchange_.emplace(exchange, place);
  by_id_.emplace(id, place);
  append_framed(out, s.query);
  return true;
}

std::uint16_t stream_pipeline::unused_id(std::uint16_t wanted) {
  // At most a quarter of all IDs is taken, so that this takes 1.3 draws at most on average.
  while (by_id_.contains(wanted)) wanted = static_cast<std::uint16_t>(random_->next() >> 48);
  return wanted;
}

void stream_pipeline::close(std::uint32_t place) {
  const slot& s = slots_[place];
  by_id_.erase(load_u16(s.query.data()));
  by_exchange_.erase(s.exchange);
  free_.push_back(place);
}

bool stream_pipeline::abandon(std::uint64_t exchange) {
  const auto found = by_exchange_.find(exchange);
  if (found == by_exchange_.end()) return false;
  close(found->second);
  return true;
}

void stream_pipeline::receive(std::span<const std::uint8_t> bytes) {
  in_.erase(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(read_));
  read_ = 0;
  in_.insert(in_.end(), bytes.begin(), bytes.end());
}

std::optional<stream_pipeline::reply> stream_pipeline::next() {
  for (;;) {
    const auto left = std::span(in_).subspan(read_);
    if (left.size() < length_size) return std::nullopt;
    const std::size_t length = load_u16(left.data());
    if (left.size() - length_size < length) return std::nullopt;
    read_ += length_size + length;
    if (auto found = match(left.subspan(length_size, length))) return found;
    ++discarded_;
  }
}

std::optional<stream_pipeline::reply> stream_pipeline::match(std::span<std::uint8_t> bytes) {
  if (bytes.size() < header_size) return std::nullopt;
  const auto found = by_id_.find(load_u16(bytes.data()));
  if (found == by_id_.end()) return std::nullopt;
  const std::uint32_t place = found->second;
  slot& s = slots_[place];
  const auto kind = match_reply(s.query, bytes);
  if (kind == reply_match::stranger || (kind == reply_match::other_case && s.told_other_case)) return std::nullopt;
  has_answered_ = true;
  store_u16(bytes.data(), s.given_id);
  const std::uint64_t exchange = s.exchange;
  if (kind == reply_match::other_case) {
    s.told_other_case = true;
  } else {
    close(place);
  }
  return reply{exchange, kind, bytes};
}

std::vector<std::uint32_t> stream_pipeline::open_in_order() const {
  std::vector<std::uint32_t> open;
  open.reserve(by_exchange_.size());
  for (const auto& [exchange, place] : by_exchange_) open.push_back(place);
  std::sort(open.begin(), open.end(), [&](auto a, auto b) { return slots_[a].serial < slots_[b].serial; });
  return open;
}

void stream_pipeline::forget_connection() noexcept {
  in_.clear();
  read_ = 0;
  has_answered_ = false;
}

std::vector<std::uint64_t> stream_pipeline::reset() {
  std::vector<std::uint64_t> exchanges;
  exchanges.reserve(by_exchange_.size());
  for (const auto place : open_in_order()) {
    exchanges.push_back(slots_[place].exchange);
    close(place);
  }
  forget_connection();
  return exchanges;
}

void stream_pipeline::resume(std::vector<std::uint8_t>& out) {
  for (const auto place : open_in_order()) append_framed(out, slots_[place].query);
  forget_connection();
}

std::optional<duration> tcp_keepalive(std::span<const std::uint8_t> reply) {
  const auto parsed = message::parse(reply);
  if (!parsed || !parsed.value().opt()) return std::nullopt;
  for (auto left = parsed.value().opt()->options; left.size() >= 4;) {
    const std::size_t length = load_u16(left.data() + 2);
    // RFC 7828 section 3.1: a server's option is two octets, in units of 100 milliseconds.
    if (load_u16(left.data()) == option_tcp_keepalive && length == 2) {
      return std::chrono::milliseconds{100} * load_u16(left.data() + 4);
    }
    left = left.subspan(4 + length);
  }
  return std::nullopt;
}

}  // namespace lbresolve::core
