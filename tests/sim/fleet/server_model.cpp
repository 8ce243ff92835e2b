#include "sim/fleet/server_model.hpp"

#include "sim/fleet/draws.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

namespace lbresolve::fleet {

using namespace std::chrono_literals;

namespace {

/// When a SYN is sent, counted from the first one.
constexpr std::array<duration, 5> syn_times{0s, 1s, 3s, 7s, 15s};

}  // namespace

server_model::server_model(server_setup setup) : setup_(std::move(setup)), free_at_(setup_.workers, time_point{}) {}

duration server_model::rtt(std::size_t region, core::random_source& random) const {
  return scaled(setup_.rtt[std::min(region, setup_.rtt.size() - 1)], lognormal(setup_.jitter, random));
}

bool server_model::has(trouble::kind what, time_point t) const noexcept {
  return std::any_of(setup_.troubles.begin(), setup_.troubles.end(),
                     [&](const trouble& w) { return w.what == what && w.at(t); });
}

const trouble* server_model::outage_at(time_point t) const noexcept {
  const auto found = std::find_if(setup_.troubles.begin(), setup_.troubles.end(), [&](const trouble& w) {
    return (w.what == trouble::kind::mute || w.what == trouble::kind::refuses) && w.at(t);
  });
  return found == setup_.troubles.end() ? nullptr : &*found;
}

bool server_model::was_in_trouble(time_point t, duration before) const noexcept {
  return std::any_of(setup_.troubles.begin(), setup_.troubles.end(),
                     [&](const trouble& w) { return w.from <= t && (w.to == core::never || t < w.to + before); });
}

double server_model::loss_at(time_point t) const noexcept {
  double kept = 1 - setup_.loss;
  for (const auto& w : setup_.troubles) {
    if (w.what == trouble::kind::lossy && w.at(t)) kept *= 1 - w.loss;
  }
  return 1 - kept;
}

duration server_model::extra_at(trouble::kind what, time_point t) const noexcept {
  duration sum{};
  for (const auto& w : setup_.troubles) {
    if (w.what == what && w.at(t)) sum += w.extra;
  }
  return sum;
}

connect_fate server_model::connect(std::size_t region, time_point now, core::random_source& random) const {
  const duration round_trip = rtt(region, random);
  for (const auto later : syn_times) {
    const auto sent = now + later;
    if (has(trouble::kind::mute, sent) || chance(loss_at(sent), random)) continue;
    if (has(trouble::kind::refuses, sent)) return {false, sent + setup_.refuses_after};
    return {true, sent + round_trip + extra_at(trouble::kind::slow, sent)};
  }
  return {};
}

time_point server_model::serve(time_point now, core::random_source& random) {
  const auto takes = exponential(setup_.service, random) + extra_at(trouble::kind::busy, now);
  if (free_at_.empty()) return now + takes;
  std::pop_heap(free_at_.begin(), free_at_.end(), std::greater<>{});
  auto& worker = free_at_.back();
  worker = std::max(worker, now) + takes;
  const auto done = worker;
  std::push_heap(free_at_.begin(), free_at_.end(), std::greater<>{});
  return done;
}

}  // namespace lbresolve::fleet
