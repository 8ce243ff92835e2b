// What stands behind a resolver: the shared facts, the loop, and the calls under way.
#pragma once

#include "core/measure_operation.hpp"
#include "core/settings.hpp"
#include "io/driver.hpp"
#include "io/event_loop.hpp"
#include "io/fork.hpp"
#include "io/member_watch.hpp"
#include "io/named_plans.hpp"
#include "io/network_watch.hpp"
#include "io/run_here.hpp"
#include "io/shared_cache.hpp"
#include "io/shared_selection.hpp"
#include "io/source_addresses.hpp"
#include "io/state_store.hpp"
#include "io/system_config.hpp"
#include "io/upstream_dialer.hpp"
#include "mailbox.hpp"

#include <lbresolve/resolver.hpp>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

namespace lbresolve {

/// Kept alive by its resolver, by calls that block in it, and by its own thread: the last one to leave destroys it.
class resolver::impl : public std::enable_shared_from_this<resolver::impl> {
 public:
  /// @param store null: nothing outlives this resolver
  impl(core::settings s, std::unique_ptr<io::event_loop> loop, std::unique_ptr<io::state_store> store);

  result<resolution> resolve(std::string_view target, const resolve_options& o);
  result<connection> connect(std::string_view target, const connect_options& o);
  operation async_resolve(std::string_view target, const resolve_options& o, resolve_callback done);
  operation async_connect(std::string_view target, const connect_options& o, connect_callback done);
  result<explanation> explain(std::string_view target, const connect_options& o);
  result<probe_report> probe(std::string_view target, const connect_options& o);
  operation async_explain(std::string_view target, const connect_options& o, explain_callback done);
  operation async_probe(std::string_view target, const connect_options& o, probe_callback done);
  bool cancel(operation which) noexcept;

  result<picker> make_picker(std::string_view target, const connect_options& o);
  result<endpoint> pick(std::string_view target);
  result<watch_id> watch(std::string_view target, watch_callback told, const connect_options& o);
  bool unwatch(watch_id which) noexcept;

  void begin_request(const endpoint& at);
  void report(const endpoint& at, outcome how, core::duration latency);
  std::vector<endpoint_health_record> health();
  void forget_health();

  int fd() const;
  void process(std::chrono::milliseconds max_wait);
  void clear_cache() { cache_.clear(); }

  /// As it was made.
  const core::settings& settings() const noexcept { return settings_; }

  /// Ends everything: callbacks are dropped, blocking calls end as cancelled, the thread ends.
  void shut_down() noexcept;

 private:
  using id = core::engine::operation_id;
  using finished = io::driver::finished;

  /// Work for the loop: an operation, or a call that failed before it became one.
  struct job {
    id number = 0;
    std::unique_ptr<core::operation> work;
    std::shared_ptr<const core::system_settings> system;
    io::connector_settings sockets;
    finished done;
    bool tells_user = false;  ///< `done` calls back to the user
  };

  using system_pointer = std::shared_ptr<const core::system_settings>;

  /// What every call by name begins with.
  struct beginning {
    core::time_point now;
    bool has_ipv6 = false;
    core::race_memory memory;
    core::lookup_request lookup;
    std::chrono::system_clock::time_point began;
    std::vector<std::string> notes;  ///< warnings of the state file
  };
  /// @param https as lookup_for() takes it. @param system is set to what the call goes by
  template <class Options>
  result<beginning> begin_asking(std::string_view target, const Options& o, bool to_connect, selection_mode mode,
                                 std::optional<bool> https, system_pointer& system);
  result<beginning> begin_asking(std::string_view target, const connect_options& o, system_pointer& system);
  result<std::unique_ptr<core::resolve_operation>> prepare(std::string_view target, const resolve_options& o,
                                                           system_pointer& system);
  result<std::unique_ptr<core::connect_operation>> prepare(std::string_view target, const connect_options& o,
                                                           system_pointer& system);
  result<std::unique_ptr<core::resolve_operation>> prepare_explain(std::string_view target, const connect_options& o,
                                                                   system_pointer& system);
  result<std::unique_ptr<core::measure_operation>> prepare_probe(std::string_view target, const connect_options& o,
                                                                 system_pointer& system);
  /// Asks in the background, for the cache.
  void refresh(const std::vector<core::question>& questions, const system_pointer& system);
  core::source_lookup source_lookup_for(const connect_options& o);
  template <class T, class Work>
  result<T> block_on(result<std::unique_ptr<Work>> work, job j,
                     std::function<result<T>(core::operation&, io::connected_socket)> conclude, const char* what,
                     const interruption& interrupted);
  template <class T, class Work>
  operation call_back(result<std::unique_ptr<Work>> work, job j, std::function<void(result<T>)> done,
                      std::function<result<T>(core::operation&, io::connected_socket)> conclude);
  operation report(std::function<void()> f);
  void look_at_probes();

  // resolver_loop.cpp
  operation begin(job j, std::function<void()> on_shut_down);
  bool claim(id number);
  void run(job& j);
  /// `f` called back to the user when nothing else is under way.
  finished told_last(finished f);

  // resolver_events.cpp
  template <class T>
  using conclusion = std::function<result<T>(core::operation&, io::connected_socket)>;
  /// `f`, and what comes of it is told to the observer, where there is one.
  template <class T>
  conclusion<T> observed(result<T> (*f)(core::operation&, io::connected_socket));
  conclusion<connection> observed_connect(conclusion<connection> f, const connect_options& o);
  void observe_memory();
  void tell_story(const result<resolution>& of);
  void tell_story(const result<explanation>& of);
  void tell_story(const result<probe_report>& of);
  void tell_lookups(const trace* story);
  void tell_observer(std::function<void(observer&)> what);

  // resolver_memory.cpp
  void watch_network();
  void know_network();
  void on_new_network(std::uint64_t fingerprint);
  void restore(const std::vector<core::remembered>& rows);
  void on_learned(const endpoint& at);
  std::vector<std::string> take_warnings();

  // resolver_tls.cpp
  /// What holds for the sockets of a connect, TLS included.
  result<io::connector_settings> sockets_for(std::string_view target, const connect_options& o);
  result<std::shared_ptr<io::tls_context>> tls_context_for(const std::string& ca_file);

  // resolver_observe.cpp
  result<io::member_watch::subject> make_subject(std::string_view target, const connect_options& o);
  /// @param number is told the operation's, before anything is observed
  operation observe(io::member_watch::subject s, std::function<void()> on_shut_down,
                    const std::shared_ptr<id>& number = nullptr);
  void stop_observing(id number);
  using publisher = std::function<void(std::optional<io::board_plan>)>;
  result<bool> begin_picking(std::string_view target, const connect_options& o, std::function<bool()> is_wanted,
                             publisher publish);
  std::optional<io::board_plan> plan_for(const std::vector<core::candidate>& members,
                                         const core::order_settings& ordering);

  void use_upstreams(const std::shared_ptr<const core::system_settings>& system);
  bool start_thread();
  void thread_main();
  bool on_loop_thread() const { return loop_thread_.load() == std::this_thread::get_id(); }
  void run_loop_once(std::optional<core::duration> max_wait);
  template <class T>
  result<T> wait_for(job j, std::function<result<T>(core::operation&, io::connected_socket)> conclude, const char* what,
                     const interruption& interrupted);
  /// Runs the loop meanwhile, where that is the caller's to do. False: interrupted.
  template <class T>
  bool wait_for_mail(mailbox<T>& box, const interruption& interrupted);

  const core::settings settings_;
  io::system_config config_;
  io::shared_cache cache_;
  io::shared_selection memory_;
  io::source_addresses sources_;
  std::atomic<bool> stopping_{false};
  std::atomic<core::time_point> probe_planned_{core::never};  // the loop knows of probes from then on

  std::unique_ptr<io::state_store> store_;
  std::once_flag network_known_;
  io::named_plans plans_;  // of pick()
  std::mutex learned_mutex_;
  std::vector<endpoint> learned_;  // guarded by learned_mutex_: for the member watch, on the loop's thread
  bool observing_ = false;         // likewise: somebody has ever watched or picked

  std::mutex tls_mutex_;
  std::map<std::string, std::shared_ptr<io::tls_context>> tls_;  // guarded by tls_mutex_; by CA file

  std::mutex mutex_;                                     // guards the next four
  std::unordered_map<id, std::function<void()>> calls_;  // not yet claimed; what to do at shut-down
  id last_id_ = io::fork_generation() << 40;             // a parent's number means nothing to a child
  std::thread thread_;
  bool thread_started_ = false;

  std::mutex run_mutex_;                        // loop::caller: one thread runs the loop at a time
  std::atomic<std::thread::id> loop_thread_{};  // who runs the loop now
  std::unique_ptr<io::event_loop> loop_;
  std::shared_ptr<const core::system_settings> applied_;  // of the loop's thread: whose upstreams are in use
  std::unique_ptr<io::upstream_dialer> dialer_;           // of the loop's thread
  std::unique_ptr<io::driver> driver_;                    // of the loop's thread
  std::unique_ptr<io::member_watch> members_;             // of the loop's thread
  std::unique_ptr<io::network_watch> network_;            // of the loop's thread; made when it first runs
};

/// What a race was won with, as its caller gets it (resolver_tls.cpp).
result<connection> connection_over(io::connected_socket winner, const endpoint& peer,
                                   std::shared_ptr<const trace> story);

template <class T>
bool resolver::impl::wait_for_mail(mailbox<T>& box, const interruption& interrupted) {
  constexpr std::chrono::milliseconds slice{50};
  const bool runs_loop = settings_.chosen.loop == loop::caller;
  while ((runs_loop || interrupted) && !box.has_mail()) {
    if (runs_loop)
      run_loop_once(slice);
    else if (box.wait(slice))
      return true;
    if (interrupted && interrupted()) return false;
  }
  return true;
}

}  // namespace lbresolve
