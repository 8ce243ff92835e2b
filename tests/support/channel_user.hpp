// Somebody who asks over a query_channel, and notes what comes of it.
#pragma once

#include "core/message.hpp"
#include "io/clock.hpp"
#include "io/event_loop.hpp"
#include "io/transport.hpp"
#include "support/memory_stream.hpp"
#include "support/test_random.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lbresolve::test {

struct channel_event {
  std::uint64_t exchange = 0;
  std::optional<core::reply_match> kind;  ///< of a reply
  std::vector<std::uint8_t> message;
  std::error_code code;
  std::string sentence;
};

struct channel_user final : io::transport_events {
  void on_reply(std::uint64_t exchange, core::reply_match kind, std::span<const std::uint8_t> message) override {
    note({exchange, kind, {message.begin(), message.end()}, {}, {}});
  }
  void on_error(std::uint64_t exchange, const error& why) override {
    note({exchange, std::nullopt, {}, why.code(), why.message()});
  }

  void send(std::uint64_t exchange, transport over, const std::vector<std::uint8_t>& query) {
    const bool was = std::exchange(busy, true);
    channel->send(exchange, over, query);
    busy = was;
  }
  void abandon(std::uint64_t exchange) {
    const bool was = std::exchange(busy, true);
    channel->abandon(exchange);
    busy = was;
  }

  bool run_until(const std::function<bool()>& done, core::duration limit = std::chrono::seconds(10)) {
    const auto deadline = io::now() + limit;
    while (!done()) {
      if (io::now() >= deadline) return false;
      loop->run_once(std::chrono::milliseconds(5));
    }
    return true;
  }
  bool run_until_events(std::size_t count) {
    return run_until([&] { return events.size() >= count; });
  }
  /// Everything that is under way in memory has come about.
  void settle() {
    for (int round = 0; round < 20; ++round) loop->run_once(core::duration::zero());
  }

  std::unique_ptr<io::event_loop> loop = io::event_loop::create().value();
  test_random random;
  memory_dialer dialer{*loop};
  std::deque<channel_event> events;
  std::function<void(channel_event&)> then;
  std::unique_ptr<io::query_channel> channel;

 private:
  void note(channel_event e) {
    CHECK_FALSE(busy);  // no event inside a call of the channel
    events.push_back(std::move(e));
    if (then) then(events.back());
  }
  bool busy = false;
};

inline std::vector<std::uint8_t> query_for(std::uint16_t id, std::string_view name = "www.example.com") {
  test_random random(id + 1U);
  return core::make_query(id, {core::name::from_text(name).value(), core::rr_type::a}, {}, random);
}

}  // namespace lbresolve::test
