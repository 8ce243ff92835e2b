// A coroutine for each target, and no thread but this one: the resolver runs on the io_context, too.
// asio_coroutines HOST:PORT...
#include <asio.hpp>
#include <lbresolve/asio.hpp>

#include <cstdio>
#include <exception>
#include <string>

namespace {

asio::awaitable<void> greet(lbresolve::resolver& resolver, std::string target) {
  asio::error_code failed;
  lbresolve::connected made =
      co_await lbresolve::async_connect(resolver, target, asio::redirect_error(asio::use_awaitable, failed));
  if (failed) {
    std::printf("%s: %s\n", target.c_str(), made.why.message().c_str());
    co_return;
  }
  std::string line;
  const auto count =
      co_await asio::async_read_until(made.socket, asio::dynamic_buffer(line), '\n', asio::use_awaitable);
  std::printf("%s: %s says %s", target.c_str(), made.peer.to_string().c_str(), line.substr(0, count).c_str());
}

}  // namespace

int main(int argc, char** argv) {
  auto resolver = lbresolve::resolver::create({.loop = lbresolve::loop::caller});
  if (!resolver) return std::fprintf(stderr, "%s\n", resolver.error().message().c_str()), 1;
  asio::io_context io;
  auto driver = lbresolve::asio_driver::create(io, resolver.value());
  if (!driver) return std::fprintf(stderr, "%s\n", driver.error().message().c_str()), 1;
  int left = argc - 1;
  for (int i = 1; i < argc; ++i) {
    asio::co_spawn(io, greet(resolver.value(), argv[i]), [&](const std::exception_ptr&) {
      if (--left == 0) driver.value().stop();  // else io.run() would go on: the driver waits for more to do
    });
  }
  if (left > 0) io.run();
}
