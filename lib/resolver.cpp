#include <lbresolve/lbresolve.hpp>

#include "io/doh.hpp"
#include "resolver_per_process.hpp"

#include <atomic>
#include <memory>
#include <utility>

namespace lbresolve {

result<resolver> resolver::create(options settings) {
  LBRESOLVE_TRY(checked, core::check(std::move(settings)));
  checked.has_http2 = io::doh::is_built();
  BOOST_OUTCOME_TRYV(core::check_transports(checked));
  LBRESOLVE_TRY(made, per_process::create(std::move(checked)));
  return resolver(std::move(made));
}

resolver::resolver(std::unique_ptr<per_process> state) noexcept : state_(std::move(state)) {}
resolver::resolver(resolver&&) noexcept = default;
resolver& resolver::operator=(resolver&&) noexcept = default;
resolver::~resolver() = default;

result<resolution> resolver::resolve(std::string_view target, const resolve_options& settings) {
  return state_->call([&](impl& i) { return i.resolve(target, settings); });
}

result<connection> resolver::connect(std::string_view target, const connect_options& settings) {
  return state_->call([&](impl& i) { return i.connect(target, settings); });
}

operation resolver::async_resolve(std::string_view target, const resolve_options& settings, resolve_callback done) {
  const auto* const mine = state_->get();
  return mine == nullptr ? operation{} : (*mine)->async_resolve(target, settings, std::move(done));
}

operation resolver::async_connect(std::string_view target, const connect_options& settings, connect_callback done) {
  const auto* const mine = state_->get();
  return mine == nullptr ? operation{} : (*mine)->async_connect(target, settings, std::move(done));
}

result<picker> resolver::make_picker(std::string_view target, const connect_options& settings) {
  return state_->call([&](impl& i) { return i.make_picker(target, settings); });
}

result<endpoint> resolver::pick(std::string_view target) {
  const auto* const mine = state_->get();
  if (mine == nullptr) return per_process::no_descriptors();
  return (*mine)->pick(target);
}

void resolver::begin(const endpoint& at) {
  if (const auto* const mine = state_->get()) (*mine)->begin_request(at);
}

void resolver::report(const endpoint& at, outcome how, std::optional<std::chrono::nanoseconds> latency) {
  if (const auto* const mine = state_->get()) (*mine)->report(at, how, latency.value_or(std::chrono::nanoseconds{0}));
}

result<watch_id> resolver::watch(std::string_view target, watch_callback told, const connect_options& settings) {
  const auto* const mine = state_->get();
  if (mine == nullptr) return per_process::no_descriptors();
  return (*mine)->watch(target, std::move(told), settings);
}

bool resolver::unwatch(watch_id which) noexcept {
  const auto* const mine = state_->peek();
  return mine != nullptr && (*mine)->unwatch(which);
}

result<explanation> resolver::explain(std::string_view target, const connect_options& settings) {
  return state_->call([&](impl& i) { return i.explain(target, settings); });
}

operation resolver::async_explain(std::string_view target, const connect_options& settings, explain_callback done) {
  const auto* const mine = state_->get();
  return mine == nullptr ? operation{} : (*mine)->async_explain(target, settings, std::move(done));
}

result<probe_report> resolver::probe(std::string_view target, const connect_options& settings) {
  return state_->call([&](impl& i) { return i.probe(target, settings); });
}

operation resolver::async_probe(std::string_view target, const connect_options& settings, probe_callback done) {
  const auto* const mine = state_->get();
  return mine == nullptr ? operation{} : (*mine)->async_probe(target, settings, std::move(done));
}

std::vector<endpoint_health_record> resolver::health() {
  const auto* const mine = state_->get();
  return mine == nullptr ? std::vector<endpoint_health_record>{} : (*mine)->health();
}

void resolver::forget_health() {
  if (const auto* const mine = state_->get()) (*mine)->forget_health();
}

bool resolver::cancel(operation which) noexcept {
  const auto* const mine = state_->peek();
  return mine != nullptr && (*mine)->cancel(which);
}

int resolver::fd() const noexcept {
  const auto* const mine = state_->get();
  return mine == nullptr ? -1 : (*mine)->fd();
}

void resolver::process(std::chrono::milliseconds max_wait) {
  const auto* const mine = state_->get();
  if (mine == nullptr) return;
  const auto alive = *mine;  // the resolver may be destroyed inside a callback
  alive->process(max_wait);
}

void resolver::clear_cache() {
  if (const auto* const mine = state_->peek()) (*mine)->clear_cache();
}

// Without a lock: another thread could hold it while this one forks.
result<resolver*> default_resolver() {
  // Never destroyed: other static objects may still use it while the process ends.
  static std::atomic<resolver*> instance{nullptr};
  if (resolver* const made = instance.load(std::memory_order_acquire)) return made;
  LBRESOLVE_TRY(made, resolver::create());
  auto fresh = std::make_unique<resolver>(std::move(made));
  resolver* first = nullptr;
  if (instance.compare_exchange_strong(first, fresh.get(), std::memory_order_acq_rel)) return fresh.release();
  return first;
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
