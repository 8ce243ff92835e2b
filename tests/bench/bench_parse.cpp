// Reading one answer, a CNAME, four A records and OPT: ours, and beside it what a program would otherwise call, on the
// same bytes in the same run. The floor is 250 ns for parse, without an allocation.
#include "bench/allocation_count.hpp"
#include "core/answer.hpp"
#include "support/message_builder.hpp"

#include <ares.h>
#include <arpa/nameser.h>
#include <benchmark/benchmark.h>
#include <netdb.h>
#include <resolv.h>

#include <array>
#include <cstring>

namespace lbresolve::bench {
namespace {

const test::octets& answer_bytes() {
  static const test::octets bytes = test::common_answer().bytes();
  return bytes;
}

void report_allocations(benchmark::State& state, std::uint64_t before) {
  state.counters["allocations"] =
      benchmark::Counter(static_cast<double>(allocation_count - before), benchmark::Counter::kAvgIterations);
}

void parse(benchmark::State& state) {
  const auto& bytes = answer_bytes();
  const std::uint64_t before = allocation_count;
  for (auto _ : state) {
    auto parsed = core::message::parse(bytes);
    if (!parsed) return state.SkipWithError("the answer cannot be read");
    benchmark::DoNotOptimize(parsed.assume_value().records().data());
  }
  report_allocations(state, before);
}
BENCHMARK(parse);

void parse_and_interpret(benchmark::State& state) {
  const auto& bytes = answer_bytes();
  const core::question asked = test::common_question();
  const std::uint64_t before = allocation_count;
  for (auto _ : state) {
    auto parsed = core::message::parse(bytes);
    if (!parsed) return state.SkipWithError("the answer cannot be read");
    auto said = core::interpret(parsed.assume_value(), asked);
    if (said.addresses.size() != 4) return state.SkipWithError("not four addresses");
    benchmark::DoNotOptimize(said.addresses.data());
  }
  report_allocations(state, before);
}
BENCHMARK(parse_and_interpret);

void match(benchmark::State& state) {
  const auto& bytes = answer_bytes();
  struct : core::random_source {
    std::uint64_t next() override { return 0; }
  } none;
  const auto query = core::make_query(0x1234, test::common_question(), {}, none);
  const std::uint64_t before = allocation_count;
  for (auto _ : state) {
    if (core::match_reply(query, bytes) != core::reply_match::reply) return state.SkipWithError("no match");
  }
  report_allocations(state, before);
}
BENCHMARK(match);

/// Addresses with TTLs and a hostent, as a program of c-ares 1.18 asks for them. It allocates with malloc, uncounted.
void peer_cares_parse_a_reply(benchmark::State& state) {
  const auto& bytes = answer_bytes();
  for (auto _ : state) {
    std::array<ares_addrttl, 16> found;
    int count = static_cast<int>(found.size());
    hostent* host = nullptr;
    const int status = ares_parse_a_reply(bytes.data(), static_cast<int>(bytes.size()), &host, found.data(), &count);
    if (status != ARES_SUCCESS || count != 4) return state.SkipWithError("c-ares cannot read it");
    benchmark::DoNotOptimize(found);
    ares_free_hostent(host);
  }
}
BENCHMARK(peer_cares_parse_a_reply);

/// libresolv's walk over the answer section, taking the addresses; it leaves authority and additional unread.
void peer_glibc_ns_parserr(benchmark::State& state) {
  const auto& bytes = answer_bytes();
  for (auto _ : state) {
    ns_msg handle;
    if (ns_initparse(bytes.data(), static_cast<int>(bytes.size()), &handle) != 0) {
      return state.SkipWithError("libresolv cannot read it");
    }
    std::array<std::uint32_t, 16> found;
    std::size_t count = 0;
    for (int i = 0; i < ns_msg_count(handle, ns_s_an); ++i) {
      ns_rr record;
      if (ns_parserr(&handle, ns_s_an, i, &record) != 0) return state.SkipWithError("libresolv cannot read a record");
      if (ns_rr_type(record) == ns_t_a) std::memcpy(&found[count++], ns_rr_rdata(record), 4);
    }
    if (count != 4) return state.SkipWithError("not four addresses");
    benchmark::DoNotOptimize(found);
  }
}
BENCHMARK(peer_glibc_ns_parserr);

}  // namespace
}  // namespace lbresolve::bench

BENCHMARK_MAIN();
