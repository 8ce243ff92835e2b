// Everything that reads bytes from the network, on whatever bytes. Beyond "no crash": what the codec says about a
// message must agree with itself, or the program traps.
#include "core/answer.hpp"
#include "core/message.hpp"
#include "core/svcb.hpp"

#include <lbresolve/endpoint.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using lbresolve::address;
using lbresolve::core::answer;
using lbresolve::core::message;
using lbresolve::core::name;
using lbresolve::core::question;
using lbresolve::core::reply_match;
using lbresolve::core::rr_type;

using octets = std::span<const std::uint8_t>;

void require(bool holds) {
  if (!holds) __builtin_trap();
}

struct no_random final : lbresolve::core::random_source {
  std::uint64_t next() override { return 0; }
};

/// Its text is safe to print and reads back as the same octets.
void check_name(const name& n) {
  const auto text = n.to_text();
  require(std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7F; }));
  const auto again = name::from_text(text);
  require(again.has_value());
  const auto left = n.wire();
  const auto right = again.assume_value().wire();
  require(std::equal(left.begin(), left.end(), right.begin(), right.end()));
  require(n.is_within(n.parent()) && n == again.assume_value() && n.hash() == again.assume_value().hash());
  require(left.size() <= 255 && n.label_count() <= 127);
}

void check_records(const message& m) {
  for (const auto& r : m.records()) {
    const octets data = m.rdata(r);
    require(data.size() == r.rdata_length && r.ttl <= 0x7FFFFFFF);
    const name owner = m.name_at(r.owner);
    require(owner.wire().size() == r.owner_length && m.name_equals(r.owner, owner));
    check_name(owner);
  }
}

void check_answer(const message& m, const question& q) {
  const answer said = lbresolve::core::interpret(m, q);
  check_name(said.canonical);
  require(said.ttl <= said.end_ttl);
  require(said.rcode == m.rcode());
  const std::size_t found = said.addresses.size() + said.services.size() + said.bindings.size();
  switch (said.is) {
    case answer::kind::positive:
      require(said.cacheable && said.why.empty() && (found > 0 || q.type == rr_type::cname || q.type == rr_type::soa));
      break;
    case answer::kind::failure:
      require(!said.cacheable && !said.why.empty() && found == 0);
      break;
    case answer::kind::nxdomain:
    case answer::kind::nodata:
      require(found == 0);
      break;
  }
  for (const auto& one : said.addresses) require(address::parse(one.to_string()) == one);
  for (const auto& service : said.services) check_name(service.target);
  for (const auto& binding : said.bindings) check_name(binding.target);
}

/// The message without QR is a query that the message answers.
void check_match(const message& m) {
  std::vector<std::uint8_t> query(m.bytes().begin(), m.bytes().end());
  query[2] &= 0x7F;
  const auto match = lbresolve::core::match_reply(query, m.bytes());
  const bool is_reply = m.is_response() && m.opcode() == 0 && m.has_question();
  require((match == reply_match::reply) == is_reply);
  require(lbresolve::core::match_reply(query, query) == reply_match::stranger);
}

void check_message(octets bytes) {
  const auto parsed = message::parse(bytes);
  if (!parsed) return;
  const message& m = parsed.assume_value();
  require(!message::parse(bytes.first(bytes.size() - 1)));
  check_records(m);
  check_match(m);
  std::vector<name> asked{name(), name::from_text("www.example.com").value()};
  if (m.has_question()) asked.push_back(m.name_at(12));
  if (!m.records().empty()) asked.push_back(m.name_at(m.records().front().owner));
  for (auto& one : asked) {
    for (const auto type :
         {rr_type::a, rr_type::aaaa, rr_type::cname, rr_type::soa, rr_type::srv, rr_type::svcb, rr_type::https}) {
      check_answer(m, {one, type});
    }
  }
}

void check_query(const name& n, octets bytes) {
  no_random random;
  lbresolve::core::query_settings settings;
  settings.pad_to = 128;
  const auto query = lbresolve::core::make_query(7, {n, rr_type::a}, settings, random);
  require(query.size() % 128 == 0 && message::parse(query).has_value());
  lbresolve::core::match_reply(query, bytes);
  lbresolve::core::match_reply(bytes, query);
}

void check_text(std::string_view text, octets bytes) {
  if (auto n = name::from_text(text)) {
    check_name(n.assume_value());
    check_query(n.assume_value(), bytes);
  }
  if (const auto one = address::parse(text)) require(address::parse(one->to_string()) == one);
  lbresolve::core::client_subnet::parse(text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const octets bytes(data, size);
  check_message(bytes);
  if (const auto n = name::from_wire(bytes)) check_name(n.assume_value());
  if (const auto binding = lbresolve::core::parse_service_binding(bytes)) check_name(binding.assume_value().target);
  check_text({reinterpret_cast<const char*>(data), size}, bytes);
  return 0;
}
