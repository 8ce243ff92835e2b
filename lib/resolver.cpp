#include <lbresolve/lbresolve.hpp>

#include "resolver_impl.hpp"

#include <mutex>
#include <utility>

namespace lbresolve {

result<resolver> resolver::create(options settings) {
  LBRESOLVE_TRY(checked, core::check(std::move(settings)));
  LBRESOLVE_TRY(loop, io::event_loop::create());
  return resolver(std::make_shared<impl>(std::move(checked), std::move(loop)));
}

resolver::resolver(std::shared_ptr<impl> state) noexcept : impl_(std::move(state)) {}
resolver::resolver(resolver&&) noexcept = default;

resolver& resolver::operator=(resolver&& other) noexcept {
  if (this == &other) return *this;
  if (impl_) impl_->shut_down();
  impl_ = std::move(other.impl_);
  return *this;
}

resolver::~resolver() {
  if (impl_) impl_->shut_down();
}

// Each call keeps the state alive while it runs: it may be the one inside which the resolver is destroyed.

result<resolution> resolver::resolve(std::string_view target, const resolve_options& settings) {
  const auto state = impl_;
  return state->resolve(target, settings);
}

result<connection> resolver::connect(std::string_view target, const connect_options& settings) {
  const auto state = impl_;
  return state->connect(target, settings);
}

operation resolver::async_resolve(std::string_view target, const resolve_options& settings, resolve_callback done) {
  return impl_->async_resolve(target, settings, std::move(done));
}

operation resolver::async_connect(std::string_view target, const connect_options& settings, connect_callback done) {
  return impl_->async_connect(target, settings, std::move(done));
}

bool resolver::cancel(operation which) noexcept { return impl_->cancel(which); }

int resolver::fd() const noexcept { return impl_->fd(); }

void resolver::process(std::chrono::milliseconds max_wait) {
  const auto state = impl_;
  state->process(max_wait);
}

void resolver::clear_cache() { impl_->clear_cache(); }

result<resolver*> default_resolver() {
  static std::mutex mutex;
  // Never destroyed: other static objects may still use it while the process ends.
  static resolver* instance = nullptr;
  const std::lock_guard lock(mutex);
  if (instance == nullptr) {
    LBRESOLVE_TRY(made, resolver::create());
    instance = new resolver(std::move(made));
  }
  return instance;
}

result<resolution> resolve(std::string_view target, const resolve_options& settings) {
  LBRESOLVE_TRY(shared, default_resolver());
  return shared->resolve(target, settings);
}

result<connection> connect(std::string_view target, const connect_options& settings) {
  LBRESOLVE_TRY(shared, default_resolver());
  return shared->connect(target, settings);
}

const char* version() noexcept { return LBRESOLVE_VERSION; }

}  // namespace lbresolve
