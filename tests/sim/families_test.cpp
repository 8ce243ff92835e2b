// Broken IPv6, learned over whole connects: AAAA is answered before A, as it is asked for first.
#include "support/simulated_world.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <string>

namespace lbresolve::test {
namespace {

/// n1.test to n4.test, each with one address of either family; IPv4 works.
void make_four_names(simulated_world& w, behaviour of_v6) {
  zone z;
  for (const char* n : {"1", "2", "3", "4"}) {
    z.addresses["n" + std::string(n) + ".test"] = {"2001:db8::" + std::string(n), "192.0.2." + std::string(n)};
    w.endpoint_is("192.0.2." + std::string(n) + ":80", connects(20ms));
    w.endpoint_is("[2001:db8::" + std::string(n) + "]:80", of_v6);
  }
  w.server(0, [z](const sent_query& q) {
    auto replies = z(q);
    if (q.asked.type == core::rr_type::a) replies[0].after += 2ms;
    return replies;
  });
}

}  // namespace

TEST_CASE("MEM-09: after two names have shown that IPv6 does not work, the next ones start with IPv4") {
  for (const behaviour& broken : {black_holed(), unreachable(), refuses(1ms), fails(1ms, EACCES)}) {
    simulated_world w;
    make_four_names(w, broken);
    for (const char* name : {"n1.test:80", "n2.test:80"})
      CHECK(w.connected(name).story->attempts.front().endpoint.address.is_v6());
    for (const char* name : {"n3.test:80", "n4.test:80"}) {
      const auto o = w.connected(name);
      CHECK(o.story->attempts.size() == 1);
      CHECK(o.peer.address.is_v4());
      CHECK(o.story->took == 27ms);  // A is there after 7 ms
    }
  }
}

TEST_CASE("MEM-09: one dead IPv6 server demotes no other name") {
  simulated_world w;
  make_four_names(w, connects(20ms));
  w.endpoint_is("[2001:db8::1]:80", black_holed());
  CHECK(w.connected("n1.test:80").peer.address.is_v4());
  for (const char* name : {"n2.test:80", "n3.test:80", "n4.test:80"}) CHECK(w.connected(name).peer.address.is_v6());
  CHECK(w.connected("n1.test:80").story->attempts.front().endpoint.address.is_v4());
}

}  // namespace lbresolve::test
