// The bytes of a query: header, question, OPT; nothing else ever goes out.
#include "core/ascii.hpp"
#include "core/message.hpp"
#include "core/wire_name.hpp"

#include <lbresolve/endpoint.hpp>

#include <algorithm>
#include <charconv>

namespace lbresolve::core {
namespace {

constexpr std::uint8_t flag_rd = 0x01;  // in the third octet of the header
constexpr std::uint8_t flag_ad = 0x20;  // in the fourth
constexpr unsigned class_in = 1;
constexpr unsigned option_client_subnet = 8;  // RFC 7871
constexpr unsigned option_padding = 12;       // RFC 7830
constexpr std::size_t option_header = 4;

using octet_list = std::vector<std::uint8_t>;

void put_u16(octet_list& out, std::size_t value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8 & 0xFF));
  out.push_back(static_cast<std::uint8_t>(value & 0xFF));
}

/// One random bit a letter. Length octets are at most 63, so they are never letters.
void flip_letters(std::span<std::uint8_t> wire, random_source& random) {
  std::uint64_t bits = 0;
  unsigned left = 0;
  for (std::uint8_t& octet : wire) {
    if (!ascii_is_letter(static_cast<char>(octet))) continue;
    if (left == 0) {
      bits = random.next();
      left = 64;
    }
    octet = static_cast<std::uint8_t>(octet ^ ((bits & 1U) << 5));
    bits >>= 1;
    --left;
  }
}

/// RFC 7871 section 6: only the octets that the prefix reaches into, with zeros behind the prefix.
void put_client_subnet(octet_list& out, const client_subnet& subnet) {
  const std::size_t prefix = std::min<std::size_t>(subnet.prefix_length, subnet.is_v6 ? 128 : 32);
  const std::size_t count = (prefix + 7) / 8;
  put_u16(out, option_client_subnet);
  put_u16(out, 4 + count);
  put_u16(out, subnet.is_v6 ? 2 : 1);  // IANA address family numbers
  out.push_back(static_cast<std::uint8_t>(prefix));
  out.push_back(0);  // SCOPE PREFIX-LENGTH is 0 in queries
  for (std::size_t i = 0; i < count; ++i) out.push_back(subnet.octets[i]);
  if (prefix % 8 != 0) out.back() = static_cast<std::uint8_t>(out.back() & (0xFF00U >> (prefix % 8)));
}

/// RFC 8467 section 4.1: the option itself counts, and one of zero octets fills the block exactly.
void put_padding(octet_list& out, std::size_t block) {
  const std::size_t with_header = out.size() + option_header;
  const std::size_t padding = (block - with_header % block) % block;
  put_u16(out, option_padding);
  put_u16(out, padding);
  out.resize(out.size() + padding, 0);
}

void put_opt(octet_list& out, const query_settings& settings) {
  out.push_back(0);  // owner: the root
  put_u16(out, static_cast<std::size_t>(rr_type::opt));
  put_u16(out, settings.udp_payload_size);
  out.insert(out.end(), 4, 0);  // extended RCODE, version 0, flags
  const std::size_t length_at = out.size();
  put_u16(out, 0);
  if (settings.subnet) put_client_subnet(out, *settings.subnet);
  if (settings.pad_to != 0) put_padding(out, settings.pad_to);
  const std::size_t length = out.size() - length_at - 2;
  out[length_at] = static_cast<std::uint8_t>(length >> 8);
  out[length_at + 1] = static_cast<std::uint8_t>(length & 0xFF);
}

}  // namespace

std::optional<client_subnet> client_subnet::parse(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == text.npos) return std::nullopt;
  const auto network = address::parse(text.substr(0, slash));
  if (!network || text.substr(0, slash).find('%') != text.npos) return std::nullopt;
  const std::string_view digits = text.substr(slash + 1);
  client_subnet out;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out.prefix_length);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  const auto bytes = network->bytes();
  if (out.prefix_length > bytes.size() * 8) return std::nullopt;
  for (std::size_t bit = out.prefix_length; bit < bytes.size() * 8; ++bit) {
    if ((bytes[bit / 8] & (0x80U >> (bit % 8))) != 0) return std::nullopt;
  }
  std::copy(bytes.begin(), bytes.end(), out.octets.begin());
  out.is_v6 = network->is_v6();
  return out;
}

std::vector<std::uint8_t> make_query(std::uint16_t id, const question& q, const query_settings& settings,
                                     random_source& random) {
  const auto wire = q.name.wire();
  octet_list out;
  out.reserve(header_size + wire.size() + 4 + 11 + 24 + settings.pad_to);
  put_u16(out, id);
  out.push_back(flag_rd);
  out.push_back(settings.ask_authenticated ? flag_ad : std::uint8_t{0});
  put_u16(out, 1);                        // QDCOUNT
  put_u16(out, 0);                        // ANCOUNT
  put_u16(out, 0);                        // NSCOUNT
  put_u16(out, settings.edns ? 1U : 0U);  // ARCOUNT
  out.insert(out.end(), wire.begin(), wire.end());
  if (settings.randomize_case) flip_letters(std::span(out).subspan(header_size), random);
  put_u16(out, static_cast<std::size_t>(q.type));
  put_u16(out, class_in);
  if (settings.edns) put_opt(out, settings);
  return out;
}

}  // namespace lbresolve::core
