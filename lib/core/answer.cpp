#include "core/answer.hpp"

#include "core/wire_name.hpp"

#include <lbresolve/trace.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <set>
#include <utility>

namespace lbresolve::core {
namespace {

constexpr std::uint16_t class_in = 1;
constexpr std::size_t max_links = 16;
constexpr std::size_t max_cnames = 4 * max_links;    // each is compared with each name of the chain
constexpr std::uint16_t option_extended_error = 15;  // RFC 8914
constexpr std::uint32_t unlimited = std::numeric_limits<std::uint32_t>::max();

constexpr std::uint16_t number(rr_type type) noexcept { return static_cast<std::uint16_t>(type); }

/// A CNAME chain, followed through one message.
struct chain {
  wire_name end;           ///< as the last link spells it
  std::size_t end_at = 0;  ///< where `end` stands in the message; 0: nowhere
  std::size_t links = 0;
  std::array<std::uint16_t, max_links> targets;  ///< where in the message each link leads
  std::uint32_t ttl = unlimited;
  const char* fault = nullptr;
};

/// Whether `r` belongs to the end of the chain. Servers compress: nearly always its owner is a pointer to just there.
bool is_at_end(const message& m, const record& r, const chain& c) noexcept {
  if (r.owner_length != c.end.length) return false;
  if (load_u16(m.bytes().data() + r.owner) == 0xC000U + c.end_at) return true;
  return wire_name_equals(m.bytes(), r.owner, c.end.view());
}

bool is_answer(const record& r, rr_type type) noexcept {
  return r.type == number(type) && r.klass == class_in && r.in == section::answer;
}

std::size_t count_answers(const message& m, rr_type type) noexcept {
  const auto records = m.records();
  const auto count =
      std::count_if(records.begin(), records.end(), [type](const record& r) { return is_answer(r, type); });
  return static_cast<std::size_t>(count);
}

/// The CNAME that `c` goes on with, wherever it stands in the answer section; null at the end of the chain.
const record* next_link(const message& m, chain& c) noexcept {
  const record* found = nullptr;
  for (const record& r : m.records()) {
    if (!is_answer(r, rr_type::cname) || !is_at_end(m, r, c)) continue;
    if (found != nullptr) {
      c.fault = "a name in the CNAME chain has two CNAME records";  // RFC 2181 section 10.1
      return nullptr;
    }
    found = &r;
  }
  return found;
}

bool has_visited(const message& m, const chain& c, const question& q) noexcept {
  if (c.links > 0 && m.name_equals(c.targets[c.links - 1], q.name)) return true;
  for (std::size_t i = 0; i + 1 < c.links; ++i) {
    if (wire_name_equals(m.bytes(), c.targets[i], c.end.view())) return true;
  }
  return false;
}

/// RFC 1034 section 4.3.2 step 3a, read backwards: from the question to where its records are.
chain follow(const message& m, const question& q) noexcept {
  chain c;
  const auto start = q.name.wire();
  std::copy(start.begin(), start.end(), c.end.octets.begin());
  c.end.length = start.size();
  if (m.has_question() && m.name_equals(header_size, q.name)) c.end_at = header_size;
  if (q.type == rr_type::cname) return c;  // asked for itself, a CNAME is not followed
  if (count_answers(m, rr_type::cname) > max_cnames) {
    c.fault = "the answer has more than 64 CNAME records";
    return c;
  }
  while (const record* link = next_link(m, c)) {
    if (c.links == max_links) {
      c.fault = "the CNAME chain has more than 16 links";
      return c;
    }
    c.targets[c.links++] = link->rdata_offset;
    c.ttl = std::min(c.ttl, link->ttl);
    c.end_at = link->rdata_offset;
    if (!expand_name(m.bytes(), link->rdata_offset, c.end)) c.fault = "a CNAME cannot be read";
    if (has_visited(m, c, q)) c.fault = "the CNAME chain is a loop";
    if (c.fault != nullptr) return c;
  }
  return c;
}

/// RFC 8914: "the first" because one is enough for a person, and servers put the one that matters first.
std::optional<extended_error> first_extended_error(const message& m) {
  if (!m.opt()) return std::nullopt;
  for (auto options = m.opt()->options; options.size() >= 4;) {
    const std::size_t length = load_u16(options.data() + 2);
    const auto value = options.subspan(4, length);
    if (load_u16(options.data()) == option_extended_error && length >= 2) {
      return extended_error{load_u16(value.data()), std::string(value.begin() + 2, value.end())};
    }
    options = options.subspan(4 + length);
  }
  return std::nullopt;
}

void add_record(const message& m, const record& r, answer& out) {
  const auto data = m.rdata(r);
  switch (static_cast<rr_type>(r.type)) {
    case rr_type::a: {
      std::array<std::uint8_t, 4> octets{};
      std::copy(data.begin(), data.end(), octets.begin());
      out.addresses.push_back(address::v4(octets));
      break;
    }
    case rr_type::aaaa: {
      std::array<std::uint8_t, 16> octets{};
      std::copy(data.begin(), data.end(), octets.begin());
      out.addresses.push_back(address::v6(octets));
      break;
    }
    case rr_type::srv:
      // RFC 2782 wants the target uncompressed; servers that compress it are understood all the same.
      out.services.push_back({load_u16(data.data()), load_u16(data.data() + 2), load_u16(data.data() + 4),
                              m.name_at(std::size_t{r.rdata_offset} + 6)});
      break;
    default:
      break;
  }
}

/// Keeps the first of equal addresses. A message can hold 4,000: past a few, the search must not be quadratic.
void remove_duplicates(std::vector<address>& addresses) {
  constexpr std::size_t few = 32;
  auto kept = addresses.begin();
  std::set<address> seen;
  for (auto next = addresses.begin(); next != addresses.end(); ++next) {
    const bool is_new =
        addresses.size() <= few ? std::find(addresses.begin(), kept, *next) == kept : seen.insert(*next).second;
    if (is_new) *kept++ = *next;
  }
  addresses.erase(kept, addresses.end());
}

constexpr bool has_addresses(rr_type type) noexcept { return type == rr_type::a || type == rr_type::aaaa; }

/// The records of the type asked for at the end of the chain; false where there are none.
bool collect(const message& m, const question& q, const chain& c, answer& out) {
  const bool is_binding = q.type == rr_type::svcb || q.type == rr_type::https;
  std::size_t found = 0;
  out.end_ttl = unlimited;
  out.addresses.reserve(has_addresses(q.type) ? count_answers(m, q.type) : 0);
  for (const record& r : m.records()) {
    if (!is_answer(r, q.type) || !is_at_end(m, r, c)) continue;
    ++found;
    out.end_ttl = std::min(out.end_ttl, r.ttl);
    if (!is_binding) {
      add_record(m, r, out);
    } else if (auto binding = parse_service_binding(m.rdata(r))) {
      out.bindings.push_back(std::move(binding).assume_value());
    } else {
      out.why = "a service binding record is malformed, so none of them is used";
    }
  }
  remove_duplicates(out.addresses);
  return found > 0;
}

/// RFC 2308 section 5: a negative answer lives for the least of the SOA's TTL and its MINIMUM; without SOA it is not
/// kept.
void take_negative_ttl(const message& m, const chain& c, answer& out) {
  for (const record& r : m.records()) {
    if (r.type != number(rr_type::soa) || r.klass != class_in || r.in != section::authority) continue;
    if (!out.canonical.is_within(m.name_at(r.owner))) continue;
    const auto data = m.rdata(r);
    const std::uint32_t minimum = load_u32(data.data() + data.size() - 4);
    out.end_ttl = std::min(r.ttl, (minimum >> 31) != 0 ? 0 : minimum);
    out.ttl = std::min(c.ttl, out.end_ttl);
    out.cacheable = true;
    return;
  }
}

answer& fail(answer& out, const question& q, std::string why) {
  out.is = answer::kind::failure;
  out.canonical = q.name;
  out.why = std::move(why);
  return out;
}

}  // namespace

answer interpret(const message& m, const question& q) {
  answer out;
  const std::uint16_t code = m.rcode();
  const bool is_nxdomain = code == static_cast<std::uint16_t>(rcode::nxdomain);
  out.rcode = code;
  out.ede = first_extended_error(m);
  if (code != static_cast<std::uint16_t>(rcode::noerror) && !is_nxdomain) {
    return fail(out, q, "the server answered " + rcode_name(code));
  }
  const chain c = follow(m, q);
  if (c.fault != nullptr) return fail(out, q, c.fault);
  if (c.links == 0) {
    out.canonical = q.name;
  } else {
    out.canonical = m.name_at(c.end_at);
  }
  out.is = is_nxdomain ? answer::kind::nxdomain : answer::kind::nodata;
  if (is_nxdomain || !collect(m, q, c, out)) {
    out.end_ttl = 0;
    take_negative_ttl(m, c, out);
    return out;
  }
  out.ttl = std::min(c.ttl, out.end_ttl);
  out.cacheable = true;
  if (out.why.empty()) {
    out.is = answer::kind::positive;
  } else {
    out.bindings.clear();
  }
  return out;
}

answer failed_answer(const question& q, std::string why) {
  answer out;
  out.canonical = q.name;
  out.why = std::move(why);
  return out;
}

}  // namespace lbresolve::core
