// Calls that block, and what may end them early.
#include "support/fake_dns_server.hpp"

#include <lbresolve/resolver.hpp>

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <functional>
#include <string>

namespace lbresolve::test {

namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

/// Listens with its queue full and never accepts: what connects to it hangs.
class mute_listener {
 public:
  mute_listener() : listening_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    at_.sin_family = AF_INET;
    at_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at_;
    ::bind(listening_, reinterpret_cast<sockaddr*>(&at_), size);
    ::listen(listening_, 0);
    ::getsockname(listening_, reinterpret_cast<sockaddr*>(&at_), &size);
    for (int& filler : fillers_) {
      filler = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      ::connect(filler, reinterpret_cast<sockaddr*>(&at_), size);
    }
  }
  ~mute_listener() {
    for (const int filler : fillers_) ::close(filler);
    ::close(listening_);
  }
  mute_listener(const mute_listener&) = delete;
  mute_listener& operator=(const mute_listener&) = delete;

  std::string where() const { return "127.0.0.1:" + std::to_string(ntohs(at_.sin_port)); }

 private:
  int listening_;
  sockaddr_in at_{};
  std::array<int, 4> fillers_{};
};

/// Makes the call with an interruption that says yes from 100 ms on, and tells that it has ended for that.
template <class Call>
void check_interrupted(Call call) {
  const auto began = steady::now();
  int asked = 0;
  const auto ended = call([&] {
    ++asked;
    return steady::now() - began >= 100ms;
  });
  REQUIRE(!ended);
  CHECK(ended.error() == errc::cancelled);
  CHECK(asked >= 2);
  CHECK(steady::now() - began < 1s);  // 150 ms on a quiet machine
}

}  // namespace

TEST_CASE("USE-05: every call that blocks asks whether to end, and does") {
  fake_dns_server silent([](const fake_dns_server::request&) { return std::vector<fake_dns_server::reply>{}; });
  const mute_listener mute;
  for (const loop how : {loop::own_thread, loop::caller}) {
    CAPTURE(static_cast<int>(how));
    options settings;
    settings.servers = {silent.where().to_string()};
    settings.hosts = "";
    settings.loop = how;
    auto r = resolver::create(settings).value();
    const auto with = [](interruption i) {
      connect_options o;
      o.interrupted = std::move(i);
      return o;
    };
    check_interrupted([&](interruption i) {
      resolve_options o;
      o.interrupted = std::move(i);
      return r.resolve("www.test", o);
    });
    check_interrupted([&](interruption i) { return r.connect("www.test:80", with(i)); });
    check_interrupted([&](interruption i) { return r.connect(mute.where(), with(i)); });
    check_interrupted([&](interruption i) { return r.explain("www.test:80", with(i)); });
    check_interrupted([&](interruption i) { return r.probe(mute.where(), with(i)); });
    check_interrupted([&](interruption i) { return r.make_picker("www.test:80", with(i)); });
  }
}

}  // namespace lbresolve::test
