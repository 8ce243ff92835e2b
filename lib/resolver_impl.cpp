#include "resolver_impl.hpp"

#include "core/target.hpp"
#include "io/clock.hpp"
#include "io/system_random.hpp"
#include "mailbox.hpp"

#include <algorithm>
#include <optional>
#include <system_error>
#include <utility>

namespace lbresolve {

namespace {

using io::thread_random;

std::uint64_t hash_seed() { return thread_random().next(); }

result<resolution> conclude_resolve(core::operation& work, io::connected_socket) {
  return static_cast<core::resolve_operation&>(work).outcome();
}

result<explanation> conclude_explain(core::operation& work, io::connected_socket) {
  return static_cast<core::resolve_operation&>(work).explained(thread_random());
}

result<probe_report> conclude_probe(core::operation& work, io::connected_socket) {
  return static_cast<core::measure_operation&>(work).outcome();
}

result<connection> conclude_connect(core::operation& work, io::connected_socket winner) {
  auto& c = static_cast<core::connect_operation&>(work);
  if (!winner) return c.failure();
  auto story = c.story();
  const endpoint peer = story->attempts[*c.winner()].endpoint;
  return connection_over(std::move(winner), peer, std::move(story));
}

}  // namespace

resolver::impl::impl(core::settings s, std::unique_ptr<io::event_loop> loop, std::unique_ptr<io::state_store> store)
    : settings_(std::move(s)),
      config_(settings_.chosen.resolv_conf, settings_.chosen.hosts),
      cache_(settings_.chosen.cache, hash_seed()),
      memory_(core::selection_rules_for(settings_)),
      store_(std::move(store)),
      loop_(std::move(loop)) {
  io::dialer_settings dialing;
  dialing.ca_file = settings_.chosen.query.ca_file;
  dialing.source_of = source_lookup_for({});
  dialer_ = std::make_unique<io::upstream_dialer>(*loop_, std::move(dialing));
  driver_ = std::make_unique<io::driver>(*loop_, cache_, settings_.chosen.racing.late_answers, memory_, dialer_.get());
  members_ = std::make_unique<io::member_watch>(*loop_, *driver_, [this] {
    const std::lock_guard lock(mutex_);
    return ++last_id_;
  });
  memory_.set_listener([this](const endpoint& at) { on_learned(at); });
  memory_.listen(store_ != nullptr);
  if (settings_.chosen.observer) observe_memory();
}

// ---- What is asked for --------------------------------------------------------------------------------------------

// Where the way of a query begins: the target is read, and all that the memory and the system know is at hand.
template <class Options>
result<resolver::impl::beginning> resolver::impl::begin_asking(std::string_view target, const Options& o,
                                                               bool to_connect, selection_mode mode,
                                                               std::optional<bool> https, system_pointer& system) {
  LBRESOLVE_TRY(what, core::parse_target(target, to_connect));
  BOOST_OUTCOME_TRYV(core::check(o));
  know_network();
  const core::time_point now = io::now();
  system = config_.current(now);
  const bool has_ipv6 = sources_.has_ipv6(now);
  auto memory = core::memory_for(settings_, memory_, what, mode);
  return beginning{
      .now = now,
      .has_ipv6 = has_ipv6,
      .memory = std::move(memory),
      .lookup = core::lookup_for(settings_, std::move(what), o.families, o.search, https, system->dns, has_ipv6),
      .began = std::chrono::system_clock::now(),
      .notes = take_warnings()};
}

result<resolver::impl::beginning> resolver::impl::begin_asking(std::string_view target, const connect_options& o,
                                                               system_pointer& system) {
  return begin_asking(target, o, true, o.mode.value_or(settings_.chosen.selection.mode), o.https_records, system);
}

core::source_lookup resolver::impl::source_lookup_for(const connect_options& o) {
  if (o.interface.empty()) return [this](const address& to) { return sources_.source_of(to, io::now()); };
  return [name = o.interface](const address& to) { return io::source_addresses::source_of(to, name); };
}

result<std::unique_ptr<core::resolve_operation>> resolver::impl::prepare(std::string_view target,
                                                                         const resolve_options& o,
                                                                         system_pointer& system) {
  LBRESOLVE_TRY(b, begin_asking(target, o, false, settings_.chosen.selection.mode, false, system));
  core::resolve_request r{.lookup = std::move(b.lookup),
                          .ordering = core::ordering_for(settings_),
                          .memory = std::move(b.memory),
                          .use_cache = o.use_cache,
                          .deadline = b.now + o.timeout,
                          .sibling_wait = o.sibling_wait,
                          .stale = core::stale_for(settings_, o.use_cache, o.use_stale),
                          .source_of = source_lookup_for({}),
                          .began = b.began,
                          .notes = std::move(b.notes)};
  return std::make_unique<core::resolve_operation>(std::move(r), system, b.now);
}

result<std::unique_ptr<core::connect_operation>> resolver::impl::prepare(std::string_view target,
                                                                         const connect_options& o,
                                                                         system_pointer& system) {
  LBRESOLVE_TRY(b, begin_asking(target, o, system));
  core::connect_request r{.lookup = std::move(b.lookup),
                          .racing = core::racing_for(settings_, o, b.has_ipv6, b.now),
                          .use_cache = o.use_cache,
                          .use_stale = core::stale_for(settings_, o.use_cache, o.use_stale).has_value(),
                          .source_address = o.source_address,
                          .memory = std::move(b.memory),
                          .source_of = source_lookup_for(o),
                          .began = b.began,
                          .notes = std::move(b.notes)};
  return std::make_unique<core::connect_operation>(std::move(r), system, b.now);
}

// What connect would do, up to its first socket.
result<std::unique_ptr<core::resolve_operation>> resolver::impl::prepare_explain(std::string_view target,
                                                                                 const connect_options& o,
                                                                                 system_pointer& system) {
  LBRESOLVE_TRY(b, begin_asking(target, o, system));
  core::resolve_request r{.lookup = std::move(b.lookup),
                          .ordering = core::ordering_for(settings_, o),
                          .memory = std::move(b.memory),
                          .members = true,
                          .use_cache = o.use_cache,
                          .deadline = b.now + std::min<core::duration>(o.timeout, resolve_options{}.timeout),
                          .source_of = source_lookup_for(o),
                          .began = b.began,
                          .notes = std::move(b.notes)};
  return std::make_unique<core::resolve_operation>(std::move(r), system, b.now);
}

result<std::unique_ptr<core::measure_operation>> resolver::impl::prepare_probe(std::string_view target,
                                                                               const connect_options& o,
                                                                               system_pointer& system) {
  LBRESOLVE_TRY(b, begin_asking(target, o, system));
  core::measure_request r{.lookup = std::move(b.lookup),
                          .memory = std::move(b.memory),
                          .use_cache = o.use_cache,
                          .source_of = source_lookup_for(o),
                          .deadline = b.now + o.timeout,
                          .began = b.began,
                          .notes = std::move(b.notes)};
  return std::make_unique<core::measure_operation>(std::move(r), system, b.now);
}

// ---- Calls that block ---------------------------------------------------------------------------------------------

template <class T, class Work>
result<T> resolver::impl::block_on(result<std::unique_ptr<Work>> work, job j,
                                   std::function<result<T>(core::operation&, io::connected_socket)> conclude,
                                   const char* what, const interruption& interrupted) {
  if (!work) return std::move(work).error();
  j.work = std::move(work).value();
  auto here = io::run_here(*j.work, j.sockets, cache_, thread_random(), stopping_, interrupted);
  refresh(here.refresh, j.system);
  if (here.done) {
    look_at_probes();
    return conclude(*j.work, std::move(here.winner));
  }
  return wait_for<T>(std::move(j), std::move(conclude), what, interrupted);
}

result<resolution> resolver::impl::resolve(std::string_view target, const resolve_options& o) {
  job j;
  auto work = prepare(target, o, j.system);
  return block_on<resolution>(std::move(work), std::move(j), observed<resolution>(conclude_resolve), "lookup",
                              o.interrupted);
}

result<connection> resolver::impl::connect(std::string_view target, const connect_options& o) {
  job j;
  LBRESOLVE_TRY(sockets, sockets_for(target, o));
  j.sockets = std::move(sockets);
  auto work = prepare(target, o, j.system);
  return block_on<connection>(std::move(work), std::move(j), observed_connect(conclude_connect, o), "connect",
                              o.interrupted);
}

result<explanation> resolver::impl::explain(std::string_view target, const connect_options& o) {
  job j;
  auto work = prepare_explain(target, o, j.system);
  return block_on<explanation>(std::move(work), std::move(j), observed<explanation>(conclude_explain), "explain",
                               o.interrupted);
}

result<probe_report> resolver::impl::probe(std::string_view target, const connect_options& o) {
  job j;
  j.sockets = {o.source_address, o.interface, o.hook};
  auto work = prepare_probe(target, o, j.system);
  return block_on<probe_report>(std::move(work), std::move(j), observed<probe_report>(conclude_probe), "probe",
                                o.interrupted);
}

// No thread is started for it: what is in the cache came through the loop, so its thread is there. With loop::caller it
// happens in process().
void resolver::impl::refresh(const std::vector<core::question>& questions,
                             const std::shared_ptr<const core::system_settings>& system) {
  if (questions.empty()) return;
  loop_->post([this, questions, system] {
    use_upstreams(system);
    for (const core::question& q : questions) driver_->refresh(q);
  });
}

template <class T>
result<T> resolver::impl::wait_for(job j, std::function<result<T>(core::operation&, io::connected_socket)> conclude,
                                   const char* what, const interruption& interrupted) {
  const std::string name(what);
  if (on_loop_thread())
    return error(make_error_code(errc::unsupported), "a blocking " + name +
                                                         " inside a callback would wait for itself: use async_" +
                                                         (name == "lookup" ? "resolve" : name));
  auto box = std::make_shared<mailbox<T>>();
  j.done = [box, conclude = std::move(conclude)](std::unique_ptr<core::operation> done, io::connected_socket winner) {
    box->put(conclude(*done, std::move(winner)));
  };
  const operation begun = begin(std::move(j), [box, name] {
    box->put(error(make_error_code(errc::cancelled), "the resolver was destroyed during the " + name));
  });
  if (!begun) return error(make_error_code(errc::local_resources), "the resolver's thread could not be started");
  if (!wait_for_mail(*box, interrupted)) {
    cancel(begun);
    return error(make_error_code(errc::cancelled), "the " + name + " was interrupted");
  }
  return box->take();
}

// What was learned on this thread may want a probe, and probes are the loop's work.
void resolver::impl::look_at_probes() {
  const core::time_point at = memory_.next_probe_at(io::now());
  if (at == core::never || at >= probe_planned_.load(std::memory_order_relaxed)) return;
  probe_planned_.store(at, std::memory_order_relaxed);
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || !start_thread()) return;
  }
  loop_->post([this] {
    probe_planned_.store(core::never, std::memory_order_relaxed);
    driver_->look();
  });
}

// ---- Calls with a callback ----------------------------------------------------------------------------------------

template <class T, class Work>
operation resolver::impl::call_back(result<std::unique_ptr<Work>> work, job j, std::function<void(result<T>)> done,
                                    std::function<result<T>(core::operation&, io::connected_socket)> conclude) {
  if (!work) return report([done = std::move(done), e = work.error()] { done(e); });
  j.work = std::move(work).value();
  j.done = [done = std::move(done), conclude = std::move(conclude)](std::unique_ptr<core::operation> finished_work,
                                                                    io::connected_socket winner) {
    done(conclude(*finished_work, std::move(winner)));
  };
  j.tells_user = true;
  return begin(std::move(j), nullptr);
}

operation resolver::impl::async_resolve(std::string_view target, const resolve_options& o, resolve_callback done) {
  job j;
  auto work = prepare(target, o, j.system);
  return call_back<resolution>(std::move(work), std::move(j), std::move(done), observed<resolution>(conclude_resolve));
}

operation resolver::impl::async_connect(std::string_view target, const connect_options& o, connect_callback done) {
  job j;
  auto sockets = sockets_for(target, o);
  if (!sockets) return report([done = std::move(done), e = sockets.error()] { done(e); });
  j.sockets = std::move(sockets).value();
  auto work = prepare(target, o, j.system);
  return call_back<connection>(std::move(work), std::move(j), std::move(done), observed_connect(conclude_connect, o));
}

operation resolver::impl::async_explain(std::string_view target, const connect_options& o, explain_callback done) {
  job j;
  auto work = prepare_explain(target, o, j.system);
  return call_back<explanation>(std::move(work), std::move(j), std::move(done),
                                observed<explanation>(conclude_explain));
}

operation resolver::impl::async_probe(std::string_view target, const connect_options& o, probe_callback done) {
  job j;
  j.sockets = {o.source_address, o.interface, o.hook};
  auto work = prepare_probe(target, o, j.system);
  return call_back<probe_report>(std::move(work), std::move(j), std::move(done),
                                 observed<probe_report>(conclude_probe));
}

// A call that failed before it became an operation is reported from the loop like all others.
operation resolver::impl::report(std::function<void()> f) {
  job j;
  j.done = [f = std::move(f)](std::unique_ptr<core::operation>, io::connected_socket) { f(); };
  j.tells_user = true;
  return begin(std::move(j), nullptr);
}

bool resolver::impl::cancel(operation which) noexcept {
  if (!claim(which.id)) return false;
  loop_->post([this, which] { driver_->cancel(which.id); });
  return true;
}

}  // namespace lbresolve
