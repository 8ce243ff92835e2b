#include "core/doh_message.hpp"

#include "core/ascii.hpp"
#include "core/message.hpp"
#include "core/quoted.hpp"
#include "core/wire_name.hpp"

#include <algorithm>
#include <charconv>

namespace lbresolve::core {
namespace {

constexpr std::size_t field_overhead = 32;   // RFC 9113 section 6.5.2
constexpr std::uint32_t max_age = 1U << 31;  // RFC 9111 section 1.2.2: more than this is this
constexpr std::uint16_t https_port = 443;

void append_base64url(std::string& out, std::span<const std::uint8_t> bytes) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  unsigned held = 0;
  int bits = 0;
  for (const auto octet : bytes) {
    held = held << 8 | octet;
    for (bits += 8; bits >= 6;) {
      bits -= 6;
      out += alphabet[held >> bits & 0x3FU];
    }
    held &= (1U << bits) - 1;
  }
  if (bits > 0) out += alphabet[held << (6 - bits) & 0x3FU];
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blank = " \t";
  const auto first = text.find_first_not_of(blank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

bool same_word(std::string_view left, std::string_view right) {
  return left.size() == right.size() && ascii_equal(left.data(), right.data(), left.size());
}

/// RFC 9111 section 5.1: of a list the first member counts; what is no number is ignored.
std::optional<std::uint32_t> read_age(std::string_view text) {
  text = trimmed(text.substr(0, text.find(',')));
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  std::uint32_t seconds = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), seconds);
  return read.ec == std::errc() ? std::min(seconds, max_age) : max_age;
}

int read_status(std::string_view text) {
  int status = 0;
  std::from_chars(text.data(), text.data() + text.size(), status);
  return status;
}

std::string wrong_status(const doh_head& head) {
  std::string text = "it answered with HTTP status " + std::to_string(head.status);
  if (head.status / 100 == 3) {
    text += head.location.empty() ? ", a redirect" : ", a redirect to " + quoted(head.location);
    return text + ", and redirects are not followed";
  }
  if (head.status == 404) text += ": look at the path in its URL";
  return text;
}

void store_u32(std::uint8_t* at, std::uint32_t value) noexcept {
  for (int i = 3; i >= 0; --i, value >>= 8) at[i] = static_cast<std::uint8_t>(value & 0xFFU);
}

void subtract_at(std::uint8_t* at, std::uint32_t age) noexcept {
  const std::uint32_t ttl = load_u32(at);
  const bool is_zero = (ttl >> 31) != 0 || ttl < age;  // RFC 2181 section 8: with the top bit set it reads as 0
  store_u32(at, is_zero ? 0 : ttl - age);
}

/// Whether the variable "dns" is in an expression of a URI template, between its braces (RFC 6570 section 2.2).
bool names_dns(std::string_view expression) {
  constexpr std::string_view operators = "+#./;?&";
  if (!expression.empty() && operators.find(expression.front()) != std::string_view::npos) expression.remove_prefix(1);
  for (;;) {
    const std::string_view variable = expression.substr(0, expression.find(','));
    if (variable.substr(0, variable.find_first_of("*:")) == "dns") return true;
    if (variable.size() == expression.size()) return false;
    expression.remove_prefix(variable.size() + 1);
  }
}

}  // namespace

std::string doh_authority(const upstream& to) {
  std::string text = to.host.empty() ? to.identity.name : to.host;
  // Of a designated resolver the host is "the original IP address of the Unencrypted DNS Resolver" (RFC 9462 section
  // 6.3), wherever it is.
  if (text.empty() || to.identity.address) {
    const address& host = to.identity.address ? *to.identity.address : to.at.address;
    text = host.is_v6() ? "[" + host.to_string() + "]" : host.to_string();
  }
  if (to.at.port != https_port) text += ":" + std::to_string(to.at.port);
  return text;
}

// RFC 6570 section 3.2.1: what is undefined leaves nothing behind, whatever stands around it in the braces.
std::optional<std::string> doh_post_path(std::string_view uri_template) {
  std::string path;
  bool has_dns = false;
  while (!uri_template.empty()) {
    const std::size_t open = std::min(uri_template.find('{'), uri_template.size());
    path += uri_template.substr(0, open);
    uri_template.remove_prefix(open);
    if (uri_template.empty()) break;
    const std::size_t close = uri_template.find('}');
    if (close == std::string_view::npos) return std::nullopt;
    has_dns = has_dns || names_dns(uri_template.substr(1, close - 1));
    uri_template.remove_prefix(close + 1);
  }
  const std::size_t question = std::min(path.find('?'), path.size());
  const std::string_view query = std::string_view(path).substr(std::min(question + 1, path.size()));
  if (!has_dns || !path.starts_with('/') || !is_path(path.substr(0, question)) || !is_path(query)) return std::nullopt;
  return path;
}

std::string doh_get_path(std::string_view path, std::span<const std::uint8_t> message) {
  std::string out;
  out.reserve(path.size() + sizeof("?dns=") + message.size() * 4 / 3 + 1);
  out += path;
  out += path.find('?') == std::string_view::npos ? "?dns=" : "&dns=";
  append_base64url(out, message);
  return out;
}

bool doh_head::take(std::string_view name, std::string_view value) {
  size += name.size() + value.size() + field_overhead;
  if (size > max_size) return false;
  if (name == ":status") {
    status = read_status(value);
  } else if (name == "content-type") {
    content_type = value;
  } else if (name == "content-encoding") {
    content_encoding = value;
  } else if (name == "location") {
    location = value;
  } else if (name == "age" && !age) {
    age = read_age(value);
  }
  return true;
}

std::optional<std::string> why_refused(const doh_head& head) {
  // RFC 8484 section 4.2.1 lets other successful responses be answers too; none but 200 carries one that we asked for.
  if (head.status != 200) return wrong_status(head);
  const auto type = trimmed(std::string_view(head.content_type).substr(0, head.content_type.find(';')));
  if (!same_word(type, doh_media_type)) {
    const std::string has =
        head.content_type.empty() ? "no content type" : "the content type " + quoted(head.content_type);
    return "its answer has " + has + ", not " + std::string(doh_media_type) + ": look at the path in its URL";
  }
  const auto encoding = trimmed(head.content_encoding);
  if (!encoding.empty() && !same_word(encoding, "identity")) {
    return "its answer has the content encoding " + quoted(encoding) + ", which it was not asked for";
  }
  return std::nullopt;
}

void subtract_age(std::span<std::uint8_t> message, std::uint32_t age) {
  if (age == 0) return;
  const auto parsed = core::message::parse(message);
  if (!parsed) return;
  for (const record& r : parsed.value().records()) {
    constexpr std::size_t ttl_and_length = 6;
    subtract_at(message.data() + r.rdata_offset - ttl_and_length, age);
    // A negative answer lives for the least of the SOA's TTL and its MINIMUM (RFC 2308 section 5): as long as each.
    const bool is_soa = r.type == static_cast<std::uint16_t>(rr_type::soa) && r.klass == 1;
    if (is_soa && r.in == section::authority) subtract_at(message.data() + r.rdata_offset + r.rdata_length - 4, age);
  }
}

}  // namespace lbresolve::core
