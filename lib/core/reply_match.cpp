// Which datagrams answer a query, and which are to be thrown away (RFC 5452 section 9.1).
#include "core/ascii.hpp"
#include "core/message.hpp"
#include "core/wire_name.hpp"

#include <algorithm>

namespace lbresolve::core {
namespace {

using octets = std::span<const std::uint8_t>;

constexpr std::uint8_t mask_qr_opcode = 0xF8;  // of the third octet of the header
constexpr std::uint8_t response_to_query = 0x80;

/// Name, type and class of the one question of our own query; empty where the bytes are no query.
octets question_of(octets query) noexcept {
  if (query.size() < header_size || load_u16(query.data() + 4) != 1) return {};
  name_walk walk(query, header_size);
  auto step = walk.next();
  while (step == name_walk::step::label) step = walk.next();
  if (step == name_walk::step::error || query.size() - walk.resume() < 4) return {};
  return query.subspan(header_size, walk.resume() + 4 - header_size);
}

/// RFC 6891 section 7: a server from before EDNS may send no more than a header.
bool is_refusal(octets datagram) noexcept {
  const unsigned code = datagram[3] & 0x0FU;
  return datagram.size() == header_size &&
         (code == static_cast<unsigned>(rcode::formerr) || code == static_cast<unsigned>(rcode::notimp));
}

}  // namespace

reply_match match_reply(std::span<const std::uint8_t> query, std::span<const std::uint8_t> datagram) {
  const octets asked = question_of(query);
  if (asked.empty() || datagram.size() < header_size) return reply_match::stranger;
  if (datagram[0] != query[0] || datagram[1] != query[1]) return reply_match::stranger;
  if ((datagram[2] & mask_qr_opcode) != response_to_query) return reply_match::stranger;
  if (is_refusal(datagram)) return reply_match::refusal;
  if (load_u16(datagram.data() + 4) != 1 || datagram.size() - header_size < asked.size()) return reply_match::stranger;
  const octets echoed = datagram.subspan(header_size, asked.size());
  // Our name is not compressed, so a question that says the same has the same octets but for case. Type and class hold
  // no letters to us: they must be equal as they are.
  const std::size_t name_size = asked.size() - 4;
  if (!ascii_equal(asked.data(), echoed.data(), name_size)) return reply_match::stranger;
  if (!std::equal(asked.end() - 4, asked.end(), echoed.end() - 4)) return reply_match::stranger;
  if (!message::parse(datagram)) return reply_match::malformed;
  return std::equal(asked.begin(), asked.end(), echoed.begin()) ? reply_match::reply : reply_match::other_case;
}

}  // namespace lbresolve::core
