// Picks, and what feeds them: through the public API, policy `balanced`, with health updating beside it.
#include "core/balance.hpp"
#include "core/health.hpp"
#include "io/clock.hpp"
#include "io/named_plans.hpp"
#include "io/quick_random.hpp"
#include "io/shared_selection.hpp"
#include "io/system_random.hpp"

#include <lbresolve/lbresolve.hpp>

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

namespace {

using namespace lbresolve;

/// A hosts file in which each of so many names has so many addresses: no server is needed, and nothing expires.
class hosts_file {
 public:
  hosts_file(int names, int addresses) : path_("/tmp/lbresolve-bench-hosts-" + std::to_string(::getpid())) {
    std::ofstream out(path_);
    for (int n = 0; n < names; ++n)
      for (int a = 1; a <= addresses; ++a) out << "127.0." << n % 250 << "." << a << " name" << n << ".test\n";
  }
  ~hosts_file() { std::remove(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

resolver with_hosts(const hosts_file& hosts) {
  options o;
  o.servers = {"127.0.0.1:9"};
  o.hosts = hosts.path();
  o.selection.probing = false;
  return resolver::create(o).value();
}

/// Reports for one of eight endpoints, a thousand times a second, as long as it lives.
class reporter {
 public:
  explicit reporter(resolver& to)
      : thread_([this, &to] {
          for (unsigned i = 0; !stop_; ++i) {
            const endpoint at{address::v4({127, 0, 0, static_cast<std::uint8_t>(1 + i % 8)}), 443};
            to.begin(at);
            to.report(at, outcome::success, std::chrono::microseconds{900 + i % 200});
            std::this_thread::sleep_for(std::chrono::milliseconds{1});
          }
        }) {}
  ~reporter() {
    stop_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

void held_picker(benchmark::State& state) {
  static hosts_file* hosts = nullptr;
  static resolver* made = nullptr;
  static reporter* reports = nullptr;
  if (state.thread_index() == 0) {
    hosts = new hosts_file(1, 8);
    made = new resolver(with_hosts(*hosts));
    reports = new reporter(*made);
  }
  std::optional<picker> own;
  for (auto _ : state) {
    if (!own) {
      state.PauseTiming();
      own = made->make_picker("name0.test:443").value();
      state.ResumeTiming();
    }
    benchmark::DoNotOptimize(own->pick());
  }
  if (state.thread_index() == 0) {
    delete std::exchange(reports, nullptr);
    delete std::exchange(made, nullptr);
    delete std::exchange(hosts, nullptr);
  }
}
BENCHMARK(held_picker)->Threads(1)->Threads(2)->UseRealTime();

/// Names to ask for, drawn uniformly and laid out in the order of their use: a program that asks for a name has just
/// read it, so waiting for the name itself is no part of a pick.
class name_sequence {
 public:
  explicit name_sequence(const std::vector<std::string>& names) : text_(count * room) {
    std::uint64_t at = 1;
    for (std::size_t i = 0; i < count; ++i) {
      at = at * 6364136223846793005U + 1442695040888963407U;
      const std::string& name = names[(at >> 33) % names.size()];
      std::copy(name.begin(), name.end(), text_.begin() + static_cast<std::ptrdiff_t>(i * room));
      sizes_.push_back(name.size());
    }
  }
  std::string_view next() {
    const std::size_t i = at_++ % count;
    return {text_.data() + i * room, sizes_[i]};
  }

 private:
  static constexpr std::size_t count = std::size_t{1} << 21;
  static constexpr std::size_t room = 32;
  std::vector<char> text_;
  std::vector<std::size_t> sizes_;
  std::size_t at_ = 0;
};

void pick_by_name(benchmark::State& state) {
  const auto count = static_cast<int>(state.range(0));
  const hosts_file hosts(count, 4);
  resolver r = with_hosts(hosts);
  std::vector<std::string> names;
  for (int n = 0; n < count; ++n) names.push_back("name" + std::to_string(n) + ".test:443");
  for (const std::string& name : names)
    if (!r.pick(name)) return state.SkipWithError("a name could not be picked from");
  name_sequence sequence(names);
  for (auto _ : state) benchmark::DoNotOptimize(r.pick(sequence.next()));
}
BENCHMARK(pick_by_name)->Arg(1'000)->Arg(100'000);

/// The same without the resolver around it, so that a million names are made in seconds.
void pick_from_table(benchmark::State& state) {
  const auto count = static_cast<int>(state.range(0));
  io::in_flight_counts counts;
  io::named_plans plans;
  std::vector<std::string> names;
  for (int n = 0; n < count; ++n) {
    names.push_back("name" + std::to_string(n) + ".test:443");
    std::vector<core::contender> set(4);
    const core::pick_plan plan(set, core::costs_of(set, {}), false, {});
    io::board_plan board;
    board.head = plan.head();
    for (const core::pick_choice& c : plan.choices()) {
      const endpoint at{address::v4({10, static_cast<std::uint8_t>(n >> 16), static_cast<std::uint8_t>(n >> 8),
                                     static_cast<std::uint8_t>((n & 0xFC) | static_cast<int>(c.index))}),
                        443};
      board.choices.push_back({.how = c, .at = at, .busy = counts.make(0)});
    }
    plans.publish(names.back(), std::move(board));
  }
  name_sequence sequence(names);
  for (auto _ : state) benchmark::DoNotOptimize(plans.pick(sequence.next(), io::thread_quick_random()));
}
BENCHMARK(pick_from_table)->Arg(1'000)->Arg(100'000)->Arg(1'000'000);

/// Beside it: what finding the name alone costs with the standard library.
void bare_map(benchmark::State& state) {
  const auto count = static_cast<int>(state.range(0));
  struct hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  std::unordered_map<std::string, int, hash, std::equal_to<>> map;
  std::vector<std::string> names;
  for (int n = 0; n < count; ++n) {
    names.push_back("name" + std::to_string(n) + ".test:443");
    map.emplace(names.back(), n);
  }
  name_sequence sequence(names);
  for (auto _ : state) benchmark::DoNotOptimize(map.find(sequence.next()));
}
BENCHMARK(bare_map)->Arg(1'000)->Arg(100'000)->Arg(1'000'000);

/// One sample into the memory, behind its lock, of an endpoint of eight.
void record_sample(benchmark::State& state) {
  io::shared_selection memory({});
  std::vector<endpoint> set;
  for (std::uint8_t i = 1; i <= 8; ++i) set.push_back({address::v4({127, 0, 0, i}), 443});
  std::vector<core::health_view> known(set.size());
  core::time_point now = io::now();
  memory.look_up("name.test:443", set, known, now, io::thread_random());
  std::size_t i = 0;
  for (auto _ : state) {
    now += std::chrono::milliseconds{1};
    memory.report(set[i++ % set.size()], outcome::success, std::chrono::milliseconds{1}, now, io::thread_random());
  }
}
BENCHMARK(record_sample);

/// A connect's sample, which also compares with what the siblings take.
void record_connect(benchmark::State& state) {
  io::shared_selection memory({});
  std::vector<endpoint> set;
  for (std::uint8_t i = 1; i <= 8; ++i) set.push_back({address::v4({127, 0, 0, i}), 443});
  std::vector<core::health_view> known(set.size());
  core::time_point now = io::now();
  memory.look_up("name.test:443", set, known, now, io::thread_random());
  std::size_t i = 0;
  for (auto _ : state) {
    now += std::chrono::milliseconds{1};
    memory.on_attempt("name.test:443", {.at = set[i++ % set.size()], .took = std::chrono::milliseconds{1}}, now,
                      io::thread_random());
  }
}
BENCHMARK(record_connect);

}  // namespace

BENCHMARK_MAIN();
