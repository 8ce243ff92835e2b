// Connect by name from the cache against bare connect(2), on loopback, in one run: the two in turn, so that a machine
// that changes its speed changes it for both.
#include "support/fake_dns_server.hpp"
#include "support/listener.hpp"

#include <lbresolve/lbresolve.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

namespace {

using steady = std::chrono::steady_clock;

double in_us(steady::duration d) { return std::chrono::duration<double, std::micro>(d).count(); }

/// Closes with a reset, so that no port stays in TIME_WAIT. Outside what is timed.
void close_at_once(int fd) {
  const linger l{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
  ::close(fd);
}

double bare(const lbresolve::endpoint& to) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(to.port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto start = steady::now();
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) std::perror("connect");
  const auto end = steady::now();
  close_at_once(fd);
  return in_us(end - start);
}

double by_name(lbresolve::resolver& r, const std::string& target) {
  const auto start = steady::now();
  auto c = r.connect(target);
  const auto end = steady::now();
  if (!c)
    std::puts(c.error().message().c_str());
  else
    close_at_once(c.value().release());
  return in_us(end - start);
}

double percentile(std::vector<double>& v, double p) {
  const auto at = v.begin() + static_cast<std::ptrdiff_t>(p * static_cast<double>(v.size() - 1));
  std::nth_element(v.begin(), at, v.end());
  return *at;
}

}  // namespace

int main() {
  constexpr int rounds = 20'000;
  lbresolve::test::fake_dns_server dns([](const auto& request) {
    const std::vector<lbresolve::address> here{*lbresolve::address::parse("127.0.0.1")};
    return std::vector<lbresolve::test::fake_dns_server::reply>{
        {lbresolve::test::answer_to(request.query, here), std::chrono::milliseconds{0}}};
  });
  lbresolve::test::listener server;
  lbresolve::options o{.servers = {dns.where().to_string()}, .families = lbresolve::families::ipv4_only};
  auto r = lbresolve::resolver::create(o);
  const std::string target = "bench.example.test:" + std::to_string(server.where().port);

  std::vector<double> plain, named;
  for (int i = 0; i < rounds; ++i) {
    if (i % 2 == 0) plain.push_back(bare(server.where()));
    named.push_back(by_name(r.value(), target));
    if (i % 2 != 0) plain.push_back(bare(server.where()));
  }
  const double p50 = percentile(plain, 0.5), n50 = percentile(named, 0.5);
  std::printf("connect(2):      p50 %6.1f us  p99 %6.1f us\n", p50, percentile(plain, 0.99));
  std::printf("connect by name: p50 %6.1f us  p99 %6.1f us\n", n50, percentile(named, 0.99));
  std::printf("difference:      p50 %+6.1f us (floor: +10 us)\n", n50 - p50);
}
