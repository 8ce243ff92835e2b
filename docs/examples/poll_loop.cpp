// A loop around poll() that runs the resolver, and reads from the connection it makes: poll_loop HOST:PORT
#include <lbresolve/lbresolve.hpp>

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 2) return std::fputs("usage: poll_loop HOST:PORT\n", stderr), 2;
  auto made = lbresolve::resolver::create({.loop = lbresolve::loop::caller});
  if (!made) return std::fprintf(stderr, "%s\n", made.error().message().c_str()), 1;
  lbresolve::resolver& resolver = made.value();

  lbresolve::connection server;
  bool failed = false;
  resolver.async_connect(argv[1], {}, [&](lbresolve::result<lbresolve::connection> connected) {
    failed = !connected;
    if (connected)
      server = std::move(connected).value();
    else
      std::fprintf(stderr, "%s\n", connected.error().message().c_str());
  });

  while (!failed) {
    // poll() passes over a descriptor of -1, which is what `server` has until there is a connection.
    std::array<pollfd, 2> watched{
        {{.fd = resolver.fd(), .events = POLLIN, .revents = 0}, {.fd = server.fd(), .events = POLLIN, .revents = 0}}};
    if (::poll(watched.data(), watched.size(), -1) < 0) return 1;
    if (watched[0].revents != 0) resolver.process();
    if (watched[1].revents == 0) continue;
    std::array<char, 256> line{};
    const auto count = ::recv(server.fd(), line.data(), line.size(), 0);
    std::printf("%s says %.*s", server.peer().to_string().c_str(), static_cast<int>(count > 0 ? count : 0),
                line.data());
    return 0;
  }
  return 1;
}
