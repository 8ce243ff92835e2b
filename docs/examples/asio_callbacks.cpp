// Connects with a handler of Asio's, gives up after two seconds, and reads a line: asio_callbacks HOST:PORT
#include <asio.hpp>
#include <lbresolve/asio.hpp>

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>

namespace {

/// One connection, alive as long as something is under way for it.
class session : public std::enable_shared_from_this<session> {
 public:
  session(asio::io_context& io, lbresolve::resolver& resolver) : resolver_(resolver), give_up_(io), socket_(io) {}

  void start(const char* target) {
    auto self = shared_from_this();
    auto done = [self](asio::error_code failed, lbresolve::connected made) {
      self->on_connected(failed, std::move(made));
    };
    // bind_executor() says where the handler runs; the socket lives there too.
    lbresolve::async_connect(
        resolver_, target,
        asio::bind_cancellation_slot(cancel_.slot(), asio::bind_executor(socket_.get_executor(), std::move(done))));
    give_up_.expires_after(std::chrono::seconds(2));
    give_up_.async_wait([self](asio::error_code stopped) {
      if (!stopped) self->cancel_.emit(asio::cancellation_type::terminal);
    });
  }

 private:
  void on_connected(asio::error_code failed, lbresolve::connected made) {
    give_up_.cancel();
    if (failed == asio::error::operation_aborted) return static_cast<void>(std::puts("it took too long"));
    if (failed) return static_cast<void>(std::puts(made.why.message().c_str()));
    std::printf("connected to %s\n", made.peer.to_string().c_str());
    socket_ = std::move(made.socket);
    asio::async_read_until(socket_, asio::dynamic_buffer(line_), '\n',
                           [self = shared_from_this()](asio::error_code end, std::size_t count) {
                             if (!end) std::printf("it says %s", self->line_.substr(0, count).c_str());
                           });
  }

  lbresolve::resolver& resolver_;
  asio::steady_timer give_up_;
  asio::cancellation_signal cancel_;
  asio::ip::tcp::socket socket_;
  std::string line_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fputs("usage: asio_callbacks HOST:PORT\n", stderr), 2;
  auto resolver = lbresolve::resolver::create();
  if (!resolver) return std::fprintf(stderr, "%s\n", resolver.error().message().c_str()), 1;
  asio::io_context io;
  std::make_shared<session>(io, resolver.value())->start(argv[1]);
  io.run();
}
