// What is remembered beyond one call: reports of the program, the network it was learned on, and the state file.
#include "resolver_impl.hpp"

#include "io/clock.hpp"
#include "io/system_random.hpp"

#include <utility>

namespace lbresolve {

using std::chrono::system_clock;

void resolver::impl::begin_request(const endpoint& at) {
  know_network();
  memory_.begin(at, io::now());
}

void resolver::impl::report(const endpoint& at, outcome how, core::duration latency) {
  know_network();
  memory_.report(at, how, latency, io::now(), io::thread_random());
  look_at_probes();
}

std::vector<endpoint_health_record> resolver::impl::health() {
  know_network();
  return memory_.with([](core::selection& m) { return m.records(io::now()); });
}

void resolver::impl::forget_health() {
  know_network();
  memory_.clear();
  if (!store_) return;
  store_->clear();
  store_->flush(std::chrono::seconds{1});
}

// Before the first choice, on whatever thread makes it: what was learned on another network must not count, and what
// another process has learned on this one should.
void resolver::impl::know_network() {
  std::call_once(network_known_, [this] {
    const std::uint64_t fingerprint = io::network_fingerprint();
    memory_.use_network(fingerprint, io::now());
    if (store_) restore(store_->load(fingerprint, system_clock::now()));
  });
}

// On the loop's thread.
void resolver::impl::watch_network() {
  if (network_) return;
  network_ = std::make_unique<io::network_watch>(*loop_, [this](std::uint64_t other) { on_new_network(other); });
}

void resolver::impl::on_new_network(std::uint64_t fingerprint) {
  if (!memory_.use_network(fingerprint, io::now())) return;
  cache_.forget_failures();
  dialer_->forget();
  if (store_) store_->load(fingerprint, system_clock::now(), [this](const auto& rows) { restore(rows); });
}

void resolver::impl::restore(const std::vector<core::remembered>& rows) {
  memory_.with([&](core::selection& m) { m.restore(rows, io::now(), system_clock::now()); });
}

// On the thread that learned it. The store only queues; the member watch is the loop's.
void resolver::impl::on_learned(const endpoint& at) {
  if (store_) {
    const auto rows = memory_.with([](core::selection& m) { return m.take_changed(io::now(), system_clock::now()); });
    if (!rows.empty()) store_->put(rows);
  }
  {
    const std::lock_guard lock(learned_mutex_);
    if (!observing_) return;
    learned_.push_back(at);
    if (learned_.size() > 1) return;  // posted already
  }
  loop_->post([this] {
    std::vector<endpoint> learned;
    {
      const std::lock_guard lock(learned_mutex_);
      learned.swap(learned_);
    }
    for (const endpoint& e : learned) members_->on_learned(e);
  });
}

std::vector<std::string> resolver::impl::take_warnings() {
  return store_ ? store_->take_warnings() : std::vector<std::string>{};
}

}  // namespace lbresolve
