// What a server of DNS over TLS or HTTPS sends, on whatever octets: frames in pieces of any size, HTTP header fields,
// and the Age that is taken off a message.
#include "core/doh_message.hpp"
#include "core/message.hpp"
#include "core/stream_pipeline.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace {

using namespace lbresolve::core;
using octets = std::span<const std::uint8_t>;

void require(bool holds) {
  if (!holds) __builtin_trap();
}

struct no_random final : random_source {
  std::uint64_t next() override { return ++last_ << 48; }
  std::uint64_t last_ = 0;
};

/// The first message that fits is asked about, so that there is something to match.
void open_exchanges(stream_pipeline& p, octets stream) {
  std::vector<std::uint8_t> query(stream.begin(), stream.end());
  if (query.size() < 2 + 12) return;
  query.erase(query.begin(), query.begin() + 2);
  query[2] &= 0x7F;
  std::vector<std::uint8_t> out;
  for (std::uint64_t exchange = 1; exchange <= 3; ++exchange) require(p.send(exchange, query, out));
}

/// However the stream is cut, the same exchanges end in the same way.
std::vector<std::uint64_t> ended(octets stream, std::size_t piece) {
  no_random random;
  stream_pipeline p(random);
  open_exchanges(p, stream);
  std::vector<std::uint64_t> out;
  for (std::size_t at = 0; at < stream.size(); at += piece) {
    p.receive(stream.subspan(at, std::min(piece, stream.size() - at)));
    while (const auto reply = p.next()) {
      require(reply->kind != reply_match::stranger && reply->bytes.size() >= 12);
      tcp_keepalive(reply->bytes);
      out.push_back(reply->exchange * 8 + static_cast<std::uint64_t>(reply->kind));
    }
  }
  out.push_back(p.discarded());
  out.push_back(p.open_exchanges());
  require(p.reset().size() == out.back());
  return out;
}

void check_head(std::string_view text) {
  doh_head head;
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const auto colon = std::min(line.find(':', 1), line.size());
    if (!head.take(line.substr(0, colon), line.substr(std::min(colon + 1, line.size())))) return;
  }
  const auto why = why_refused(head);
  require(why || head.status == 200);
  if (!why) return;
  require(std::all_of(why->begin(), why->end(), [](char c) { return c >= ' ' && c < 0x7F; }));
}

void check_age(octets bytes) {
  const auto before = message::parse(bytes);
  std::vector<std::uint8_t> aged(bytes.begin(), bytes.end());
  subtract_age(aged, 7);
  if (!before) return require(std::equal(aged.begin(), aged.end(), bytes.begin()));
  const auto after = message::parse(aged);
  if (!after) return;  // a name of it led into a TTL
  for (std::size_t i = 0; i < after.assume_value().records().size(); ++i) {
    require(after.assume_value().records()[i].ttl <= before.assume_value().records()[i].ttl);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const octets bytes(data, size);
  const auto whole = ended(bytes, std::max<std::size_t>(size, 1));
  require(ended(bytes, 1) == whole && ended(bytes, 13) == whole);
  check_head({reinterpret_cast<const char*>(data), size});
  check_age(bytes);
  return 0;
}
