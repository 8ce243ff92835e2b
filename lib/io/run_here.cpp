#include "io/run_here.hpp"

#include "io/clock.hpp"
#include "io/fork.hpp"

#include <poll.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace lbresolve::io {

namespace {

constexpr core::duration look_for_stop_every = std::chrono::milliseconds{50};

/// The sockets of one race.
class sockets {
 public:
  sockets(core::operation& work, const connector_settings& settings, fork_shelter::of_this_thread& inside)
      : work_(work), settings_(settings), inside_(inside) {}

  void open(std::size_t number, const endpoint& to) {
    one& o = open_.emplace_back(one{socket_attempt(to), number});
    tell(number, o.attempt.begin(settings_));
  }

  connected_socket take(std::size_t number) {
    const auto at = find(number);
    connected_socket taken = at->attempt.take();
    open_.erase(at);
    return taken;
  }

  /// False: nothing came, for 50 ms or until then, or a signal did.
  bool wait(core::time_point until) {
    std::vector<pollfd> polled;
    std::vector<std::size_t> numbers;
    polled.reserve(open_.size());
    numbers.reserve(open_.size());
    for (const one& o : open_) {
      const int events = (o.attempt.wants_read() ? POLLIN : 0) | (o.attempt.wants_write() ? POLLOUT : 0);
      polled.push_back({o.attempt.fd(), static_cast<short>(events), 0});
      numbers.push_back(o.number);
    }
    // Rounded up: waking a moment early would only mean another round.
    const core::duration left = std::clamp(until - io::now(), core::duration::zero(), look_for_stop_every);
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    int ready = 0;
    inside_.leave_for([&] { ready = ::poll(polled.data(), polled.size(), static_cast<int>(ms)); });
    if (ready <= 0) return false;
    for (std::size_t i = 0; i < polled.size(); ++i)
      if (polled[i].revents != 0) tell(numbers[i], find(numbers[i])->attempt.go_on());
    return true;
  }

 private:
  struct one {
    socket_attempt attempt;
    std::size_t number;
  };

  std::vector<one>::iterator find(std::size_t number) {
    return std::find_if(open_.begin(), open_.end(), [&](const one& o) { return o.number == number; });
  }

  void tell(std::size_t number, const attempt_news& news) {
    if (news.tls_started) work_.on_tls_started(number, io::now());
    if (news.failed) {
      open_.erase(find(number));
      return work_.on_failed(number, *news.failed, io::now());
    }
    if (news.connected) work_.on_connected(number, io::now());
  }

  core::operation& work_;
  const connector_settings& settings_;
  fork_shelter::of_this_thread& inside_;
  std::vector<one> open_;
};

}  // namespace

local_outcome run_here(core::operation& work, const connector_settings& settings, core::answer_store& answers,
                       core::random_source& random, const std::atomic<bool>& stop, const interruption& interrupted) {
  using step = core::operation_action::kind;
  fork_shelter::of_this_thread inside;
  sockets s(work, settings, inside);
  local_outcome out;
  for (;;) {
    if (stop.load(std::memory_order_relaxed)) work.cancel(io::now());
    const core::operation_action a = work.next(io::now(), random);
    switch (a.is) {
      case step::ask: {
        auto hit = a.fresh ? std::nullopt : answers.find(a.asked, io::now(), a.stale_too);
        if (!hit) return out;
        const core::delivery known{.what = std::move(hit->what), .expires = hit->expires, .stale = hit->stale};
        if (hit->stale && hit->refresh) {
          work.on_stale(a.asked, known, io::now());
          return out;
        }
        if (hit->refresh) out.refresh.push_back(a.asked);
        work.on_answer(a.asked, known, io::now());
        break;
      }
      case step::open:
        s.open(a.attempt, a.to);
        break;
      case step::close:
        s.take(a.attempt);
        break;
      case step::wait:
        if (!s.wait(a.until) && interrupted)
          inside.leave_for([&] {
            if (interrupted()) work.cancel(io::now());
          });
        break;
      case step::done:
        for (const core::question& q : work.distrusted()) answers.ask_again(q, io::now());
        out.done = true;
        if (work.winner()) out.winner = s.take(*work.winner());
        return out;
    }
  }
}

}  // namespace lbresolve::io
