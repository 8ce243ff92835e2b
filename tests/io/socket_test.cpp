#include "io/socket.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace lbresolve::io {
namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

TEST_CASE("a unique_fd closes what it holds, once, and keeps errno") {
  const int raw = ::dup(0);
  REQUIRE(raw >= 0);
  {
    unique_fd a(raw);
    unique_fd b = std::move(a);
    CHECK_FALSE(a);  // NOLINT(bugprone-use-after-move): that is the point
    CHECK(b.get() == raw);
    errno = EDOM;
  }
  CHECK(errno == EDOM);
  CHECK_FALSE(is_open(raw));

  unique_fd c(::dup(0));
  const int kept = c.release();
  CHECK_FALSE(c);
  CHECK(is_open(kept));
  c.reset(kept);
  c.reset(kept);  // the same one: stays open
  CHECK(is_open(kept));
  c = unique_fd(::dup(0));
  CHECK_FALSE(is_open(kept));
}

TEST_CASE("endpoints survive the way into a sockaddr and back, scope included") {
  for (const char* text : {"192.0.2.1", "0.0.0.0", "2001:db8::1", "fe80::1%3", "::ffff:192.0.2.1"}) {
    const endpoint e{address::parse(text).value(), 5353};
    const socket_address there(e);
    CHECK(to_endpoint(there.get(), there.size()) == e);
  }
  const socket_address v4({address::parse("192.0.2.1").value(), 53});
  sockaddr_in in{};
  std::memcpy(&in, v4.get(), sizeof(in));
  CHECK(in.sin_family == AF_INET);
  CHECK(ntohs(in.sin_port) == 53);
  CHECK(ntohl(in.sin_addr.s_addr) == 0xC0000201);
}

TEST_CASE("what is no IP address, or is cut short, gives no endpoint") {
  const socket_address v6({address::parse("2001:db8::1").value(), 53});
  CHECK_FALSE(to_endpoint(v6.get(), sizeof(sockaddr_in6) - 1));
  CHECK_FALSE(to_endpoint(v6.get(), 1));
  CHECK_FALSE(to_endpoint(nullptr, 0));
  sockaddr unix_domain{};
  unix_domain.sa_family = AF_UNIX;
  CHECK_FALSE(to_endpoint(&unix_domain, sizeof(unix_domain)));
}

TEST_CASE("a socket is non-blocking and closes on exec") {
  const auto fd = open_socket(family::ipv4, SOCK_DGRAM).value();
  CHECK((::fcntl(fd.get(), F_GETFL) & O_NONBLOCK) != 0);
  CHECK((::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC) != 0);
  const socket_address loopback({address::v4({127, 0, 0, 1}), 0});
  REQUIRE(::bind(fd.get(), loopback.get(), loopback.size()) == 0);
  const auto local = local_endpoint(fd.get());
  REQUIRE(local);
  CHECK(local->address == address::v4({127, 0, 0, 1}));
  CHECK(local->port != 0);
  CHECK_FALSE(pending_error(fd.get()));
}

TEST_CASE("a socket that cannot be had says why") {
  const auto none = open_socket(family::ipv4, 0x77);
  REQUIRE_FALSE(none);
  CHECK(none.error().code() == std::errc::invalid_argument);
  CHECK(pending_error(-1) == std::errc::bad_file_descriptor);
  CHECK_FALSE(local_endpoint(-1));
}

}  // namespace
}  // namespace lbresolve::io
