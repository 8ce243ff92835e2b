#include "core/message.hpp"
#include "core/message_vectors.hpp"
#include "support/message_builder.hpp"
#include "support/test_random.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <string>

namespace lbresolve::test {
namespace {

using core::client_subnet;
using core::make_query;
using core::message;
using core::query_settings;
using core::rr_type;

octets query(const query_settings& settings, std::string_view name = "www.Example.com") {
  test_random random(5);
  return make_query(0xBEEF, question_for(name, rr_type::aaaa), settings, random);
}

/// The options of OPT in `bytes`.
octets options_of(const octets& bytes) {
  const auto m = message::parse(bytes);
  REQUIRE(m);
  REQUIRE(m.value().opt());
  const auto options = m.value().opt()->options;
  return {options.begin(), options.end()};
}

octets subnet_option(std::string_view text) {
  query_settings settings;
  settings.subnet = client_subnet::parse(text);
  REQUIRE(settings.subnet);
  return options_of(query(settings));
}

TEST_CASE("a query is RD, one question in class IN, and OPT; octet by octet") {
  const octets expected = octets{0xBE, 0xEF, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 1} + labels("www.Example.com") +
                          octets{0, 28, 0, 1} + octets{0, 0, 41, 0x04, 0xD0, 0, 0, 0, 0, 0, 0};
  CHECK(query({}) == expected);
}

TEST_CASE("DNS-02: a query without EDNS has no OPT, no subnet and no padding") {
  query_settings settings;
  settings.edns = false;
  settings.subnet = client_subnet::parse("192.0.2.0/24");
  settings.pad_to = 128;
  CHECK(query(settings) ==
        octets{0xBE, 0xEF, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0} + labels("www.Example.com") + octets{0, 28, 0, 1});
}

TEST_CASE("AD is set when asked for, and the payload size is the one given") {
  query_settings settings;
  settings.ask_authenticated = true;
  settings.udp_payload_size = 4096;
  const auto bytes = query(settings);
  CHECK(bytes[2] == 0x01);
  CHECK(bytes[3] == 0x20);
  CHECK(message::parse(bytes).value().opt()->udp_payload_size == 4096);
}

TEST_CASE("DNS-15: without a subnet no option is sent") { CHECK(options_of(query({})).empty()); }

TEST_CASE("DNS-15: prefix length 0 asks that none be sent on, without an address (RFC 7871 section 7.1.2)") {
  CHECK(subnet_option("0.0.0.0/0") == octets{0, 8, 0, 4, 0, 1, 0, 0});
  CHECK(subnet_option("::/0") == octets{0, 8, 0, 4, 0, 2, 0, 0});
}

TEST_CASE("DNS-15: a given prefix is sent in as few octets as hold it (RFC 7871 section 6)") {
  CHECK(subnet_option("192.0.2.0/24") == octets{0, 8, 0, 7, 0, 1, 24, 0, 192, 0, 2});
  CHECK(subnet_option("192.0.2.128/25") == octets{0, 8, 0, 8, 0, 1, 25, 0, 192, 0, 2, 128});
  CHECK(subnet_option("192.0.2.1/32") == octets{0, 8, 0, 8, 0, 1, 32, 0, 192, 0, 2, 1});
  CHECK(subnet_option("10.0.0.0/8") == octets{0, 8, 0, 5, 0, 1, 8, 0, 10});
  CHECK(subnet_option("2001:db8::/56") == octets{0, 8, 0, 11, 0, 2, 56, 0, 0x20, 1, 0x0D, 0xB8, 0, 0, 0});
  CHECK(subnet_option("2001:db8:0:2::/63") == octets{0, 8, 0, 12, 0, 2, 63, 0, 0x20, 1, 0x0D, 0xB8, 0, 0, 0, 2});
}

TEST_CASE("DNS-15: bits behind the prefix never leave, even when the setting holds some") {
  query_settings settings;
  settings.subnet = client_subnet{.octets = {192, 0, 2, 0xFF}, .is_v6 = false, .prefix_length = 20};
  CHECK(options_of(query(settings)) == octets{0, 8, 0, 7, 0, 1, 20, 0, 192, 0, 0});
  settings.subnet->prefix_length = 200;  // more than IPv4 has
  CHECK(options_of(query(settings)) == octets{0, 8, 0, 8, 0, 1, 32, 0, 192, 0, 2, 0xFF});
}

TEST_CASE("DNS-15: a subnet is an address and a prefix length with zero host bits") {
  for (const char* text : {"", "/", "192.0.2.0", "192.0.2.0/", "/24", "192.0.2.0/33", "192.0.2.1/24", "192.0.2.0/24 ",
                           "192.0.2.0/-1", "192.0.2.0/+1", "192.0.2.0/300", "2001:db8::/129", "2001:db8::1/64",
                           "fe80::%1/64", "fe80::%0/64", "example.com/24", "192.0.2.0/24/24", "[::]/0"}) {
    CAPTURE(text);
    CHECK_FALSE(client_subnet::parse(text));
  }
  CHECK(client_subnet::parse("2001:db8::1/128")->is_v6);
  CHECK(client_subnet::parse("0.0.0.0/0")->prefix_length == 0);
}

TEST_CASE("part of DNS-16: padding is the last option and makes the message a multiple (RFC 8467 section 4.1)") {
  std::string name = "a";
  for (int length = 1; length <= 200; ++length) {
    CAPTURE(length);
    query_settings settings;
    settings.pad_to = 128;
    settings.subnet = client_subnet::parse("192.0.2.0/24");
    const auto bytes = query(settings, name);
    CHECK(bytes.size() % 128 == 0);
    CHECK(bytes.size() - 128 < 12 + name.size() + 2 + 4 + 11 + 11 + 4);  // never a block more than needed
    const auto options = options_of(bytes);
    CHECK(octets(options.begin(), options.begin() + 4) == octets{0, 8, 0, 7});
    CHECK(octets(options.begin() + 11, options.begin() + 13) == octets{0, 12});
    CHECK(std::all_of(options.begin() + 15, options.end(), [](std::uint8_t octet) { return octet == 0; }));
    name += length % 50 == 49 ? "." : "a";
    if (name.back() == '.') name += 'a';
  }
}

TEST_CASE("0x20: only the case of letters changes, each letter about half the time, and the seed decides") {
  query_settings settings;
  settings.randomize_case = true;
  const std::string name = "abcdefghijklmnopqrstuvwxyz0123456789-_\\[\\{\\@\\`.ABCDEFGHIJKLMNOPQRSTUVWXYZ.example";
  const auto asked = question_for(name, rr_type::a);
  const auto plain = asked.name.wire();
  std::vector<int> flips(plain.size(), 0);
  test_random random(9);
  for (int round = 0; round < 2000; ++round) {
    const auto bytes = make_query(1, asked, settings, random);
    const auto sent = message::parse(bytes).value();
    CHECK(sent.name_equals(12, asked.name));
    for (std::size_t i = 0; i < plain.size(); ++i) {
      if (bytes[12 + i] == plain[i]) continue;
      CHECK((bytes[12 + i] ^ plain[i]) == 0x20);
      ++flips[i];
    }
  }
  for (std::size_t i = 0; i < plain.size(); ++i) {
    CAPTURE(i);
    const auto lower = plain[i] | 0x20;
    const bool is_letter = lower >= 'a' && lower <= 'z' && plain[i] >= 'A';
    if (is_letter) {
      CHECK(std::abs(flips[i] - 1000) < 120);  // 5.4 standard deviations
    } else {
      CHECK(flips[i] == 0);
    }
  }
  CHECK(query(settings) == query(settings));
  CHECK(query({}) == query({}));
}

TEST_CASE("0x20: the case of one letter says nothing about the next") {
  query_settings settings;
  settings.randomize_case = true;
  const std::string name(60, 'a');
  const auto asked = question_for(name + '.' + name, rr_type::a);  // more letters than one draw has bits
  test_random random(4);
  std::vector<int> alike(122, 0);
  for (int round = 0; round < 2000; ++round) {
    const auto bytes = make_query(1, asked, settings, random);
    for (std::size_t i = 1; i < 121; ++i) alike[i] += bytes[12 + i] == bytes[13 + i] ? 1 : 0;
  }
  for (std::size_t i = 1; i < 121; ++i) {
    if (i == 60 || i == 61) continue;  // beside the second length octet
    CAPTURE(i);
    CHECK(std::abs(alike[i] - 1000) < 120);
  }
}

TEST_CASE("what make_query writes, message::parse reads") {
  query_settings settings;
  settings.pad_to = 468;
  settings.subnet = client_subnet::parse("2001:db8::/32");
  const auto bytes = query(settings, ".");
  const auto m = message::parse(bytes).value();
  CHECK(m.id() == 0xBEEF);
  CHECK_FALSE(m.is_response());
  CHECK(m.name_at(12).is_root());
  CHECK(bytes.size() == 468);
}

}  // namespace
}  // namespace lbresolve::test
