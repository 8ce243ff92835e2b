#include "core/quoted.hpp"

#include "support/test_random.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace lbresolve;
using core::quoted;

TEST_CASE("SEC-12: plain text stands between quotes as it is") {
  CHECK(quoted("www.example.com:443") == "\"www.example.com:443\"");
  CHECK(quoted("") == "\"\"");
}

TEST_CASE("SEC-12: control characters, DEL and all that is not ASCII become numbers; quotes cannot be closed") {
  CHECK(quoted("\x1b[2J") == "\"\\027[2J\"");
  CHECK(quoted(std::string_view("a\0b\n\r\t\x7f", 7)) == "\"a\\000b\\010\\013\\009\\127\"");
  CHECK(quoted("b\xc3\xbc") == "\"b\\195\\188\"");
  CHECK(quoted("\x9b") == "\"\\155\"");  // the one-octet form of ESC [
  CHECK(quoted("a\"b\\c") == "\"a\\\"b\\\\c\"");
}

TEST_CASE("SEC-12: what is too long is cut, and says so") {
  CHECK(quoted("abcdef", 6) == "\"abcdef\"");
  CHECK(quoted("abcdefg", 6) == "\"abcdef...\"");
  CHECK(quoted(std::string(100'000, '\x1b')).size() < 500);
}

TEST_CASE("SEC-12: random octets never come out as anything but printable ASCII") {
  test::test_random random(3);
  for (int i = 0; i < 2'000; ++i) {
    std::string text(random.below(60), ' ');
    for (char& c : text) c = static_cast<char>(random.below(256));
    const std::string safe = quoted(text);
    CHECK(std::all_of(safe.begin(), safe.end(), [](char c) { return c >= 0x20 && c < 0x7f; }));
  }
}
