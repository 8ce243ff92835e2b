// What runs a resolver's loop, and how calls begin and end on it.
#include "resolver_impl.hpp"

#include <system_error>
#include <utility>

namespace lbresolve {

operation resolver::impl::begin(job j, std::function<void()> on_shut_down) {
  id number = 0;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || !start_thread()) return {};
    number = ++last_id_;
    calls_.emplace(number, std::move(on_shut_down));
  }
  j.number = number;
  loop_->post([this, shared = std::make_shared<job>(std::move(j))] { run(*shared); });
  return {number};
}

// Whoever takes a call out of the table decides what becomes of it: its end, a cancel, or the shut-down.
bool resolver::impl::claim(id number) {
  const std::lock_guard lock(mutex_);
  return calls_.erase(number) != 0;
}

void resolver::impl::run(job& j) {
  watch_network();
  finished finish = [this, number = j.number, done = std::move(j.done)](std::unique_ptr<core::operation> work,
                                                                        io::connected_socket winner) noexcept {
    if (claim(number)) done(std::move(work), std::move(winner));
  };
  if (j.tells_user) finish = told_last(std::move(finish));
  if (!j.work) return finish(nullptr, {});
  use_upstreams(j.system);
  driver_->start(j.number, std::move(j.work), std::move(j.sockets), std::move(finish));
}

// Not inside the driver, but when nothing is under way: the user may do anything there, fork too.
resolver::impl::finished resolver::impl::told_last(finished f) {
  struct news {
    finished tell;
    std::unique_ptr<core::operation> work;
    io::connected_socket winner;
  };
  return [this, f = std::move(f)](std::unique_ptr<core::operation> work, io::connected_socket winner) mutable {
    auto kept = std::make_shared<news>(news{std::move(f), std::move(work), std::move(winner)});
    loop_->tell([kept] { kept->tell(std::move(kept->work), std::move(kept->winner)); });
  };
}

void resolver::impl::use_upstreams(const std::shared_ptr<const core::system_settings>& system) {
  if (applied_ == system) return;
  const bool is_new = !applied_ || applied_->dns != system->dns;
  const bool changed = !applied_ || (is_new && core::follows_system(settings_));
  applied_ = system;
  if (is_new) dialer_->use(core::bootstrap_for(settings_, system->dns));
  if (!changed) return;
  driver_->use(core::upstream_groups_for(settings_, system->dns));
  cache_.forget_failures();
}

bool resolver::impl::start_thread() {
  if (settings_.chosen.loop == loop::caller || thread_started_) return true;
  try {
    thread_ = std::thread([self = shared_from_this()] { self->thread_main(); });
  } catch (const std::system_error&) {
    return false;
  }
  return thread_started_ = true;
}

void resolver::impl::thread_main() {
  loop_thread_ = std::this_thread::get_id();
  while (!stopping_ && !loop_->is_inherited()) loop_->run_once(std::nullopt);
}

void resolver::impl::run_loop_once(std::optional<core::duration> max_wait) {
  const std::lock_guard lock(run_mutex_);
  loop_thread_ = std::this_thread::get_id();
  loop_->run_once(max_wait);
  loop_thread_ = std::thread::id();
}

int resolver::impl::fd() const { return settings_.chosen.loop == loop::caller ? loop_->fd() : -1; }

void resolver::impl::process(std::chrono::milliseconds max_wait) {
  if (settings_.chosen.loop != loop::caller || on_loop_thread() || stopping_) return;
  run_loop_once(max_wait.count() < 0 ? std::nullopt : std::optional<core::duration>(max_wait));
}

void resolver::impl::shut_down() noexcept {
  std::unordered_map<id, std::function<void()>> calls;
  std::thread thread;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    calls.swap(calls_);
    thread.swap(thread_);
  }
  for (auto& [number, on_shut_down] : calls)
    if (on_shut_down) on_shut_down();
  if (!thread.joinable()) return;
  if (thread.get_id() == std::this_thread::get_id()) return thread.detach();  // destroyed inside a callback
  loop_->post([] {});                                                         // wakes it
  thread.join();
}

}  // namespace lbresolve
