#include "core/search_list.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace lbresolve;
using namespace lbresolve::core;

namespace {

std::vector<std::string> asked(std::string_view text, std::string_view conf, bool absolute = false) {
  std::vector<std::string> all;
  for (const name& n : candidates(name::from_text(text).value(), absolute, parse_resolv_conf(conf))) {
    all.push_back(n.to_text());
  }
  return all;
}

using names = std::vector<std::string>;

}  // namespace

TEST_CASE("DNS-12: without a search list a name is asked as it is") {
  CHECK(asked("www", "") == names{"www"});
  CHECK(asked("www.example.com", "") == names{"www.example.com"});
}

TEST_CASE("DNS-12: a name with fewer dots than ndots is asked with each suffix first, and as it is last") {
  CHECK(asked("www", "search a.example b.example\n") == names{"www.a.example", "www.b.example", "www"});
  CHECK(asked("www.x", "search a.example\noptions ndots:2\n") == names{"www.x.a.example", "www.x"});
  CHECK(asked("a.b.c.d", "search ns.svc.cluster.local svc.cluster.local\noptions ndots:5") ==
        names{"a.b.c.d.ns.svc.cluster.local", "a.b.c.d.svc.cluster.local", "a.b.c.d"});
}

TEST_CASE("DNS-12: a name with at least ndots dots is asked as it is first") {
  CHECK(asked("www.x", "search a.example b.example\n") == names{"www.x", "www.x.a.example", "www.x.b.example"});
  CHECK(asked("a.b.c", "search a.example\noptions ndots:2\n") == names{"a.b.c", "a.b.c.a.example"});
  CHECK(asked("www", "search a.example\noptions ndots:0\n") == names{"www", "www.a.example"});
}

TEST_CASE("DNS-12: a name with a trailing dot is asked only as it is") {
  CHECK(asked("www.", "search a.example\n", true) == names{"www"});
  CHECK(asked(".", "search a.example\n") == names{"."});
}

TEST_CASE("DNS-12: no name is asked twice") {
  CHECK(asked("www", "search a.example A.Example . a.example\n") == names{"www.a.example", "www"});
}

TEST_CASE("DNS-12: a suffix that makes the name too long is passed over") {
  const std::string label(60, 'x');
  const std::string suffix = label + "." + label + "." + label + "." + label;  // 245 octets
  CHECK(asked("short", "search " + suffix + " b.example") == names{"short." + suffix, "short.b.example", "short"});
  CHECK(asked("not-so-short", "search " + suffix + " b.example") == names{"not-so-short.b.example", "not-so-short"});
}
