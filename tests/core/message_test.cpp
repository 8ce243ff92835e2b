#include "core/message.hpp"

#include "core/answer.hpp"
#include "core/message_vectors.hpp"
#include "core/wire_name.hpp"
#include "support/message_builder.hpp"
#include "support/test_random.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>

namespace lbresolve::test {
namespace {

using core::message;
using core::name;
using core::name_walk;
using core::rr_type;
using core::section;
using core::wire_error;

constexpr auto txt = static_cast<rr_type>(16);

name named(std::string_view text) { return name::from_text(text).value(); }

/// The bytes in a heap block of just their size, so that a sanitizer sees a read past the end.
class exact_buffer {
 public:
  explicit exact_buffer(std::span<const std::uint8_t> bytes)
      : bytes_(std::make_unique<std::uint8_t[]>(bytes.size())), size_(bytes.size()) {
    std::copy(bytes.begin(), bytes.end(), bytes_.get());
  }
  std::span<const std::uint8_t> view() const { return {bytes_.get(), size_}; }

 private:
  std::unique_ptr<std::uint8_t[]> bytes_;
  std::size_t size_;
};

wire_error error_of(const octets& bytes) {
  const exact_buffer exact(bytes);
  const auto parsed = message::parse(exact.view());
  REQUIRE_FALSE(parsed);
  return parsed.error();
}

/// A message whose one answer is owned by `owner`, which begins at octet 33.
octets owned_by(const octets& owner) {
  return message_builder().question("www.example.com", rr_type::a).answer(owner, txt, 60, {}).bytes();
}

/// Everything a caller may ask of a message.
void touch_everything(const message& m) {
  for (const auto& r : m.records()) {
    CHECK(m.rdata(r).size() == r.rdata_length);
    CHECK(m.name_at(r.owner).wire().size() == r.owner_length);
    CHECK(m.name_equals(r.owner, m.name_at(r.owner)));
  }
  for (const auto type : {rr_type::a, rr_type::aaaa, rr_type::srv, rr_type::https, rr_type::cname}) {
    core::interpret(m, question_for("www.example.com", type));
  }
}

TEST_CASE("header fields are where RFC 1035 section 4.1.1 puts them") {
  const message_builder all(0xABCD, 0x8180 | 0x0200 | 0x0020 | 5);
  const auto m = all.parse().value();
  CHECK(m.id() == 0xABCD);
  CHECK(m.is_response());
  CHECK(m.is_truncated());
  CHECK(m.is_authenticated());
  CHECK(m.opcode() == 0);
  CHECK(m.rcode() == 5);
  CHECK_FALSE(m.has_question());
  CHECK(m.question_octets().empty());
  const message_builder none(1, 0x2800);
  const auto other = none.parse().value();
  CHECK_FALSE(other.is_response());
  CHECK_FALSE(other.is_truncated());
  CHECK_FALSE(other.is_authenticated());
  CHECK(other.opcode() == 5);
}

TEST_CASE("records are indexed in the order sent, with their sections") {
  const auto builder = common_answer();
  const auto m = builder.parse().value();
  CHECK(m.has_question());
  CHECK(m.question_octets().size() == labels("www.example.com").size() + 4);
  REQUIRE(m.records().size() == 5);
  CHECK(m.records()[0].type == static_cast<std::uint16_t>(rr_type::cname));
  CHECK(m.name_at(m.records()[0].rdata_offset) == named("edge.cdn.example.com"));
  CHECK(m.name_at(m.records()[4].owner) == named("edge.cdn.example.com"));
  CHECK(m.name_equals(m.records()[4].owner, named("EDGE.cdn.example.com")));
  CHECK_FALSE(m.name_equals(m.records()[4].owner, named("edge.cdn.example.org")));
  CHECK_FALSE(m.name_equals(m.records()[4].owner, named("cdn.example.com")));
  CHECK_FALSE(m.name_equals(m.records()[4].owner, named("x.edge.cdn.example.com")));
  const auto data = m.rdata(m.records()[4]);
  CHECK(octets(data.begin(), data.end()) == address_data("192.0.2.4"));
  CHECK(m.records()[4].in == section::answer);
  REQUIRE(m.opt());
  CHECK(m.opt()->udp_payload_size == 1232);
}

TEST_CASE("SEC-01: a pointer to itself, forward, or into the header is an error") {
  const std::size_t here = 33;
  CHECK(error_of(owned_by(pointer(here))) == wire_error::bad_pointer);
  CHECK(error_of(owned_by(pointer(here + 2))) == wire_error::bad_pointer);
  CHECK(error_of(owned_by(pointer(0x3FFF))) == wire_error::bad_pointer);
  CHECK(error_of(owned_by(pointer(11))) == wire_error::bad_pointer);
  CHECK(error_of(owned_by(pointer(0))) == wire_error::bad_pointer);
  // A label, then a pointer to that label: each step is "prior" and the name never ends.
  CHECK(error_of(owned_by(octets{1, 'a'} + pointer(here))) == wire_error::bad_pointer);
  CHECK(message::parse(owned_by(octets{1, 'a'} + pointer(12))));
}

TEST_CASE("SEC-01: two pointers to each other are an error") {
  // RDATA is not read as names for this type, so the first pointer is met only by way of the second.
  auto b = message_builder().question("a", rr_type::a);
  const std::size_t data_at = b.size() + 11;
  b.answer(octets{0}, txt, 60, pointer(data_at + 2) + pointer(data_at));
  CHECK(b.parse());
  b.answer(pointer(data_at), txt, 60, {});
  CHECK(error_of(b.bytes()) == wire_error::bad_pointer);
}

TEST_CASE("SEC-01: each pointer leads below the one before it, not only below the name's first octet") {
  auto b = message_builder().question("a", rr_type::a);
  const std::size_t data_at = b.size() + 11;
  SUBCASE("forward, inside what lies before the name") {
    b.answer(octets{0}, txt, 60, pointer(data_at + 2) + labels("x"));
  }
  SUBCASE("back to the label it follows") { b.answer(octets{0}, txt, 60, octets{1, 'a'} + pointer(data_at)); }
  b.answer(pointer(data_at), txt, 60, {});
  CHECK(error_of(b.bytes()) == wire_error::bad_pointer);
}

/// A message with `pointers` pointers in a row, each to the one before and the first to a name; then an owner that
/// points to the last of them.
message_builder pointer_chain(std::size_t pointers) {
  auto b = message_builder().question("a", rr_type::a);
  const std::size_t data_at = b.size() + 11;
  octets chain = labels("x");
  for (std::size_t i = 0; i < pointers; ++i) chain = chain + pointer(data_at + (i == 0 ? 0 : 3 + 2 * (i - 1)));
  b.answer(octets{0}, txt, 60, chain);
  return b.answer(pointer(data_at + 3 + 2 * (pointers - 1)), txt, 60, {});
}

TEST_CASE("SEC-01: a chain of 200 pointers is an error; one of as many as a name can have labels is not") {
  for (const std::size_t pointers : {1U, 2U, 126U}) {
    const auto b = pointer_chain(pointers);
    const auto m = b.parse();
    REQUIRE(m);
    CHECK(m.value().name_at(b.size() - 12) == named("x"));
  }
  CHECK(error_of(pointer_chain(127).bytes()) == wire_error::bad_pointer);
  CHECK(error_of(pointer_chain(200).bytes()) == wire_error::bad_pointer);
}

/// The dearest message of about `size` octets: every record's owner is a long chain of pointers to a name of 63 labels.
/// Two chains by turns, so that remembering the last one does not help.
octets dearest_message(std::size_t size) {
  auto b = message_builder().question("a", rr_type::a);
  const std::size_t data_at = b.size() + 11;
  octets chain;
  for (int i = 0; i < 63; ++i) chain = chain + octets{1, 'l'};
  chain = chain + octets{0};
  for (std::size_t i = 0; i < 126; ++i) chain = chain + pointer(i == 0 ? data_at : data_at + 127 + 2 * (i - 1));
  b.answer(octets{0}, txt, 60, chain);
  const std::size_t last = data_at + 127 + 2 * 125;
  for (bool turn = false; b.size() + 12 <= size; turn = !turn) b.answer(pointer(turn ? last : last - 2), txt, 60, {});
  return b.bytes();
}

/// Steps that reading every owner of `m` takes: labels and pointers.
std::size_t count_steps(const message& m) {
  std::size_t steps = 0;
  for (const auto& r : m.records()) {
    name_walk walk(m.bytes(), r.owner);
    while (walk.next() == name_walk::step::label) ++steps;
    steps += walk.pointers();
  }
  return steps;
}

TEST_CASE("SEC-01: the work for pointers grows with the message, not with its square") {
  const auto small = dearest_message(16000);
  const auto large = dearest_message(64000);
  const auto small_parsed = message::parse(small);
  const auto large_parsed = message::parse(large);
  REQUIRE(small_parsed);
  REQUIRE(large_parsed);
  const std::size_t small_steps = count_steps(small_parsed.value());
  const std::size_t large_steps = count_steps(large_parsed.value());
  CHECK(small_steps > 100000);  // dear indeed
  CHECK(large_steps < 5 * small_steps);
  // 127 labels and 127 pointers for each record of 12 octets.
  CHECK(large_steps <= large.size() / 12 * 254);
}

TEST_CASE("SEC-02: names of 254 and 255 octets are read from a message, 256 is an error, compressed or not") {
  const std::string full(63, 'a');
  for (const std::size_t size : {std::size_t{254}, std::size_t{255}, std::size_t{256}}) {
    CAPTURE(size);
    const std::size_t head = size - (3 * 64 + 1);
    const auto tail = labels(full + '.' + full + '.' + full);
    const auto front = octets{static_cast<std::uint8_t>(head - 1)} + octets(head - 1, 'b');
    const auto whole = message_builder().answer(front + tail, txt, 60, {}).bytes();
    const auto compressed =
        message_builder().question(tail, rr_type::a).answer(front + pointer(12), txt, 60, {}).bytes();
    for (const auto& bytes : {whole, compressed}) {
      if (size > 255) {
        CHECK(error_of(bytes) == wire_error::name_too_long);
      } else {
        const auto m = message::parse(bytes);
        REQUIRE(m);
        CHECK(m.value().name_at(m.value().records()[0].owner).wire().size() == size);
        CHECK(m.value().records()[0].owner_length == size);
      }
    }
  }
}

TEST_CASE("SEC-02: a label of 63 octets is read; types 0x40 and 0x80, and so a length of 64, are errors") {
  CHECK(message::parse(owned_by(octets{63} + octets(63, 'a') + octets{0})));
  CHECK(error_of(owned_by(octets{64} + octets(64, 'a') + octets{0})) == wire_error::bad_label);
  CHECK(error_of(owned_by(octets{0x41, 0x20, 0})) == wire_error::bad_label);
  CHECK(error_of(owned_by(octets{0x80, 0})) == wire_error::bad_label);
  CHECK(error_of(owned_by(octets{0xBF, 0})) == wire_error::bad_label);
}

TEST_CASE("SEC-02: a name of 127 labels is read, and one of 128 is too long") {
  octets most;
  for (int i = 0; i < 127; ++i) most = most + octets{1, 'a'};
  const auto longest = owned_by(most + octets{0});
  const auto m = message::parse(longest);
  REQUIRE(m);
  CHECK(m.value().name_at(33).label_count() == 127);
  CHECK(error_of(owned_by(octets{1, 'a'} + most + octets{0})) == wire_error::name_too_long);
}

TEST_CASE("SEC-03: 65,535 of everything in 12 octets is an error before anything is reserved") {
  for (std::size_t which = 0; which < 4; ++which) {
    CHECK(error_of(message_builder().set_count(which, 65535).bytes()) == wire_error::bad_counts);
  }
  message_builder all;
  for (std::size_t which = 0; which < 4; ++which) all.set_count(which, 65535);
  CHECK(error_of(all.bytes()) == wire_error::bad_counts);
}

TEST_CASE("SEC-03: one record more than there are octets for is an error") {
  const auto b = message_builder().opt().set_count(3, 2);
  CHECK(error_of(b.bytes()) == wire_error::bad_counts);
  CHECK(error_of(b.bytes() + octets(10, 0)) == wire_error::bad_counts);
  const auto enough = b.bytes() + octets(11, 0);
  CHECK(message::parse(enough));
}

TEST_CASE("SEC-04: every vector cut at every octet is an error that fits, without a read past the end") {
  for (const auto& vector : message_vectors()) {
    CAPTURE(vector.label);
    const exact_buffer whole(vector.bytes);
    const auto parsed = message::parse(whole.view());
    REQUIRE(parsed);
    touch_everything(parsed.value());
    for (std::size_t size = 0; size < vector.bytes.size(); ++size) {
      CAPTURE(size);
      const auto count = [&](std::size_t at) { return std::size_t{core::load_u16(&vector.bytes[at])}; };
      auto expected = wire_error::truncated;
      if (size >= 12 && size - 12 < count(4) * 5 + (count(6) + count(8) + count(10)) * 11) {
        expected = wire_error::bad_counts;
      }
      CHECK(error_of(octets(vector.bytes.begin(), vector.bytes.begin() + static_cast<std::ptrdiff_t>(size))) ==
            expected);
    }
    CHECK(error_of(vector.bytes + octets{0}) == wire_error::trailing_bytes);
  }
}

TEST_CASE("SEC-04: a vector with any octet changed, or cut with its counts made to fit, never reads past the end") {
  test_random random(3);
  for (const auto& vector : message_vectors()) {
    for (std::size_t at = 0; at < vector.bytes.size(); ++at) {
      for (int round = 0; round < 24; ++round) {
        auto bytes = vector.bytes;
        bytes[at] = static_cast<std::uint8_t>(round < 8 ? bytes[at] ^ (1U << round) : random.next() & 0xFF);
        if (round % 4 == 3) bytes.resize(at + random.below(bytes.size() - at) + 1);
        const exact_buffer exact(bytes);
        if (const auto m = message::parse(exact.view())) touch_everything(m.value());
      }
    }
  }
}

TEST_CASE("a message has at most one question, and may have none") {
  const auto twice = message_builder().question("a", rr_type::a).question("b", rr_type::a);
  CHECK(error_of(twice.bytes()) == wire_error::bad_question);
  CHECK(message::parse(message_builder().bytes()));
  CHECK(message::parse(message_builder(1, 0x8181).opt().bytes()));
}

TEST_CASE("a message longer than 65,535 octets is none") {
  octets padding(65535 - 12 - 11, 0);
  CHECK(message::parse(message_builder().answer(octets{0}, txt, 0, padding).bytes()));
  CHECK(error_of(message_builder().answer(octets{0}, txt, 0, padding).bytes() + octets{0}) ==
        wire_error::trailing_bytes);
}

TEST_CASE("RDATA that contradicts its type is an error, in class IN") {
  const auto with = [](rr_type type, const octets& data, std::size_t klass) {
    return message_builder().record(section::answer, {0}, type, 60, data, klass).bytes();
  };
  const octets name_and_more = labels("a") + octets{0};
  const std::vector<std::pair<rr_type, octets>> wrong{
      {rr_type::a, octets(3, 1)},      {rr_type::a, octets(5, 1)},     {rr_type::a, {}},
      {rr_type::aaaa, octets(4, 1)},   {rr_type::aaaa, octets(17, 1)}, {rr_type::cname, {}},
      {rr_type::cname, name_and_more}, {rr_type::soa, octets(21, 0)},  {rr_type::soa, octets(23, 0)},
      {rr_type::srv, octets(6, 0)},    {rr_type::srv, octets(8, 0)},
  };
  for (const auto& one : wrong) {
    const rr_type type = one.first;
    const octets& data = one.second;
    CAPTURE(static_cast<int>(type));
    CAPTURE(data.size());
    CHECK(error_of(with(type, data, 1)) == wire_error::bad_rdata);
    CHECK(message::parse(with(type, data, 3)));  // CHAOS has other RDATA
  }
  CHECK(message::parse(with(rr_type::soa, octets(22, 0), 1)));
  CHECK(message::parse(with(rr_type::srv, octets(7, 0), 1)));
}

TEST_CASE("a name in RDATA that runs on into the next record is an error") {
  auto b = message_builder().answer(octets{0}, rr_type::cname, 60, octets{1, 'a'});
  b.answer(octets{0}, txt, 60, {});
  CHECK(error_of(b.bytes()) == wire_error::bad_rdata);
}

TEST_CASE("OPT is read as RFC 6891 section 6.1 lays it out, and is not among the records") {
  const auto builder = message_builder().opt({}, 1, 4096);
  const auto m = builder.parse().value();
  REQUIRE(m.opt());
  CHECK(m.records().empty());
  CHECK(m.opt()->udp_payload_size == 4096);
  CHECK(m.opt()->extended_rcode == 1);
  CHECK(m.rcode() == 16);
  CHECK_FALSE(m.opt()->dnssec_ok);
  const auto flagged = message_builder().record(section::additional, {0}, rr_type::opt, 0x00018000, {}, 100);
  const auto flags = flagged.parse().value();
  CHECK(flags.opt()->version == 1);
  CHECK(flags.opt()->dnssec_ok);
  CHECK(flags.opt()->udp_payload_size == 512);  // "Values lower than 512 MUST be treated as equal to 512."
}

TEST_CASE("two OPT records, one elsewhere than in the additional section, or one with an owner are errors") {
  CHECK(error_of(message_builder().opt().opt().bytes()) == wire_error::bad_opt);
  CHECK(error_of(message_builder().answer(octets{0}, rr_type::opt, 0, {}).bytes()) == wire_error::bad_opt);
  CHECK(error_of(message_builder().record(section::authority, {0}, rr_type::opt, 0, {}).bytes()) ==
        wire_error::bad_opt);
  CHECK(error_of(message_builder().record(section::additional, labels("a"), rr_type::opt, 0, {}).bytes()) ==
        wire_error::bad_opt);
}

TEST_CASE("an EDNS option that is longer than OPT is an error") {
  CHECK(message::parse(message_builder().opt(u16(15) + u16(2) + u16(0)).bytes()));
  CHECK(error_of(message_builder().opt(u16(15) + u16(3) + u16(0)).bytes()) == wire_error::bad_rdata);
  CHECK(error_of(message_builder().opt(u16(15) + octets{0}).bytes()) == wire_error::bad_rdata);
}

TEST_CASE("TTL-01: a TTL with its top bit set reads as 0") {
  const auto ttl_of = [](std::size_t ttl) {
    const auto b = message_builder().answer(octets{0}, txt, ttl, {});
    return b.parse().value().records()[0].ttl;
  };
  CHECK(ttl_of(0x7FFFFFFF) == 0x7FFFFFFF);
  CHECK(ttl_of(0x80000000) == 0);
  CHECK(ttl_of(0xFFFFFFFF) == 0);
  CHECK(ttl_of(0) == 0);
}

TEST_CASE("the index holds every record of a message with more than fit inline, and copies stay whole") {
  for (const std::size_t count : {std::size_t{23}, std::size_t{24}, std::size_t{25}, std::size_t{1000}}) {
    message_builder b;
    for (std::size_t i = 0; i < count; ++i) b.answer(octets{0}, txt, i, {});
    auto m = b.parse().value();
    const message copy = m;
    const message moved = std::move(m);
    const message_builder empty;
    auto assigned = empty.parse().value();
    assigned = copy;
    for (const auto& one : {copy, moved, assigned}) {
      REQUIRE(one.records().size() == count);
      for (std::size_t i = 0; i < count; ++i) CHECK(one.records()[i].ttl == i);
    }
  }
}

TEST_CASE("name_at gives the root where there is no name to read") {
  const auto b = common_answer();
  const auto m = b.parse().value();
  CHECK(m.name_at(b.size()).is_root());
  CHECK(m.name_at(1000000).is_root());
  CHECK_FALSE(m.name_equals(1000000, name()));
}

}  // namespace
}  // namespace lbresolve::test
