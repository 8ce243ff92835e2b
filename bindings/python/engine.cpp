#include "engine.hpp"

#include "document.hpp"
#include "settings.hpp"

#include <cerrno>
#include <utility>

namespace nb = nanobind;

namespace lbresolve::python {
namespace {

/// Names that pick() keeps a picker for, and endpoints that it keeps an object for. Beyond, it begins anew.
constexpr std::size_t most_kept = 4096;

/// Fails with ValueError where a setting cannot be used, with OSError where the process is out of descriptors.
std::shared_ptr<resolver> make_resolver(options o) {
  auto made = resolver::create(std::move(o));
  if (made) return std::make_shared<resolver>(std::move(made).value());
  const std::error_code code = made.error().code();
  if (made.error() == errc::invalid_option || made.error() == errc::unsupported)
    throw nb::value_error(made.error().message().c_str());
  errno = code.category() == error_category() ? EMFILE : code.value();
  PyErr_SetFromErrno(PyExc_OSError);
  throw nb::python_error();
}

template <class Options>
Options read_settings(nb::dict settings) {
  Options o;
  read(settings, o);
  return o;
}

template <class T>
std::function<void(result<T>)> into(std::shared_ptr<channel> to, std::uint64_t token) {
  return [to = std::move(to), token](result<T> what) { to->put(token, std::move(what)); };
}

}  // namespace

engine::engine(nb::dict settings, nb::object make_endpoint)
    : make_endpoint_(std::move(make_endpoint)), resolver_(make_resolver(read_settings<options>(settings))) {}

std::shared_ptr<resolver> engine::use() {
  if (!resolver_) throw nb::value_error("the resolver is closed");
  return resolver_;
}

/// Signals are Python's main thread's to see; on others, the look at them is for nothing and costs little.
interruption engine::interrupted() const {
  return [closed = closed_] {
    if (closed->load(std::memory_order_relaxed)) return true;
    const nb::gil_scoped_acquire locked;
    return PyErr_CheckSignals() != 0;
  };
}

/// A signal handler that raised has left its exception behind.
template <class F>
outcome_of_call engine::wait_for(F call) {
  const std::shared_ptr<resolver> with = use();
  auto ended = [&] {
    const nb::gil_scoped_release unlocked;
    return call(*with);
  }();
  if (PyErr_Occurred() != nullptr) throw nb::python_error();
  return outcome_of_call(std::move(ended));
}

outcome_of_call engine::resolve(const std::string& target, nb::dict settings) {
  auto o = read_settings<resolve_options>(settings);
  o.interrupted = interrupted();
  return wait_for([&](resolver& r) { return r.resolve(target, o); });
}

outcome_of_call engine::connect(const std::string& target, nb::dict settings) {
  auto o = read_settings<connect_options>(settings);
  o.interrupted = interrupted();
  return wait_for([&](resolver& r) { return r.connect(target, o); });
}

outcome_of_call engine::explain(const std::string& target, nb::dict settings) {
  auto o = read_settings<connect_options>(settings);
  o.interrupted = interrupted();
  return wait_for([&](resolver& r) { return r.explain(target, o); });
}

outcome_of_call engine::probe(const std::string& target, nb::dict settings) {
  auto o = read_settings<connect_options>(settings);
  o.interrupted = interrupted();
  return wait_for([&](resolver& r) { return r.probe(target, o); });
}

std::uint64_t engine::start_resolve(const std::string& target, nb::dict settings, std::shared_ptr<channel> to,
                                    std::uint64_t token) {
  const auto o = read_settings<resolve_options>(settings);
  return use()->async_resolve(target, o, into<resolution>(std::move(to), token)).id;
}

std::uint64_t engine::start_connect(const std::string& target, nb::dict settings, std::shared_ptr<channel> to,
                                    std::uint64_t token) {
  const auto o = read_settings<connect_options>(settings);
  return use()->async_connect(target, o, into<connection>(std::move(to), token)).id;
}

std::uint64_t engine::start_explain(const std::string& target, nb::dict settings, std::shared_ptr<channel> to,
                                    std::uint64_t token) {
  const auto o = read_settings<connect_options>(settings);
  return use()->async_explain(target, o, into<explanation>(std::move(to), token)).id;
}

std::uint64_t engine::start_probe(const std::string& target, nb::dict settings, std::shared_ptr<channel> to,
                                  std::uint64_t token) {
  const auto o = read_settings<connect_options>(settings);
  return use()->async_probe(target, o, into<probe_report>(std::move(to), token)).id;
}

bool engine::cancel(std::uint64_t number) { return resolver_ && resolver_->cancel({number}); }

nb::object engine::pick(nb::str target) {
  Py_ssize_t size = 0;
  const char* const text = PyUnicode_AsUTF8AndSize(target.ptr(), &size);
  if (text == nullptr) throw nb::python_error();
  const std::string_view name(text, static_cast<std::size_t>(size));
  const std::shared_ptr<resolver> with = use();
  const auto known = pickers_.find(name);
  if (known != pickers_.end())
    if (const auto picked = known->second.pick()) return made(*picked);

  connect_options o;
  o.interrupted = interrupted();
  auto fresh = [&] {
    const nb::gil_scoped_release unlocked;
    return with->make_picker(name, o);
  }();
  if (PyErr_Occurred() != nullptr) throw nb::python_error();
  if (!fresh) return nb::cast(outcome_of_call(result<explanation>(std::move(fresh).error())));
  if (pickers_.size() >= most_kept) pickers_.clear();
  picker& kept = pickers_.insert_or_assign(std::string(name), std::move(fresh).value()).first->second;
  if (const auto picked = kept.pick()) return made(*picked);
  return nb::cast(outcome_of_call(result<explanation>(error(errc::no_addresses))));
}

nb::object engine::made(const endpoint& at) {
  const auto known = endpoints_.find(at);
  if (known != endpoints_.end()) return known->second;
  if (endpoints_.size() >= most_kept) endpoints_.clear();
  const std::string address = at.address.to_string();
  nb::object port = at.port == 0 ? nb::none() : nb::cast(at.port);
  nb::object fresh = make_endpoint_(address.c_str(), std::move(port), at.address.is_v4() ? "ipv4" : "ipv6");
  endpoints_.emplace(at, fresh);
  return fresh;
}

void engine::begin(std::string_view address, std::uint16_t port) { use()->begin(read_endpoint(address, port)); }

void engine::report(std::string_view address, std::uint16_t port, bool success, std::optional<double> latency_s) {
  std::optional<std::chrono::nanoseconds> latency;
  if (latency_s) latency = std::chrono::round<std::chrono::nanoseconds>(std::chrono::duration<double>(*latency_s));
  use()->report(read_endpoint(address, port), success ? outcome::success : outcome::failure, latency);
}

nb::list engine::health() {
  nb::list out;
  for (const endpoint_health_record& r : use()->health()) out.append(document(r));
  return out;
}

void engine::forget_health() { use()->forget_health(); }

void engine::clear_cache() { use()->clear_cache(); }

void engine::close() {
  closed_->store(true);
  pickers_.clear();
  endpoints_.clear();
  std::shared_ptr<resolver> last = std::exchange(resolver_, nullptr);
  const nb::gil_scoped_release unlocked;  // the end of its thread is waited for
  last.reset();
}

}  // namespace lbresolve::python
