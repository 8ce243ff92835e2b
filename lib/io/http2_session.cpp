#include "io/http2_session.hpp"

#include "io/socket.hpp"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace lbresolve::io {
namespace {

constexpr std::uint32_t stream_window = 131'072;  // more than the longest answer, so that none waits for an update
constexpr const char* no_more_requests = "it takes no more requests on this connection";
constexpr std::int32_t connection_window = 4'194'304;  // many answers at once

nghttp2_nv field(std::string_view name, std::string_view value) noexcept {
  const auto octets = [](std::string_view text) {
    return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));  // nghttp2 takes a copy
  };
  return {octets(name), octets(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

std::string_view text_of(const std::uint8_t* bytes, std::size_t size) noexcept {
  return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

struct http2_session::stream {
  outcome what;
  std::size_t sent = 0;  // of what.message, for POST
  core::doh_head head;
  bool has_head = false;  // the final one: not that of an interim response (RFC 9110 section 15.2)
  bool is_sent = false;   // it has got one of the streams that the server allows
  bool again = false;     // this is the second time
};

/// What nghttp2 calls while it reads and writes. None of them ends the session: what is wrong is kept, and told by the
/// outcome or by is_over().
struct http2_session::callbacks {
  static http2_session& self(void* user) noexcept { return *static_cast<http2_session*>(user); }

  static int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) noexcept {
    stream* s = self(user).find(frame->hd.stream_id);
    if (frame->hd.type == NGHTTP2_HEADERS && s != nullptr && !s->has_head) s->head = {};
    return 0;
  }

  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                       const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) {
    http2_session& me = self(user);
    const auto id = frame->hd.stream_id;
    stream* s = me.find(id);
    if (frame->hd.type != NGHTTP2_HEADERS || s == nullptr || s->has_head) return 0;  // trailers say nothing to us
    if (s->head.take(text_of(name, name_size), text_of(value, value_size))) return 0;
    me.fail(id, EMSGSIZE, "its answer has an HTTP header longer than 16,384 octets");
    me.reset_stream(id);
    return 0;
  }

  static int on_content(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* bytes, std::size_t size,
                        void* user) {
    self(user).on_content(id, {bytes, size});
    return 0;
  }

  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    http2_session& me = self(user);
    const auto id = frame->hd.stream_id;
    if (frame->hd.type == NGHTTP2_GOAWAY) me.fail_unsent();
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
    if (stream* s = me.find(id); s != nullptr && frame->hd.type == NGHTTP2_HEADERS) me.on_head_complete(id, *s);
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) me.finish(id);
    return 0;
  }

  /// GOAWAY with an error is nghttp2's own doing: the server has broken a rule, and the debug data says which.
  static int on_frame_sent(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    stream* s = self(user).find(frame->hd.stream_id);
    if (frame->hd.type == NGHTTP2_HEADERS && s != nullptr) s->is_sent = true;
    if (frame->hd.type != NGHTTP2_GOAWAY || frame->goaway.error_code == NGHTTP2_NO_ERROR) return 0;
    const auto rule = text_of(frame->goaway.opaque_data, frame->goaway.opaque_data_len);
    self(user).complain(rule.empty() ? nghttp2_http2_strerror(frame->goaway.error_code) : rule);
    return 0;
  }

  /// The path of a GET request may be too long for a header section.
  static int on_frame_not_sent(nghttp2_session*, const nghttp2_frame* frame, int code, void* user) {
    if (frame->hd.type != NGHTTP2_HEADERS) return 0;
    self(user).fail(frame->hd.stream_id, EMSGSIZE,
                    std::string("the request cannot be sent: ") + nghttp2_strerror(code));
    return 0;
  }

  static int on_stream_close(nghttp2_session*, std::int32_t id, std::uint32_t code, void* user) {
    self(user).on_stream_closed(id, code);
    return 0;
  }

  static ssize_t read_message(nghttp2_session*, std::int32_t id, std::uint8_t* into, std::size_t room,
                              std::uint32_t* flags, nghttp2_data_source*, void* user) noexcept {
    stream* s = self(user).find(id);
    if (s == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;  // answered before all of it was read
    const auto left = std::span(s->what.message).subspan(s->sent);
    const auto size = std::min(room, left.size());
    if (size > 0) std::memcpy(into, left.data(), size);
    s->sent += size;
    if (size == left.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(size);
  }

  static nghttp2_session* open(http2_session& me) noexcept {
    nghttp2_session_callbacks* table = nullptr;
    if (nghttp2_session_callbacks_new(&table) != 0) return nullptr;
    nghttp2_session_callbacks_set_on_begin_headers_callback(table, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(table, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(table, on_content);
    nghttp2_session_callbacks_set_on_frame_recv_callback(table, on_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(table, on_frame_sent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(table, on_frame_not_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(table, on_stream_close);
    nghttp2_session* made = nullptr;
    nghttp2_session_client_new(&made, table, &me);
    nghttp2_session_callbacks_del(table);
    return made;
  }
};

http2_session::http2_session(server to) : to_(std::move(to)) {}

http2_session::~http2_session() { nghttp2_session_del(session_); }

std::unique_ptr<http2_session> http2_session::create(server to) {
  std::unique_ptr<http2_session> made(new http2_session(std::move(to)));
  made->session_ = callbacks::open(*made);
  if (made->session_ == nullptr) return nullptr;
  const std::array<nghttp2_settings_entry, 3> settings{
      {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
       {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, stream_window},
       {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, core::doh_head::max_size}}};
  if (nghttp2_submit_settings(made->session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size()) != 0 ||
      nghttp2_session_set_local_window_size(made->session_, NGHTTP2_FLAG_NONE, 0, connection_window) != 0) {
    return nullptr;
  }
  return made;
}

// ------------------------------------------------------------------ requests

bool http2_session::takes_requests() const noexcept {
  return !broken_ && nghttp2_session_check_request_allowed(session_) != 0;
}

bool http2_session::request(std::uint64_t exchange, std::span<const std::uint8_t> message) {
  auto s = std::make_unique<stream>();
  s->what.exchange = exchange;
  s->what.message.assign(message.begin(), message.end());
  return submit(s);
}

/// RFC 8484 section 4.1. No user agent, no cookies: nothing that tells one client from another (section 8.2).
bool http2_session::submit(std::unique_ptr<stream>& s) {
  const auto exchange = s->what.exchange;
  nghttp2_data_provider content{};
  content.read_callback = callbacks::read_message;
  std::int32_t id = 0;
  if (to_.use_get) {
    const std::string path = core::doh_get_path(to_.path, s->what.message);
    const std::array fields{field(":method", "GET"), field(":scheme", "https"), field(":authority", to_.authority),
                            field(":path", path), field("accept", core::doh_media_type)};
    id = nghttp2_submit_request(session_, nullptr, fields.data(), fields.size(), nullptr, nullptr);
  } else {
    const std::string size = std::to_string(s->what.message.size());
    const std::array fields{field(":method", "POST"),
                            field(":scheme", "https"),
                            field(":authority", to_.authority),
                            field(":path", to_.path),
                            field("accept", core::doh_media_type),
                            field("content-type", core::doh_media_type),
                            field("content-length", size)};
    id = nghttp2_submit_request(session_, nullptr, fields.data(), fields.size(), &content, nullptr);
  }
  if (id < 0) return false;
  by_exchange_[exchange] = id;
  streams_[id] = std::move(s);
  return true;
}

bool http2_session::cancel(std::uint64_t exchange) {
  const auto found = by_exchange_.find(exchange);
  if (found == by_exchange_.end()) return false;
  const auto id = found->second;
  close(id);
  reset_stream(id);
  return true;
}

void http2_session::reset_stream(std::int32_t id) noexcept {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
}

// ------------------------------------------------------------------ octets

void http2_session::receive(std::span<const std::uint8_t> bytes) {
  if (broken_) return;
  const auto read = nghttp2_session_mem_recv(session_, bytes.data(), bytes.size());
  if (read >= 0) return;
  broken_ = true;
  complain(nghttp2_strerror(static_cast<int>(read)));
}

void http2_session::complain(std::string_view rule) {
  complaint_ = "it broke the rules of HTTP/2: ";
  complaint_ += rule;
}

void http2_session::send(std::vector<std::uint8_t>& out) {
  if (broken_) return;
  for (;;) {
    const std::uint8_t* bytes = nullptr;
    const auto size = nghttp2_session_mem_send(session_, &bytes);
    if (size == 0) return;
    if (size < 0) {
      broken_ = true;
      complaint_ = nghttp2_strerror(static_cast<int>(size));
      return;
    }
    out.insert(out.end(), bytes, bytes + size);
  }
}

bool http2_session::is_over() const noexcept {
  return broken_ || (nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0);
}

// ------------------------------------------------------------------ responses

http2_session::stream* http2_session::find(std::int32_t id) noexcept {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second.get();
}

void http2_session::on_head_complete(std::int32_t id, stream& s) {
  if (s.has_head || s.head.status / 100 == 1) return;
  s.has_head = true;
  auto refused = core::why_refused(s.head);
  if (!refused) return;
  fail(id, EPROTO, std::move(*refused));
  reset_stream(id);  // whatever page comes with it
}

void http2_session::on_content(std::int32_t id, std::span<const std::uint8_t> bytes) {
  stream* s = find(id);
  if (s == nullptr) return;
  auto& content = s->what.content;
  if (bytes.size() > core::max_doh_message - content.size()) {
    fail(id, EMSGSIZE, "its answer is longer than 65,535 octets");
    return reset_stream(id);
  }
  content.insert(content.end(), bytes.begin(), bytes.end());
}

void http2_session::finish(std::int32_t id) {
  if (auto s = close(id)) {
    s->what.age = s->head.age.value_or(0);
    ended_.push_back(std::move(s->what));
  }
}

void http2_session::fail(std::int32_t id, int errno_value, std::string why) {
  if (auto s = close(id)) {
    s->what.failed = error(errno_code(errno_value), std::move(why));
    ended_.push_back(std::move(s->what));
  }
}

void http2_session::on_stream_closed(std::int32_t id, std::uint32_t code) {
  stream* s = find(id);
  if (s == nullptr) return;
  if (code != NGHTTP2_REFUSED_STREAM) {
    return fail(id, EPROTO,
                std::string("it ended the HTTP/2 stream with ") + nghttp2_http2_strerror(code) +
                    " before the answer was whole");
  }
  // RFC 9113 section 8.7: it was not looked at, so it may be sent again: elsewhere where GOAWAY says so, else here. Our
  // first requests may have crossed with the server's settings; now they are known, and what is too many waits.
  if (!takes_requests()) return fail(id, ECONNABORTED, no_more_requests);
  if (s->again) return fail(id, EBUSY, "it refused the HTTP/2 stream twice");
  auto second = close(id);
  second->again = true;
  second->is_sent = false;
  second->sent = 0;
  const auto exchange = second->what.exchange;
  if (!submit(second)) ended_.push_back({exchange, error(errno_code(ENOMEM)), {}, {}, 0});
}

/// After GOAWAY. nghttp2 would keep them until the streams before them have ended.
void http2_session::fail_unsent() {
  for (const auto id : ids_in_order()) {
    if (streams_.at(id)->is_sent) continue;
    fail(id, ECONNABORTED, no_more_requests);
    reset_stream(id);
  }
}

std::vector<std::int32_t> http2_session::ids_in_order() const {
  std::vector<std::int32_t> ids;
  ids.reserve(streams_.size());
  for (const auto& [id, s] : streams_) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

std::unique_ptr<http2_session::stream> http2_session::close(std::int32_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return nullptr;
  auto s = std::move(found->second);
  streams_.erase(found);
  by_exchange_.erase(s->what.exchange);
  return s;
}

std::optional<http2_session::outcome> http2_session::next() {
  if (ended_.empty()) return std::nullopt;
  auto first = std::move(ended_.front());
  ended_.pop_front();
  return first;
}

std::vector<std::uint64_t> http2_session::reset() {
  std::vector<std::uint64_t> exchanges;
  exchanges.reserve(streams_.size());
  for (const auto id : ids_in_order()) exchanges.push_back(close(id)->what.exchange);
  return exchanges;
}

}  // namespace lbresolve::io
