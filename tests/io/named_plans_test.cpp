// Plans by name: found without a lock while they are written, moved and forgotten.
#include "io/named_plans.hpp"

#include "core/balance.hpp"
#include "io/in_flight_count.hpp"
#include "support/test_random.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace lbresolve;

/// 10.X.X.k, where X is the number.
endpoint member(unsigned number, unsigned k) {
  return {address::v4({10, static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number),
                       static_cast<std::uint8_t>(k)}),
          443};
}
unsigned number_of(const endpoint& e) {
  return static_cast<unsigned>(e.address.bytes()[1]) << 8 | static_cast<unsigned>(e.address.bytes()[2]);
}

io::board_plan plan_of(unsigned number, std::size_t members, io::in_flight_counts& counts,
                       policy by = policy::balanced) {
  const std::vector<core::contender> set(members);
  const core::pick_plan plan(set, core::costs_of(set, {}), false, {});
  io::board_plan out;
  out.policy = by;
  out.head = plan.head();
  for (const core::pick_choice& c : plan.choices())
    out.choices.push_back({.how = c, .at = member(number, c.index), .busy = counts.make(0)});
  return out;
}

std::string name_of(unsigned number) { return std::string(number % 90, 'x') + std::to_string(number) + ".test:443"; }

TEST_CASE("a plan is found by its name until it is forgotten") {
  io::in_flight_counts counts;
  io::named_plans plans;
  test::test_random random(1);
  CHECK_FALSE(plans.pick("a.test:443", random));
  plans.publish("a.test:443", plan_of(1, 4, counts));
  REQUIRE(plans.pick("a.test:443", random));
  CHECK(number_of(*plans.pick("a.test:443", random)) == 1);
  CHECK_FALSE(plans.pick("b.test:443", random));
  CHECK_FALSE(plans.pick("a.test:44", random));
  plans.publish("a.test:443", std::nullopt);
  CHECK_FALSE(plans.pick("a.test:443", random));
  plans.publish("a.test:443", std::nullopt);
}

TEST_CASE("the newest plan of a name counts, of whatever size it is") {
  io::in_flight_counts counts;
  io::named_plans plans;
  test::test_random random(1);
  for (const std::size_t members : {4U, 4U, 2U, 1U, 8U, 70U, 3U}) {
    const auto number = static_cast<unsigned>(members);
    plans.publish("a.test:443", plan_of(number, members, counts));
    std::map<endpoint, int> seen;
    for (int i = 0; i < 3'000; ++i) ++seen[*plans.pick("a.test:443", random)];
    CHECK(seen.size() == members);
    for (const auto& [at, n] : seen) CHECK(number_of(at) == number);
  }
}

TEST_CASE("SEL-08: a new plan takes turns where the one before it stopped") {
  io::in_flight_counts counts;
  io::named_plans plans;
  test::test_random random(1);
  plans.publish("a.test:443", plan_of(1, 3, counts, policy::round_robin));
  CHECK(*plans.pick("a.test:443", random) == member(1, 0));
  plans.publish("a.test:443", plan_of(1, 3, counts, policy::round_robin));
  CHECK(*plans.pick("a.test:443", random) == member(1, 1));
  plans.publish("a.test:443", plan_of(1, 4, counts, policy::round_robin));  // in other memory
  CHECK(*plans.pick("a.test:443", random) == member(1, 2));
}

TEST_CASE("SEL-15: a member on which more goes on is passed over, from the plan on that is written then") {
  io::in_flight_counts counts;
  io::named_plans plans;
  test::test_random random(1);
  const io::board_plan plan = plan_of(1, 2, counts);
  const io::count_hold busy = plan.choices[0].busy;
  const endpoint there = plan.choices[0].at;
  plans.publish("a.test:443", plan);
  const auto picks_there = [&] {
    int n = 0;
    for (int i = 0; i < 1'000; ++i) n += *plans.pick("a.test:443", random) == there ? 1 : 0;
    return n;
  };
  CHECK(picks_there() > 400);
  busy->store(1);
  plans.publish("a.test:443", plan);
  busy->store(5);              // a plan of a busy name sees every change
  CHECK(picks_there() < 350);  // where both draws meet it: a quarter
  busy->store(0);
  CHECK(picks_there() > 400);
}

TEST_CASE("whether a name was picked from is told once") {
  io::in_flight_counts counts;
  io::named_plans plans;
  test::test_random random(1);
  plans.publish("a.test:443", plan_of(1, 2, counts));
  CHECK(plans.take_use("a.test:443"));
  CHECK_FALSE(plans.take_use("a.test:443"));
  CHECK(plans.pick("a.test:443", random));
  plans.publish("a.test:443", plan_of(1, 3, counts));
  CHECK(plans.take_use("a.test:443"));
  CHECK_FALSE(plans.take_use("b.test:443"));
}

TEST_CASE("thousands of names that come and go, of all lengths, are found as long as they are there") {
  constexpr unsigned most = 3'000;
  io::in_flight_counts counts;
  io::named_plans plans;
  test::test_random random(7);
  std::map<unsigned, bool> there;
  for (int i = 0; i < 20'000; ++i) {
    const auto number = static_cast<unsigned>(random.below(most));
    if (there[number])
      plans.publish(name_of(number), std::nullopt);
    else
      plans.publish(name_of(number), plan_of(number, 1 + number % 5, counts));
    there[number] = !there[number];
  }
  for (unsigned number = 0; number < most; ++number) {
    const auto picked = plans.pick(name_of(number), random);
    CHECK(picked.has_value() == there[number]);
    if (picked) CHECK(number_of(*picked) == number);
  }
}

TEST_CASE("what is picked beside a writer is of that name, and found unless forgotten") {
  constexpr unsigned kept = 40;
  constexpr unsigned all = 80;  // the others come and go, and their memory is given on
  io::in_flight_counts counts;
  io::named_plans plans;
  for (unsigned number = 0; number < kept; ++number)
    plans.publish(name_of(number), plan_of(number, 1 + number % 5, counts));
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  std::atomic<int> missed{0};
  std::vector<std::thread> readers;
  for (std::uint64_t seed = 1; seed <= 2; ++seed)
    readers.emplace_back([&, seed] {
      test::test_random random(seed);
      while (!done) {
        const auto number = static_cast<unsigned>(random.below(all));
        const auto picked = plans.pick(name_of(number), random);
        if (picked && number_of(*picked) != number) ++wrong;
        if (!picked && number < kept) ++missed;
      }
    });
  test::test_random random(9);
  for (int i = 0; i < 20'000; ++i) {
    const auto number = static_cast<unsigned>(random.below(all));
    if (number >= kept && random.below(2) == 0)
      plans.publish(name_of(number), std::nullopt);
    else
      plans.publish(name_of(number), plan_of(number, 1 + random.below(6), counts));
  }
  done = true;
  for (std::thread& t : readers) t.join();
  CHECK(wrong == 0);
  CHECK(missed == 0);
}

TEST_CASE("counts outlive the pool they came from while somebody holds them, and are given on when nobody does") {
  io::count_hold kept;
  {
    io::in_flight_counts counts;
    kept = counts.make(7);
    std::vector<io::count_hold> many;
    for (int i = 0; i < 2'000; ++i) many.push_back(counts.make(1));
    const io::in_flight_count* const first = &*many.front();
    many.clear();
    counts.look_again();
    CHECK(&*counts.make(2) == first);
  }
  CHECK(*kept == 7);
  const io::count_hold copy = kept;
  CHECK_FALSE(kept.is_last());
}

}  // namespace
