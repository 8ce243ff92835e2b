#include "core/name.hpp"

#include "core/ascii.hpp"
#include "support/message_builder.hpp"
#include "support/test_random.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>

namespace lbresolve::test {
namespace {

using core::name;
using core::wire_error;

name named(std::string_view text) { return name::from_text(text).value(); }

/// Three labels of 63 octets and a last one that brings the wire form to `octets`.
std::string text_of_size(std::size_t octets) {
  const std::string full(63, 'a');
  return full + '.' + full + '.' + full + '.' + std::string(octets - 3 * 64 - 2, 'b');
}

TEST_CASE("SEC-02: a name of 254 or 255 octets is read, one of 256 is too long") {
  for (const std::size_t octets : {std::size_t{254}, std::size_t{255}}) {
    const auto read = name::from_text(text_of_size(octets));
    REQUIRE(read);
    CHECK(read.value().wire().size() == octets);
    CHECK(name::from_wire(read.value().wire()).value() == read.value());
    CHECK(name::from_text(text_of_size(octets) + '.').value() == read.value());
  }
  CHECK(name::from_text(text_of_size(256)).error() == wire_error::name_too_long);
  CHECK(name::from_text(text_of_size(256) + '.').error() == wire_error::name_too_long);
  CHECK(name::from_wire(labels(text_of_size(256))).error() == wire_error::name_too_long);
  CHECK(name::from_text(std::string(100000, 'a')).error() == wire_error::bad_label);
}

TEST_CASE("SEC-02: a label of 63 octets is read, one of 64 is refused") {
  CHECK(named(std::string(63, 'a')).wire().size() == 65);
  CHECK(name::from_text(std::string(64, 'a')).error() == wire_error::bad_label);
  CHECK(name::from_wire(octets{64} + octets(64, 'a') + octets{0}).error() == wire_error::bad_label);
}

TEST_CASE("SEC-02: label types 0x40 and 0x80 are refused, and a pointer has no place in an owned name") {
  CHECK(name::from_wire(octets{0x40, 0}).error() == wire_error::bad_label);
  CHECK(name::from_wire(octets{0x80, 0}).error() == wire_error::bad_label);
  CHECK(name::from_wire(octets{0xC0, 0}).error() == wire_error::bad_pointer);
}

TEST_CASE("an owned name fills its octets exactly") {
  CHECK(name::from_wire(octets{}).error() == wire_error::truncated);
  CHECK(name::from_wire(octets{1, 'a'}).error() == wire_error::truncated);
  CHECK(name::from_wire(octets{5, 'a', 0}).error() == wire_error::truncated);
  CHECK(name::from_wire(octets{0, 0}).error() == wire_error::trailing_bytes);
  CHECK(name::from_wire(octets{0}).value().is_root());
}

TEST_CASE("text: a trailing dot changes nothing, an empty label is an error") {
  CHECK(named("example.com.") == named("example.com"));
  CHECK(named("example.com").to_text() == "example.com");
  CHECK(named(".").is_root());
  CHECK(name().to_text() == ".");
  for (const char* text : {"", "..", ".a", "a..b", "a.."}) {
    CAPTURE(text);
    CHECK(name::from_text(text).error() == wire_error::empty_label);
  }
}

TEST_CASE("text: escapes are read as RFC 1035 section 5.1 has them") {
  const auto dotted = named("a\\.b.c");
  CHECK(dotted.label_count() == 2);
  CHECK(dotted.to_text() == "a\\.b.c");
  CHECK(named("\\097") == named("a"));
  CHECK(named("\\a") == named("a"));
  CHECK(named("a\\\\b").to_text() == "a\\\\b");
  for (const char* text : {"\\", "a\\", "\\2", "\\25", "\\256", "\\999", "\\1x2", "\\12."}) {
    CAPTURE(text);
    CHECK(name::from_text(text).error() == wire_error::bad_escape);
  }
}

TEST_CASE(
    "SEC-12: text of a name is printable ASCII without blanks, whatever octets it holds, and reads back the same") {
  for (unsigned octet = 0; octet < 256; ++octet) {
    const auto hostile = name::from_wire(octets{2, static_cast<std::uint8_t>(octet), 'x', 0}).value();
    const std::string text = hostile.to_text();
    CAPTURE(octet);
    for (const char c : text) CHECK((c > ' ' && c < 0x7F));
    const auto again = name::from_text(text).value();
    CHECK(std::equal(again.wire().begin(), again.wire().end(), hostile.wire().begin(), hostile.wire().end()));
  }
  CHECK(name::from_wire(octets{4, 0x1B, '[', '2', 'J', 0}).value().to_text() == "\\027[2J");
  CHECK(name::from_wire(octets{2, 0xC2, 0x9B, 0}).value().to_text() == "\\194\\155");  // CSI in UTF-8
}

TEST_CASE("names are equal and hash alike without ASCII case, and only ASCII case (RFC 4343)") {
  CHECK(named("WWW.Example.COM") == named("www.example.com"));
  CHECK(named("WWW.Example.COM").hash() == named("www.example.com").hash());
  CHECK(named("www.example.com") != named("www.example.org"));
  CHECK(named("a.bc") != named("ab.c"));
  CHECK(named("\\193") != named("\\225"));  // ISO 8859-1 A and a with acute
  CHECK(named("@") != named("`"));          // the neighbours of A..Z and of a..z
  CHECK(named("[") != named("{"));
  for (unsigned octet = 0; octet < 256; ++octet) {
    const bool is_upper = octet >= 'A' && octet <= 'Z';
    CHECK(core::ascii_lower(static_cast<std::uint8_t>(octet)) == (is_upper ? octet + 0x20 : octet));
  }
}

TEST_CASE("one octet that differs, at any place of a name of any length, makes names unequal") {
  test_random random(7);
  for (std::size_t size = 1; size <= 63; ++size) {
    octets wire = octets{static_cast<std::uint8_t>(size)} + octets(size, 'q') + octets{0};
    const auto one = name::from_wire(wire).value();
    for (std::size_t at = 1; at <= size; ++at) {
      auto changed = wire;
      changed[at] = static_cast<std::uint8_t>('a' + random.below(16));
      CHECK(name::from_wire(changed).value() != one);
      CHECK(name::from_wire(changed).value().hash() != one.hash());
      changed[at] = 'Q';
      CHECK(name::from_wire(changed).value() == one);
      CHECK(name::from_wire(changed).value().hash() == one.hash());
    }
  }
}

TEST_CASE("hashes of names that differ in one digit spread over few buckets evenly") {
  std::array<int, 64> buckets{};
  for (int i = 0; i < 64000; ++i) ++buckets[named("host" + std::to_string(i) + ".example.com").hash() % 64];
  double chi_square = 0;
  for (const int count : buckets) chi_square += (count - 1000.0) * (count - 1000.0) / 1000.0;
  CHECK(chi_square < 130);  // 63 degrees of freedom: p > 1e-6
}

TEST_CASE("is_within is true for the name itself and for what lies below, at label borders only") {
  CHECK(named("www.Example.com").is_within(named("example.COM")));
  CHECK(named("example.com").is_within(named("example.com")));
  CHECK(named("example.com").is_within(name()));
  CHECK(name().is_within(name()));
  CHECK_FALSE(named("badexample.com").is_within(named("example.com")));
  CHECK_FALSE(named("com").is_within(named("example.com")));
  CHECK_FALSE(name().is_within(named("com")));
  CHECK_FALSE(named("www.example.org").is_within(named("example.com")));
}

TEST_CASE("append, parent and label_count do arithmetic on labels") {
  CHECK(named("www").append(named("example.com")).value() == named("www.example.com"));
  CHECK(name().append(named("example.com")).value() == named("example.com"));
  CHECK(named("www").append(name()).value() == named("www"));
  const auto longest = named(text_of_size(255));
  CHECK(longest.append(name()).value() == longest);
  CHECK(longest.append(named("a")).error() == wire_error::name_too_long);
  CHECK(named("a").append(named(text_of_size(253))).value().wire().size() == 255);
  CHECK(named("www.example.com").parent() == named("example.com"));
  CHECK(named("com").parent().is_root());
  CHECK(name().parent().is_root());
  CHECK(named("www.example.com").label_count() == 3);
  CHECK(name().label_count() == 0);
}

TEST_CASE("a name keeps the case it was made with") { CHECK(named("WwW.eXample").to_text() == "WwW.eXample"); }

TEST_CASE("every wire error has a clause of its own") {
  std::vector<std::string> seen;
  for (int e = 0; e <= static_cast<int>(wire_error::trailing_bytes); ++e) {
    const std::string clause = core::to_string(static_cast<wire_error>(e));
    CHECK(clause != "it cannot be read");
    CHECK(std::find(seen.begin(), seen.end(), clause) == seen.end());
    seen.push_back(clause);
  }
}

}  // namespace
}  // namespace lbresolve::test
