#include <lbresolve/lbresolve.hpp>

#include "io/doh.hpp"
#include "resolver_impl.hpp"

#include <mutex>
#include <utility>

namespace lbresolve {

result<resolver> resolver::create(options settings) {
  LBRESOLVE_TRY(checked, core::check(std::move(settings)));
  checked.has_http2 = io::doh::is_built();
  BOOST_OUTCOME_TRYV(core::check_transports(checked, io::doh::is_built()));
  LBRESOLVE_TRY(loop, io::event_loop::create());
  std::unique_ptr<io::state_store> store;
  if (const std::string& path = checked.chosen.selection.state_file; !path.empty()) {
    LBRESOLVE_TRY(opened, io::state_store::open(path));
    store = std::move(opened);
  }
  return resolver(std::make_shared<impl>(std::move(checked), std::move(loop), std::move(store)));
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

result<picker> resolver::make_picker(std::string_view target, const connect_options& settings) {
  const auto state = impl_;
  return state->make_picker(target, settings);
}

result<endpoint> resolver::pick(std::string_view target) { return impl_->pick(target); }

void resolver::begin(const endpoint& at) { impl_->begin_request(at); }

void resolver::report(const endpoint& at, outcome how, std::optional<std::chrono::nanoseconds> latency) {
  impl_->report(at, how, latency.value_or(std::chrono::nanoseconds{0}));
}

result<watch_id> resolver::watch(std::string_view target, watch_callback told, const connect_options& settings) {
  return impl_->watch(target, std::move(told), settings);
}

bool resolver::unwatch(watch_id which) noexcept { return impl_->unwatch(which); }

result<explanation> resolver::explain(std::string_view target, const connect_options& settings) {
  const auto state = impl_;
  return state->explain(target, settings);
}

operation resolver::async_explain(std::string_view target, const connect_options& settings, explain_callback done) {
  return impl_->async_explain(target, settings, std::move(done));
}

result<probe_report> resolver::probe(std::string_view target, const connect_options& settings) {
  const auto state = impl_;
  return state->probe(target, settings);
}

operation resolver::async_probe(std::string_view target, const connect_options& settings, probe_callback done) {
  return impl_->async_probe(target, settings, std::move(done));
}

std::vector<endpoint_health_record> resolver::health() { return impl_->health(); }

void resolver::forget_health() { impl_->forget_health(); }

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
