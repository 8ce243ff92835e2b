// Connects by name and prints what the server says first: blocking HOST:PORT
#include <lbresolve/lbresolve.hpp>

#include <sys/socket.h>

#include <array>
#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 2) return std::fputs("usage: blocking HOST:PORT\n", stderr), 2;
  auto connected = lbresolve::connect(argv[1]);
  if (!connected) {
    std::fprintf(stderr, "%s\n", connected.error().message().c_str());
    return 1;
  }
  lbresolve::connection& c = connected.value();
  std::printf("connected to %s\n", c.peer().to_string().c_str());
  c.set_blocking(true);
  std::array<char, 256> line{};
  const auto count = ::recv(c.fd(), line.data(), line.size(), 0);
  if (count > 0) std::printf("it says %.*s", static_cast<int>(count), line.data());
}
