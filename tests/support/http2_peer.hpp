// The server's side of HTTP/2 on a stream in memory, every response up to the test.
#pragma once

#include "support/memory_stream.hpp"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lbresolve::test {

class http2_peer {
 public:
  using fields = std::vector<std::pair<std::string, std::string>>;
  struct request {
    std::int32_t stream = 0;
    std::map<std::string, std::string> fields;
    std::vector<std::uint8_t> content;
  };

  explicit http2_peer(std::shared_ptr<memory_peer> below, std::vector<nghttp2_settings_entry> settings = {})
      : stream(std::move(below)) {
    nghttp2_session_callbacks* table = nullptr;
    nghttp2_session_callbacks_new(&table);
    nghttp2_session_callbacks_set_on_header_callback(table, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(table, on_content);
    nghttp2_session_callbacks_set_on_frame_recv_callback(table, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(table, on_close);
    nghttp2_session_server_new(&session, table, this);
    nghttp2_session_callbacks_del(table);
    nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
    stream->on_received = [this](std::span<const std::uint8_t> bytes) {
      if (nghttp2_session_mem_recv(session, bytes.data(), bytes.size()) < 0) ++violations;
      flush();
    };
    flush();
  }
  ~http2_peer() {
    stream->on_received = nullptr;
    nghttp2_session_del(session);
  }
  http2_peer(const http2_peer&) = delete;
  http2_peer& operator=(const http2_peer&) = delete;

  void respond(std::int32_t id, const fields& f, std::vector<std::uint8_t> content) {
    contents_[id] = std::move(content);
    std::vector<nghttp2_nv> out;
    for (const auto& [name, value] : f) out.push_back(field(name, value));
    nghttp2_data_provider provider{};
    provider.read_callback = read_content;
    nghttp2_submit_response(session, id, out.data(), out.size(), contents_[id].empty() ? nullptr : &provider);
  }
  void flush() {
    const std::uint8_t* bytes = nullptr;
    for (auto size = nghttp2_session_mem_send(session, &bytes); size > 0;
         size = nghttp2_session_mem_send(session, &bytes)) {
      stream->send({bytes, static_cast<std::size_t>(size)});
    }
  }
  /// What the client has set, 0xFFFFFFFF for what it has not.
  std::uint32_t client_setting(nghttp2_settings_id which) {
    return nghttp2_session_get_remote_settings(session, which);
  }

  static nghttp2_nv field(std::string_view name, std::string_view value) {
    const auto octets = [](std::string_view text) {
      return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));
    };
    return {octets(name), octets(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
  }

  std::shared_ptr<memory_peer> stream;
  nghttp2_session* session = nullptr;
  std::vector<request> requests;                 ///< complete ones, in their order
  std::function<void(const request&)> handler;   ///< told of each
  std::map<std::int32_t, std::uint32_t> resets;  ///< of streams by the client
  std::uint32_t client_error = 0;                ///< of its GOAWAY
  std::size_t open = 0, most_open = 0, violations = 0, pongs = 0;

 private:
  static http2_peer& self(void* user) { return *static_cast<http2_peer*>(user); }

  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                       const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) {
    auto& r = self(user).incoming_[frame->hd.stream_id];
    r.stream = frame->hd.stream_id;
    r.fields[std::string(name, name + name_size)] = std::string(value, value + value_size);
    return 0;
  }
  static int on_content(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* bytes, std::size_t size,
                        void* user) {
    auto& content = self(user).incoming_[id].content;
    content.insert(content.end(), bytes, bytes + size);
    return 0;
  }
  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    http2_peer& me = self(user);
    const auto id = frame->hd.stream_id;
    if (frame->hd.type == NGHTTP2_RST_STREAM) me.resets[id] = frame->rst_stream.error_code;
    if (frame->hd.type == NGHTTP2_GOAWAY) me.client_error = frame->goaway.error_code;
    if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) ++me.pongs;
    if (frame->hd.type == NGHTTP2_HEADERS) me.most_open = std::max(me.most_open, ++me.open);
    const bool may_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (may_end && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
      me.requests.push_back(me.incoming_[id]);
      if (me.handler) me.handler(me.requests.back());
    }
    return 0;
  }
  static int on_close(nghttp2_session*, std::int32_t, std::uint32_t, void* user) {
    --self(user).open;
    return 0;
  }
  static ssize_t read_content(nghttp2_session*, std::int32_t id, std::uint8_t* into, std::size_t room,
                              std::uint32_t* flags, nghttp2_data_source*, void* user) {
    auto& left = self(user).contents_[id];
    const auto size = std::min(room, left.size());
    std::memcpy(into, left.data(), size);
    left.erase(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(size));
    if (left.empty()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(size);
  }

  std::map<std::int32_t, request> incoming_;
  std::map<std::int32_t, std::vector<std::uint8_t>> contents_;
};

}  // namespace lbresolve::test
