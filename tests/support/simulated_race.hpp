// A race in virtual time: a little network whose endpoints and DNS answers behave as a test tells them to.
#pragma once

#include "core/race.hpp"
#include "support/test_random.hpp"

#include <cerrno>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace lbresolve::test {

using core::duration;
using core::rr_type;
using core::time_point;

inline std::error_code system_error(int number) { return {number, std::system_category()}; }

/// 2001:db8::n port 443, with a route.
inline core::candidate v6(unsigned n, std::uint16_t port = 443) {
  const auto low = static_cast<std::uint8_t>(n & 0xff), high = static_cast<std::uint8_t>(n >> 8);
  core::candidate c;
  c.endpoint = {address::v6({0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, high, low}), port};
  c.source = address::v6({0x20, 0x01, 0x0d, 0xb8, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
  return c;
}

/// 192.0.2.n port 443, with a route; from 256 on, the next networks.
inline core::candidate v4(unsigned n, std::uint16_t port = 443) {
  core::candidate c;
  c.endpoint = {address::v4({192, 0, static_cast<std::uint8_t>(2 + (n >> 8)), static_cast<std::uint8_t>(n & 0xff)}),
                port};
  c.source = address::v4({198, 51, 100, 1});
  return c;
}

inline core::candidate with_priority(core::candidate c, std::uint32_t priority) {
  c.priority = priority;
  return c;
}
/// Of an SRV record whose host is number `host` of the lookup.
inline core::candidate weighted(core::candidate c, std::uint8_t host, std::uint16_t weight) {
  c.weighted = true;
  c.weight = weight;
  c.from = {host, c.endpoint.address.is_v4() ? rr_type::a : rr_type::aaaa};
  return c;
}
inline core::candidate as_hint(core::candidate c) {
  c.hint = true;
  return c;
}
inline core::candidate without_route(core::candidate c) {
  c.source.reset();
  return c;
}
inline core::candidate skipped(core::candidate c, std::string why) {
  c.skip = std::move(why);
  return c;
}

/// "6.1" for v6(1), "4.1" for v4(1): what the tests compare.
inline std::string short_name(const endpoint& e) {
  const auto bytes = e.address.bytes();
  const unsigned n = e.address.is_v6() ? bytes[14] * 256U + bytes[15] : (bytes[2] - 2U) * 256U + bytes[3];
  return (e.address.is_v6() ? "6." : "4.") + std::to_string(n);
}

inline std::string short_names(const std::vector<core::candidate>& candidates) {
  std::string out;
  for (const auto& c : candidates) out += (out.empty() ? "" : " ") + short_name(c.endpoint);
  return out;
}

/// What becomes of a connect.
struct behaviour {
  enum class kind { connects, fails, hangs };
  kind is = kind::hangs;
  duration after{};
  std::error_code code{};
  /// TLS begins once TCP is there (simulated_world only), and ends after `tls_after` with `tls_code`; max(): never.
  std::optional<duration> tls_after{};
  std::error_code tls_code{};
};
inline behaviour connects(duration after) { return {behaviour::kind::connects, after, {}}; }
inline behaviour refuses(duration after) { return {behaviour::kind::fails, after, system_error(ECONNREFUSED)}; }
inline behaviour fails(duration after, int number) { return {behaviour::kind::fails, after, system_error(number)}; }
inline behaviour unreachable() { return {behaviour::kind::fails, duration::zero(), system_error(ENETUNREACH)}; }
inline behaviour black_holed() { return {}; }
inline behaviour then_tls(behaviour tcp, duration after, std::error_code code = {}) {
  tcp.tls_after = after;
  tcp.tls_code = code;
  return tcp;
}
inline behaviour then_mute(behaviour tcp) { return then_tls(tcp, duration::max()); }

/// What happened in a race, and what must never happen.
struct race_story {
  bool won = false;
  bool stalled = false;  ///< nothing left to wait for, and neither won nor lost
  endpoint winner;
  std::error_code why;
  duration took{};
  std::vector<std::pair<duration, endpoint>> started;
  std::vector<duration> failed_at;
  std::vector<attempt_record> attempts;
  int asked_again = 0;
  std::size_t most_live = 0;
  std::size_t sockets_left = 0;  ///< open after the end, the winner's apart
  std::vector<std::string> violations;

  /// "6.1@30 4.1@280"
  std::string starts() const {
    std::string out;
    for (const auto& [at, to] : started) {
      const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(at).count();
      out += (out.empty() ? "" : " ") + short_name(to) + "@" + std::to_string(ms);
    }
    return out;
  }

  /// "6.1@280", or "lost@280"
  std::string end() const {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
    return (won ? short_name(winner) : std::string(stalled ? "stalled" : "lost")) + "@" + std::to_string(ms);
  }

  /// The record of an endpoint; a default one where there is none.
  attempt_record record_of(const core::candidate& c) const {
    for (const auto& a : attempts) {
      if (a.endpoint == c.endpoint) return a;
    }
    return {};
  }
};

class simulated_race {
 public:
  explicit simulated_race(core::race_settings settings = {}, std::uint64_t seed = 1)
      : settings_(settings), random_(seed), now_(t0), race_(settings, t0) {}

  /// Settings whose order is the answer's, with the deadline so long after the start.
  static core::race_settings in_order(duration deadline = std::chrono::seconds{15}) {
    core::race_settings s;
    s.policy = policy::in_order;
    s.deadline = t0 + deadline;
    return s;
  }

  simulated_race& answers(core::origin from, duration at, std::vector<core::candidate> found,
                          std::uint32_t priority = 0) {
    ask(from, priority);
    schedule(t0 + at, [this, from, found = std::move(found)] { race_.on_candidates(from, found, now_, random_); });
    return *this;
  }
  simulated_race& has_none(core::origin from, duration at, std::uint32_t priority = 0) {
    ask(from, priority);
    schedule(t0 + at, [this, from] { race_.on_no_candidates(from, now_); });
    return *this;
  }
  simulated_race& never_answers(core::origin from, std::uint32_t priority = 0) {
    ask(from, priority);
    return *this;
  }
  /// What resolve_again brings, so long after it was asked for. Without it: nothing new, at once.
  simulated_race& answers_again(core::origin from, duration after, std::vector<core::candidate> found) {
    again_.push_back({from, after, std::move(found)});
    return *this;
  }
  /// Endpoints that nothing is said about are black holes.
  simulated_race& endpoint_is(const core::candidate& c, behaviour b) {
    network_[c.endpoint] = b;
    return *this;
  }
  simulated_race& cancelled_at(duration at) {
    schedule(t0 + at, [this] { race_.cancel(now_); });
    return *this;
  }
  /// Facts are seen only at multiples of `step`: a busy event loop.
  simulated_race& polled_every(duration step) {
    step_ = step;
    return *this;
  }

  race_story run() {
    for (;;) {
      while (!events_.empty() && events_.begin()->first <= now_) {
        const auto event = std::move(events_.begin()->second);
        events_.erase(events_.begin());
        event();
      }
      const auto until = perform_all();
      if (finished_) break;
      const auto wake = events_.empty() ? until : std::min(until, events_.begin()->first);
      if (wake == core::never) {
        story_.stalled = true;
        break;
      }
      now_ = next_poll(wake);
    }
    story_.took = now_ - t0;
    story_.sockets_left = live_.size();
    story_.attempts = race_.attempts();
    return story_;
  }

 private:
  static constexpr time_point t0{std::chrono::hours{1}};
  using kind = core::race::action::kind;
  struct later_answer {
    core::origin from;
    duration after;
    std::vector<core::candidate> found;
  };

  void ask(core::origin from, std::uint32_t priority) { race_.expect(from, priority); }
  void schedule(time_point at, std::function<void()> what) { events_.emplace(at, std::move(what)); }
  void violated(const std::string& what) { story_.violations.push_back(what); }

  time_point next_poll(time_point wake) const {
    if (step_ <= duration::zero()) return wake;
    return t0 + ((wake - t0 + step_ - duration{1}) / step_) * step_;
  }

  /// Does what the race says until it waits or ends; returns until when it waits.
  time_point perform_all() {
    for (std::size_t n = 0; n < most_actions_; ++n) {
      const auto a = race_.next(now_);
      switch (a.what) {
        case kind::start:
          start(a);
          break;
        case kind::close:
          if (live_.erase(a.attempt) == 0) violated("closed what is not open");
          break;
        case kind::resolve_again:
          ask_again();
          break;
        case kind::wait:
          if (a.until <= now_) violated("waits for what has passed");
          if (a.until > settings_.deadline) violated("waits past the deadline");
          return a.until;
        case kind::won:
          finished_ = story_.won = true;
          story_.winner = a.to;
          if (live_.erase(a.attempt) == 0) violated("won with what is not open");
          return core::never;
        case kind::lost:
          finished_ = true;
          story_.why = a.why;
          return core::never;
      }
    }
    violated("does not come to rest");
    finished_ = true;
    return core::never;
  }

  void start(const core::race::action& a) {
    if (now_ >= settings_.deadline) violated("started after the deadline");
    if (!endpoints_.insert(a.to).second) violated("started " + short_name(a.to) + " twice");
    if (!live_.insert(a.attempt).second) violated("gave one number twice");
    story_.most_live = std::max(story_.most_live, live_.size());
    story_.started.emplace_back(now_ - t0, a.to);
    const auto found = network_.find(a.to);
    const auto b = found == network_.end() ? behaviour{} : found->second;
    if (b.is == behaviour::kind::hangs) return;
    const auto id = a.attempt;
    const auto happens = [this, id, b] {
      if (!live_.contains(id)) return;  // closed meanwhile: a real socket would tell nothing
      if (b.is == behaviour::kind::connects) return race_.on_connected(id, now_);
      live_.erase(id);
      story_.failed_at.push_back(now_ - t0);
      race_.on_failed(id, b.code, attempt_record::stage::connect, now_);
    };
    if (b.after == duration::zero()) return happens();
    schedule(now_ + b.after, happens);
  }

  void ask_again() {
    ++story_.asked_again;
    if (again_.empty()) return race_.on_nothing_new(now_);
    for (const auto& a : again_) {
      race_.expect(a.from);
      schedule(now_ + a.after, [this, a] { race_.on_candidates(a.from, a.found, now_, random_); });
    }
  }

  core::race_settings settings_;
  test_random random_;
  time_point now_;
  core::race race_;
  duration step_{};
  std::size_t most_actions_ = 20'000;
  std::multimap<time_point, std::function<void()>> events_;  // equal times keep their order
  std::map<endpoint, behaviour> network_;
  std::vector<later_answer> again_;
  std::set<core::race::attempt_id> live_;
  std::set<endpoint> endpoints_;
  race_story story_;
  bool finished_ = false;
};

}  // namespace lbresolve::test
