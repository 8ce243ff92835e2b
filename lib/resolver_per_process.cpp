#include "resolver_per_process.hpp"

#include <utility>

namespace lbresolve {

result<std::unique_ptr<resolver::per_process::of_one>> resolver::per_process::make(core::settings settings) {
  LBRESOLVE_TRY(loop, io::event_loop::create());
  std::unique_ptr<io::state_store> store;
  if (const std::string& path = settings.chosen.selection.state_file; !path.empty()) {
    LBRESOLVE_TRY(opened, io::state_store::open(path));
    store = std::move(opened);
  }
  auto out = std::make_unique<of_one>();
  // Whoever leaves last, it is not destroyed in a child.
  out->made = std::shared_ptr<impl>(new impl(std::move(settings), std::move(loop), std::move(store)),
                                    [born = io::birthplace()](impl* p) {
                                      if (!born.is_inherited()) delete p;
                                    });
  return out;
}

result<std::unique_ptr<resolver::per_process>> resolver::per_process::create(core::settings settings) {
  LBRESOLVE_TRY(first, make(std::move(settings)));
  return std::unique_ptr<per_process>(new per_process(std::move(first)));
}

resolver::per_process::~per_process() {
  of_one* const newest = newest_.load(std::memory_order_acquire);
  if (newest->born.is_inherited()) {
    abandon(newest);
    return;
  }
  newest->made->shut_down();
  delete newest;
}

// Two threads of the child may be here: one of them wins, and nothing of the other's has been started.
const std::shared_ptr<resolver::impl>* resolver::per_process::start_afresh() noexcept {
  of_one* seen = newest_.load(std::memory_order_acquire);
  if (!seen->born.is_inherited()) return &seen->made;
  auto fresh = make(seen->made->settings());
  if (!fresh) return nullptr;
  of_one* const mine = fresh.value().get();
  if (!newest_.compare_exchange_strong(seen, mine, std::memory_order_acq_rel)) return &seen->made;
  static_cast<void>(fresh.value().release());
  abandon(seen);
  return &mine->made;
}

// Kept where leak checkers find it.
void resolver::per_process::abandon(of_one* inherited) noexcept {
  static std::atomic<of_one*> abandoned{nullptr};
  inherited->next_abandoned = abandoned.load(std::memory_order_relaxed);
  while (!abandoned.compare_exchange_weak(inherited->next_abandoned, inherited, std::memory_order_release)) continue;
}

error resolver::per_process::no_descriptors() {
  return error(make_error_code(errc::local_resources),
               "in this forked child there are no descriptors for a resolver: close some, or raise the limit");
}

}  // namespace lbresolve
