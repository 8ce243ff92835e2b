#include "io/run_here.hpp"

#include "io/clock.hpp"

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
  sockets(core::operation& work, const connector_settings& settings) : work_(work), settings_(settings) {}

  void open(std::size_t number, const endpoint& to) {
    attempt_socket begun = begin_connect(to, settings_);
    if (begun.failed) return work_.on_failed(number, begun.failed, begun.stage, io::now());
    open_.push_back({std::move(begun.fd), number, to});
    if (begun.connected) work_.on_connected(number, io::now());
  }

  unique_fd take(std::size_t number) {
    const auto at = std::find_if(open_.begin(), open_.end(), [&](const one& o) { return o.number == number; });
    unique_fd fd = std::move(at->fd);
    open_.erase(at);
    return fd;
  }

  void wait(core::time_point until) {
    std::vector<pollfd> polled;
    polled.reserve(open_.size());
    for (const one& o : open_) polled.push_back({o.fd.get(), POLLOUT, 0});
    // Rounded up: waking a moment early would only mean another round.
    const core::duration left = std::clamp(until - io::now(), core::duration::zero(), look_for_stop_every);
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    if (::poll(polled.data(), polled.size(), static_cast<int>(ms)) <= 0) return;
    for (const pollfd& p : polled)
      if (p.revents != 0) settle(p.fd);
  }

 private:
  struct one {
    unique_fd fd;
    std::size_t number;
    endpoint to;
  };

  void settle(int fd) {
    const auto at = std::find_if(open_.begin(), open_.end(), [&](const one& o) { return o.fd.get() == fd; });
    const std::size_t number = at->number;
    const std::error_code failed = connect_result(fd, at->to);
    if (!failed) return work_.on_connected(number, io::now());
    open_.erase(at);
    work_.on_failed(number, failed, attempt_record::stage::connect, io::now());
  }

  core::operation& work_;
  const connector_settings& settings_;
  std::vector<one> open_;
};

}  // namespace

local_outcome run_here(core::operation& work, const connector_settings& settings, core::answer_store& answers,
                       core::random_source& random, const std::atomic<bool>& stop) {
  using step = core::operation_action::kind;
  sockets s(work, settings);
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
        s.take(a.attempt).reset();
        break;
      case step::wait:
        s.wait(a.until);
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
