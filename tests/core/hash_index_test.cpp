// The index that hot lookups go by, against std::map.
#include "core/hash_index.hpp"

#include "support/test_random.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>

namespace lbresolve::test {
namespace {

struct thing {
  std::uint64_t key = 0;
  int value = 0;
};

/// Eight homes for all keys, so that every one collides and wraps around the end.
std::size_t crowded(std::uint64_t key) { return (key * 37) & 7; }
std::size_t spread(std::uint64_t key) { return key * 0x9E3779B97F4A7C15U; }

auto with(std::uint64_t key) {
  return [key](const thing& t) { return t.key == key; };
}

void compare_with_map(std::size_t (*hash)(std::uint64_t), std::uint64_t keys, int steps) {
  core::hash_index<std::unique_ptr<thing>> index;
  std::map<std::uint64_t, int> expected;
  test_random random(keys);
  for (int step = 0; step < steps; ++step) {
    const std::uint64_t key = random.below(keys);
    if (random.below(3) == 0) {
      const auto taken = index.take(hash(key), with(key));
      REQUIRE((taken != nullptr) == (expected.erase(key) == 1));
    } else {
      const auto old = index.put(hash(key), std::make_unique<thing>(thing{key, step}), with(key));
      REQUIRE((old != nullptr) == expected.contains(key));
      expected[key] = step;
    }
    REQUIRE(index.size() == expected.size());
  }
  for (std::uint64_t key = 0; key < keys; ++key) {
    const thing* const found = index.find(hash(key), with(key));
    REQUIRE((found != nullptr) == expected.contains(key));
    if (found != nullptr) CHECK(found->value == expected[key]);
  }
}

TEST_CASE("MEM-03: the index finds what was put into it and nothing else, also when all hashes collide") {
  compare_with_map(crowded, 40, 5'000);
  compare_with_map(spread, 2'000, 50'000);
}

TEST_CASE("MEM-03: an empty index has nothing, before its first entry and after its last") {
  core::hash_index<std::unique_ptr<thing>> index;
  CHECK(index.find(1, with(1)) == nullptr);
  CHECK(index.take(1, with(1)) == nullptr);
  index.put(1, std::make_unique<thing>(thing{1, 1}), with(1));
  CHECK(index.take(1, with(1)) != nullptr);
  CHECK(index.find(1, with(1)) == nullptr);
  CHECK(index.size() == 0);
}

}  // namespace
}  // namespace lbresolve::test
