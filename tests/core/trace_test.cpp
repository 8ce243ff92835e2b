#include <lbresolve/trace.hpp>

#include <doctest/doctest.h>

#include <set>
#include <string>

using namespace lbresolve;

namespace {

/// The words for the values 0 to `last`, all different; a value that is not one of them is "?".
template <class E>
std::set<std::string> words(E last) {
  std::set<std::string> all;
  const int count = static_cast<int>(last) + 1;
  for (int i = 0; i < count; ++i) all.insert(to_string(static_cast<E>(i)));
  CHECK(static_cast<int>(all.size()) == count);
  CHECK(all.count("?") == 0);
  CHECK(std::string(to_string(static_cast<E>(200))) == "?");
  return all;
}

}  // namespace

TEST_CASE("every value of a trace has a word of its own") {
  CHECK(words(transport::https) == std::set<std::string>{"udp", "tcp", "tls", "https"});
  CHECK(words(query_record::source::special).count("network") == 1);
  CHECK(words(query_record::outcome::abandoned).count("timed out") == 1);
  CHECK(words(attempt_record::outcome::skipped).count("won") == 1);
  CHECK(words(attempt_record::stage::tls).count("connect") == 1);
}

TEST_CASE("types have the names of the IANA registry, and otherwise those of RFC 3597") {
  CHECK(type_name(1) == "A");
  CHECK(type_name(28) == "AAAA");
  CHECK(type_name(5) == "CNAME");
  CHECK(type_name(33) == "SRV");
  CHECK(type_name(64) == "SVCB");
  CHECK(type_name(65) == "HTTPS");
  // RFC 3597 section 5: "TYPE" followed by a decimal type number, with no intervening whitespace.
  CHECK(type_name(731) == "TYPE731");
  CHECK(type_name(0) == "TYPE0");
  CHECK(type_name(65'535) == "TYPE65535");
}

TEST_CASE("an RCODE is named, or given as a number") {
  CHECK(rcode_name(0) == "NOERROR");
  CHECK(rcode_name(2) == "SERVFAIL");
  CHECK(rcode_name(16) == "BADVERS");
  CHECK(rcode_name(3000) == "RCODE 3000");
}

TEST_CASE("DNS-11: extended errors have the names of RFC 8914, and later ones none") {
  CHECK(ede_name(0) == "Other Error");
  CHECK(ede_name(6) == "DNSSEC Bogus");
  CHECK(ede_name(29) == "Synthesized");
  CHECK(ede_name(30).empty());
  CHECK(ede_name(-1).empty());
}
