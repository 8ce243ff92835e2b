// Uncached Do53 queries a second on one core, window 32: the whole library through its public API, and its do53 alone,
// against bare loops and against c-ares on one port.
//
//   bench_do53 [queries a run] [rounds]
//
// The server is a process on another core that turns each query into a reply. All variants take turns in each round,
// so that a busy machine hurts them alike; medians are printed, and ratios of the same round. The floor: the library
// makes at least 0.7 times the queries of a bare loop that opens a socket for each. Processor time of the client is
// printed too: where others use the machine, it says more than the rate. Ratios are to the whole library.
#define CARES_NO_DEPRECATED
#include "core/message.hpp"
#include "io/clock.hpp"
#include "io/do53.hpp"
#include "io/system_random.hpp"

#include <lbresolve/lbresolve.hpp>

#include <ares.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

namespace {

using namespace lbresolve;

constexpr std::size_t window = 32;

void pin_to(unsigned core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core % static_cast<unsigned>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN))), &set);
  ::sched_setaffinity(0, sizeof(set), &set);
}

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

/// Every query comes back as a reply with one A record in the place of its OPT.
[[noreturn]] void respond(int fd) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  pin_to(1);
  std::array<std::uint8_t, 2048> buffer{};
  for (;;) {
    sockaddr_in from{};
    socklen_t size = sizeof(from);
    const auto got = ::recvfrom(fd, buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
    constexpr std::array<std::uint8_t, 16> record{0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1};
    if (got < 12 + 5) continue;
    buffer[2] |= 0x80;
    buffer[7] = 1;
    buffer[11] = 0;
    std::size_t end = 12;  // whatever OPT follows the question is cut off: c-ares 1.34 puts a COOKIE in it
    while (buffer[end] != 0) end += buffer[end] + std::size_t{1};
    end += 5;
    std::copy(record.begin(), record.end(), buffer.begin() + static_cast<std::ptrdiff_t>(end));
    ::sendto(fd, buffer.data(), end + record.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
  }
}

struct target {
  endpoint server;
  std::vector<std::uint8_t> query;
};

void set_id(std::vector<std::uint8_t>& query, std::uint16_t id) {
  query[0] = static_cast<std::uint8_t>(id >> 8);
  query[1] = static_cast<std::uint8_t>(id & 0xFF);
}

// ---------------------------------------------------------------------------------------------- ours

struct ours final : io::transport_events {
  ours(const target& t, std::size_t count) : query(t.query), total(count), channel(*loop, random, t.server, *this) {}

  void run() {
    while (sent < window) send();
    while (done < total) loop->run_once(std::nullopt);
  }
  void send() {
    set_id(query, static_cast<std::uint16_t>(random.next() & 0xFFFF));
    channel.send(sent++, transport::udp, query);
  }
  void on_reply(std::uint64_t, core::reply_match, std::span<const std::uint8_t>) override {
    ++done;
    if (sent < total) send();
  }
  void on_error(std::uint64_t, const lbresolve::error&) override { fail("a query failed"); }

  std::unique_ptr<io::event_loop> loop = io::event_loop::create().value();
  io::system_random random;
  std::vector<std::uint8_t> query;
  std::size_t total;
  std::size_t sent = 0;
  std::size_t done = 0;
  io::do53 channel;
};

// ---------------------------------------------------------------------------------------------- the whole library

/// Lookups of names that are not in the cache, through the public API, on the caller's loop.
struct whole {
  whole(const target& t, std::size_t count)
      : total(count),
        library(
            resolver::create(
                {.servers = {t.server.to_string()}, .families = families::ipv4_only, .loop = loop::caller, .hosts = {}})
                .value()) {}

  void run() {
    while (sent < window) send();
    while (done < total) library.process(std::chrono::milliseconds{1000});
  }
  void send() {
    library.async_resolve(std::to_string(sent++) + ".example.com", {}, [this](result<resolution> found) {
      if (!found) fail(found.error().message().c_str());
      ++done;
      if (sent < total) send();
    });
  }

  std::size_t total;
  std::size_t sent = 0;
  std::size_t done = 0;
  resolver library;
};

// ---------------------------------------------------------------------------------------------- bare loops

struct bare {
  explicit bare(const target& t) : query(t.query), server(t.server) {}

  int open_and_send() {
    const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || ::connect(fd, server.get(), server.size()) != 0) fail("connect");
    set_id(query, static_cast<std::uint16_t>(random.next() & 0xFFFF));
    if (::send(fd, query.data(), query.size(), 0) < 0) fail("send");
    return fd;
  }
  static void receive_and_close(int fd) {
    std::array<std::uint8_t, 2048> buffer;
    if (::recv(fd, buffer.data(), buffer.size(), 0) < 12) fail("recv");
    ::close(fd);
  }

  io::system_random random;
  std::vector<std::uint8_t> query;
  io::socket_address server;
};

void bare_epoll(const target& t, std::size_t total) {
  bare b(t);
  const io::unique_fd ep(::epoll_create1(EPOLL_CLOEXEC));
  std::size_t sent = 0;
  const auto add = [&] {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = b.open_and_send();
    ::epoll_ctl(ep.get(), EPOLL_CTL_ADD, event.data.fd, &event);
    ++sent;
  };
  while (sent < window) add();
  for (std::size_t done = 0; done < total;) {
    std::array<epoll_event, 64> events;
    const int count = ::epoll_wait(ep.get(), events.data(), 64, -1);
    for (int i = 0; i < count; ++i, ++done) {
      bare::receive_and_close(events[static_cast<std::size_t>(i)].data.fd);
      if (sent < total) add();
    }
  }
}

void bare_poll(const target& t, std::size_t total) {
  bare b(t);
  std::vector<pollfd> fds(window, {-1, POLLIN, 0});
  std::size_t sent = 0;
  for (auto& p : fds) {
    p.fd = b.open_and_send();
    ++sent;
  }
  for (std::size_t done = 0; done < total;) {
    ::poll(fds.data(), fds.size(), -1);
    for (auto& p : fds) {
      if (p.fd < 0 || p.revents == 0) continue;
      bare::receive_and_close(p.fd);
      ++done;
      p.fd = sent < total ? b.open_and_send() : -1;
      sent += p.fd >= 0 ? 1 : 0;
    }
  }
}

// ---------------------------------------------------------------------------------------------- c-ares on one port

struct plain_ares {
  plain_ares(const target& t, std::size_t count) : query(t.query), total(count) {
    ares_options options{};
    in_addr address{};
    address.s_addr = htonl(INADDR_LOOPBACK);
    options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_NOCHECKRESP | ARES_FLAG_STAYOPEN;
    options.servers = &address;
    options.nservers = 1;
    options.udp_port = t.server.port;
    options.timeout = 5000;
    options.sock_state_cb = [](void* self, int fd, int readable, int) {
      auto& open = static_cast<plain_ares*>(self)->descriptors;
      std::erase_if(open, [&](const pollfd& p) { return p.fd == fd; });
      if (readable != 0) open.push_back({fd, POLLIN, 0});
    };
    options.sock_state_cb_data = this;
    int mask = ARES_OPT_FLAGS | ARES_OPT_SERVERS | ARES_OPT_UDP_PORT | ARES_OPT_TIMEOUTMS | ARES_OPT_SOCK_STATE_CB;
#ifdef ARES_OPT_QUERY_CACHE
    mask |= ARES_OPT_QUERY_CACHE;  // with a TTL of 0: off
#endif
    if (::ares_init_options(&channel, &options, mask) != ARES_SUCCESS) fail("ares_init_options");
  }
  ~plain_ares() { ::ares_destroy(channel); }

  void run() {
    while (done < total) {
      while (sent < total && sent < done + window) send();
      auto ready = descriptors;  // more than one once a query has timed out
      ::poll(ready.data(), ready.size(), 100);
      for (const auto& p : ready) ::ares_process_fd(channel, p.revents != 0 ? p.fd : ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    }
  }
  void send() {
    ++sent;
    set_id(query, static_cast<std::uint16_t>(random.next() & 0xFFFF));
    ::ares_send(channel, query.data(), static_cast<int>(query.size()), on_end, this);
  }
  /// Counts failures as well: 1.34 gives up on a query after 250 ms, which a busy machine can take.
  static void on_end(void* self, int, int, unsigned char*, int) { ++static_cast<plain_ares*>(self)->done; }

  ::ares_channel channel = nullptr;
  io::system_random random;
  std::vector<std::uint8_t> query;
  std::size_t total;
  std::size_t sent = 0;
  std::size_t done = 0;
  std::vector<pollfd> descriptors;
};

// ---------------------------------------------------------------------------------------------- figures

double median(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2), v.end());
  return v[v.size() / 2];
}

double processor_seconds() {
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

struct variant {
  const char* name;
  std::function<void(std::size_t)> run;
  std::vector<double> rates{};
  std::vector<double> costs{};  // processor time of a query, us
};

double median_ratio(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < a.size(); ++i) ratios.push_back(a[i] / b[i]);
  return median(ratios);
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t queries = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 50'000;
  const std::size_t rounds = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 9;

  const io::unique_fd listening(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const io::socket_address anywhere({address::v4({127, 0, 0, 1}), 0});
  if (::bind(listening.get(), anywhere.get(), anywhere.size()) != 0) fail("bind");
  const pid_t responder = ::fork();
  if (responder == 0) respond(listening.get());
  pin_to(0);

  io::system_random random;
  target t{*io::local_endpoint(listening.get()), {}};
  t.query = core::make_query(0, {core::name::from_text("www.example.com").value(), core::rr_type::a}, {}, random);

  std::vector<variant> variants{
      {"do53", [&](std::size_t n) { ours(t, n).run(); }},
      {"whole library", [&](std::size_t n) { whole(t, n).run(); }},
      {"bare loop, epoll", [&](std::size_t n) { bare_epoll(t, n); }},
      {"bare loop, poll", [&](std::size_t n) { bare_poll(t, n); }},
      {"c-ares, one port", [&](std::size_t n) { plain_ares(t, n).run(); }},
  };
  for (auto& v : variants) v.run(queries / 10);
  for (std::size_t round = 0; round < rounds; ++round) {
    for (auto& v : variants) {
      const auto n = static_cast<double>(queries);
      const auto start = io::now();
      const auto used = processor_seconds();
      v.run(queries);
      v.costs.push_back((processor_seconds() - used) / n * 1e6);
      v.rates.push_back(n / std::chrono::duration<double>(io::now() - start).count());
    }
  }
  std::printf("c-ares %s, window %zu, %zu queries x %zu rounds, medians\n", ::ares_version(nullptr), window, queries,
              rounds);
  const auto& own = variants[1];
  for (const auto& v : variants) {
    std::printf("%-18s %8.0f queries/s (library: %.2f x)   %6.2f us of processor time (%.2f x the library's)\n", v.name,
                median(v.rates), median_ratio(own.rates, v.rates), median(v.costs), median_ratio(v.costs, own.costs));
  }
  ::kill(responder, SIGKILL);
  ::waitpid(responder, nullptr, 0);
}
