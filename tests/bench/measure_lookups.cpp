// Uncached lookups through the public API, as encrypted.py starts them: how many a second, how long each took, and
// what an open connection takes of memory. Every lookup is of a name of its own: 0.NAME, 1.NAME and so on.
//
//   measure_lookups SERVER NAME WINDOW COUNT [--ca-file FILE] [--resolvers N] [--cold] [--pause MS] [--both]
//                   [--threads]
//
// SERVER is one of options.servers. Several resolvers share WINDOW and COUNT, and each has a connection of its own. All
// run on this one thread, inside one epoll; with --threads, each has the thread that it has by default. --cold: each
// lookup is the first of a new resolver. --pause: each waits for so long after the one before, which the server may use
// to close the connection. --both: A and AAAA, not A only. One line of JSON comes out.
#include <lbresolve/lbresolve.hpp>

#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace lbresolve;
using steady = std::chrono::steady_clock;

struct plan {
  std::string server;
  std::string name;
  std::size_t window = 1;
  std::size_t count = 1;
  std::string ca_file;
  std::size_t resolvers = 1;
  bool cold = false;
  bool both = false;
  bool threads = false;
  std::chrono::milliseconds pause{0};
};

[[noreturn]] void fail(std::string_view what) {
  std::fprintf(stderr, "measure_lookups: %.*s\n", static_cast<int>(what.size()), what.data());
  std::exit(1);
}

plan read_plan(int argc, char** argv) {
  if (argc < 5)
    fail("SERVER NAME WINDOW COUNT [--ca-file FILE] [--resolvers N] [--cold] [--pause MS] [--both] [--threads]");
  const auto number = [](const char* text) { return std::strtoul(text, nullptr, 10); };
  plan p{.server = argv[1], .name = argv[2], .window = number(argv[3]), .count = number(argv[4]), .ca_file = {}};
  for (int i = 5; i < argc; ++i) {
    const std::string_view option = argv[i];
    p.cold = p.cold || option == "--cold";
    p.both = p.both || option == "--both";
    p.threads = p.threads || option == "--threads";
    if (option == "--cold" || option == "--both" || option == "--threads") continue;
    if (i + 1 == argc) fail("an option lacks its value");
    const char* const value = argv[++i];
    if (option == "--ca-file") p.ca_file = value;
    if (option == "--resolvers") p.resolvers = std::max(1UL, number(value));
    if (option == "--pause") p.pause = std::chrono::milliseconds(number(value));
  }
  return p;
}

/// Resident memory, in KiB.
long resident() {
  long all = 0;
  long pages = 0;
  std::ifstream("/proc/self/statm") >> all >> pages;
  return pages * (::sysconf(_SC_PAGESIZE) / 1024);
}

double processor_us() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto us = [](const timeval& t) { return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_usec); };
  return us(used.ru_utime) + us(used.ru_stime);
}

/// A resolver, and the lookups that are its part.
struct client {
  resolver library;
  std::size_t first = 0;  // the number of its first lookup
  std::size_t count = 0;
  std::size_t sent = 0;
  std::vector<double> took;  // us
};

class measurement {
 public:
  explicit measurement(plan p) : plan_(std::move(p)), poll_(::epoll_create1(EPOLL_CLOEXEC)) {}
  ~measurement() { ::close(poll_); }
  measurement(const measurement&) = delete;
  measurement& operator=(const measurement&) = delete;

  void run() {
    const long before = resident();
    const double used = processor_us();
    const auto start = steady::now();
    if (plan_.cold) {
      each_by_a_new_one();
    } else {
      add_clients();
      plan_.pause.count() > 0 ? one_after_the_other() : all();
    }
    const double seconds = std::chrono::duration<double>(steady::now() - start).count();
    const auto count = static_cast<double>(plan_.count);
    for (const auto& c : clients_) took_.insert(took_.end(), c->took.begin(), c->took.end());
    std::sort(took_.begin(), took_.end());
    std::printf("{\"rate\": %.0f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"processor_us\": %.2f, \"resident_kib\": %ld}\n",
                count / seconds, at(0.5), at(0.99), (processor_us() - used) / std::max(count, 1.0),
                resident() - before);
  }

 private:
  resolver make() {
    auto made = resolver::create({.servers = {plan_.server},
                                  .families = plan_.both ? families::both : families::ipv4_only,
                                  .loop = plan_.threads ? loop::own_thread : loop::caller,
                                  .ask_unroutable = true,
                                  .query = {.ca_file = plan_.ca_file},
                                  .hosts = {}});
    if (!made) fail(made.error().message());
    return std::move(made).value();
  }

  void add_clients() {
    for (std::size_t i = 0; i < plan_.resolvers; ++i) {
      const std::size_t first = plan_.count * i / plan_.resolvers;
      const std::size_t count = plan_.count * (i + 1) / plan_.resolvers - first;
      clients_.push_back(std::make_unique<client>(client{make(), first, count, 0, {}}));
      clients_.back()->took.reserve(count);
      if (plan_.resolvers == 1 || plan_.threads) continue;  // sleeps in process(), or on its thread
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = clients_.back().get();
      if (::epoll_ctl(poll_, EPOLL_CTL_ADD, clients_.back()->library.fd(), &event) != 0) fail("epoll_ctl");
    }
  }

  void send(client& c, bool goes_on) {
    const auto start = steady::now();
    c.library.async_resolve(
        std::to_string(c.first + c.sent++) + "." + plan_.name, {.use_cache = false},
        [this, &c, start, goes_on](result<resolution> found) {
          if (!found) fail(found.error().message());
          c.took.push_back(std::chrono::duration<double, std::micro>(steady::now() - start).count());
          if (goes_on && c.sent < c.count) return send(c, true);
          done_.fetch_add(goes_on && c.took.size() == c.count ? 1 : 0);
          done_.notify_one();
        });
  }

  void all() {
    const std::size_t each = std::max<std::size_t>(1, plan_.window / plan_.resolvers);
    if (plan_.count == 0) return;
    // Handed over by the thread that calls back: what it counts is its own.
    for (const auto& c : clients_)
      c->library.async_resolve("127.0.0.1", {}, [this, &c = *c, each](const result<resolution>&) {
        for (std::size_t i = 0; i < std::min(each, c.count); ++i) send(c, true);
      });
    for (std::size_t done = 0; (done = done_.load()) < clients_.size();) {
      if (plan_.threads) {
        done_.wait(done);
      } else if (clients_.size() == 1) {
        clients_.front()->library.process(std::chrono::milliseconds{1000});
      } else {
        std::array<epoll_event, 64> events;
        const int ready = ::epoll_wait(poll_, events.data(), static_cast<int>(events.size()), 1000);
        for (int i = 0; i < ready; ++i)
          static_cast<client*>(events[static_cast<std::size_t>(i)].data.ptr)->library.process();
      }
    }
  }

  void one(client& c) {
    const std::size_t wanted = c.took.size() + 1;
    send(c, false);
    while (c.took.size() < wanted) c.library.process(std::chrono::milliseconds{1000});
  }

  void one_after_the_other() {
    client& c = *clients_.front();
    while (c.took.size() < plan_.count) {
      one(c);
      for (const auto end = steady::now() + plan_.pause; steady::now() < end;)
        c.library.process(std::chrono::milliseconds{5});
    }
    c.took.erase(c.took.begin());  // that one was cold
  }

  void each_by_a_new_one() {
    for (std::size_t i = 0; i < plan_.count; ++i) {
      client c{make(), i, 1, 0, {}};
      one(c);
      took_.push_back(c.took.front());
    }
  }

  double at(double share) const {
    if (took_.empty()) return 0;
    return took_[static_cast<std::size_t>(static_cast<double>(took_.size() - 1) * share)];
  }

  plan plan_;
  int poll_;
  std::vector<double> took_;          // us
  std::atomic<std::size_t> done_{0};  // clients
  std::vector<std::unique_ptr<client>> clients_;
};

}  // namespace

int main(int argc, char** argv) {
  measurement(read_plan(argc, argv)).run();
  return 0;
}
