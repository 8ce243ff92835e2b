#include "io/system_random.hpp"

#include "support/chi_square.hpp"
#include "support/test_random.hpp"

#include <doctest/doctest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <set>
#include <vector>

namespace lbresolve::io {
namespace {

TEST_CASE("the chi-square test itself tells uniform from not quite uniform") {
  test::test_random random(7);
  std::vector<std::size_t> fair(1000);
  std::vector<std::size_t> biased(1000);
  for (int i = 0; i < 100'000; ++i) {
    ++fair[random.below(fair.size())];
    ++biased[random.below(20) == 0 ? random.below(500) : random.below(1000)];  // 5 % prefer the lower half
  }
  CHECK(test::uniform_p(fair) > 0.001);
  CHECK(test::uniform_p(biased) < 1e-6);
  const std::vector<std::size_t> too_even(1000, 100);
  CHECK(test::uniform_p(too_even) > 0.999);
}

TEST_CASE("SEC-07: 100,000 query IDs are uniform by chi-square") {
  system_random random;
  std::vector<std::size_t> high(256);
  std::vector<std::size_t> low(256);
  std::vector<std::size_t> id(4096);
  for (int i = 0; i < 100'000; ++i) {
    const auto drawn = static_cast<std::uint16_t>(random.next() & 0xFFFF);
    ++high[drawn >> 8];
    ++low[drawn & 0xFF];
    ++id[drawn >> 4];
  }
  CHECK(test::uniform_p(high) > 1e-6);
  CHECK(test::uniform_p(low) > 1e-6);
  CHECK(test::uniform_p(id) > 1e-6);
}

TEST_CASE("every bit of a draw is as often set as not, and no draw comes twice") {
  system_random random;
  std::array<int, 64> set{};
  std::set<std::uint64_t> seen;
  constexpr int draws = 10'000;
  for (int i = 0; i < draws; ++i) {
    const auto word = random.next();
    seen.insert(word);
    for (std::size_t b = 0; b < 64; ++b) set[b] += static_cast<int>(word >> b & 1);
  }
  CHECK(seen.size() == draws);
  for (const int n : set) {
    CHECK(n > draws / 2 - 350);  // seven standard deviations
    CHECK(n < draws / 2 + 350);
  }
}

TEST_CASE("two sources give different bits") {
  system_random a;
  system_random b;
  CHECK(a.next() != b.next());
}

/// What a child drew, handed over by a pipe.
template <class Fork>
std::uint64_t drawn_in_child(system_random& random, Fork fork_now) {
  std::array<int, 2> fds{};
  REQUIRE(::pipe(fds.data()) == 0);
  const auto child = fork_now();
  if (child == 0) {
    const auto word = random.next();
    [[maybe_unused]] const auto written = ::write(fds[1], &word, sizeof(word));
    ::_exit(0);
  }
  REQUIRE(child > 0);
  std::uint64_t word = 0;
  REQUIRE(::read(fds[0], &word, sizeof(word)) == sizeof(word));
  ::waitpid(static_cast<pid_t>(child), nullptr, 0);
  ::close(fds[0]);
  ::close(fds[1]);
  return word;
}

TEST_CASE("part of USE-06: a forked child does not repeat its parent's bits, however it was forked") {
  system_random random;
  random.next();  // so that there is something buffered
  const auto forked = drawn_in_child(random, [] { return ::fork(); });
#if !defined(__SANITIZE_THREAD__)
  const auto cloned =
      drawn_in_child(random, [] { return ::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, 0); });
#else
  const auto cloned = drawn_in_child(random, [] { return ::fork(); });
#endif
  CHECK(forked != cloned);
  for (int i = 0; i < 256; ++i) {
    const auto ours = random.next();
    CHECK(ours != forked);
    CHECK(ours != cloned);
  }
}

TEST_CASE("random_bytes fills what it is given, also nothing") {
  std::vector<std::uint8_t> bytes(1000);
  random_bytes(bytes);
  std::set<std::uint8_t> seen(bytes.begin(), bytes.end());
  CHECK(seen.size() > 200);
  random_bytes({});
}

}  // namespace
}  // namespace lbresolve::io
