// Start here: a resolver looks names up, and connects by name.
#pragma once

#include <lbresolve/connection.hpp>
#include <lbresolve/endpoint.hpp>
#include <lbresolve/error.hpp>
#include <lbresolve/explanation.hpp>
#include <lbresolve/export.hpp>
#include <lbresolve/health.hpp>
#include <lbresolve/options.hpp>
#include <lbresolve/picker.hpp>
#include <lbresolve/trace.hpp>
#include <lbresolve/watch.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lbresolve {

/// What a name stands for now.
struct resolution {
  std::string name;            ///< as it was found: after the search list, without the trailing dot
  std::string canonical_name;  ///< the end of the CNAME chain
  std::vector<lbresolve::endpoint>
      endpoints;               ///< in the order in which connect would try them; port 0 where none was given
  std::chrono::seconds ttl{};  ///< the least time any of these answers stays true; 0: just this once
  /// Every answer was validated by DNSSEC, and whoever said so counts: an upstream over TLS that has shown who it is,
  /// or any one with `query.trust_ad` (RFC 6840 section 5.8). False for what was known without asking.
  bool authenticated = false;
  std::shared_ptr<const trace> story;
};

/// An operation under way, for cancel(). A plain value; a default one stands for no operation.
struct operation {
  std::uint64_t id = 0;
  explicit operator bool() const noexcept { return id != 0; }
};

using resolve_callback = std::function<void(result<resolution>)>;
using connect_callback = std::function<void(result<connection>)>;
using explain_callback = std::function<void(result<explanation>)>;
using probe_callback = std::function<void(result<probe_report>)>;

/// A stub resolver with a cache and a connector. Make one and share it; making it starts nothing.
///
/// Thread-safety: every member function may be called from any thread at any time, also from inside callbacks.
/// Callbacks run on the resolver's own thread (`loop::own_thread`), or inside process() (`loop::caller`); never inside
/// the call that started them, at most once, and not after a cancel() that returned true. An exception thrown by a
/// callback ends the process: catch it inside. A blocking call inside a callback gives errc::unsupported where it would
/// have to wait for an upstream; a call whose thread cannot be started gives a null operation, and no callback.
/// Destroying the resolver cancels what is under way: those callbacks are dropped, blocking calls return
/// errc::cancelled. It may be destroyed inside a callback.
///
/// After fork() the child may go on using it, or destroy it: it starts afresh there, with the same settings, a thread,
/// descriptors and a cache of its own, and leaves the parent's alone. What was under way completes in the parent only.
/// docs/embedding.md says more.
class resolver {
 public:
  /// Fails with errc::invalid_option on a server or setting it cannot use.
  LBRESOLVE_EXPORT static result<resolver> create(options settings = {});

  LBRESOLVE_EXPORT resolver(resolver&&) noexcept;
  LBRESOLVE_EXPORT resolver& operator=(resolver&&) noexcept;
  LBRESOLVE_EXPORT ~resolver();

  /// Looks `target` up: "host", "host:port", "_service._tcp.host" (SRV, RFC 2782), or an IP address. Blocks up to
  /// `settings.timeout`.
  LBRESOLVE_EXPORT result<resolution> resolve(std::string_view target, const resolve_options& settings = {});

  /// Connects to "host:port", "[2001:db8::1]:443", "https://host" (HTTPS records, RFC 9460) or "_service._tcp.host"
  /// (SRV), racing its addresses (RFC 8305). Blocks up to `settings.timeout`. For a cached name the race runs on the
  /// calling thread.
  LBRESOLVE_EXPORT result<connection> connect(std::string_view target, const connect_options& settings = {});

  /// The callback forms. A malformed target is reported through the callback as everything else is.
  LBRESOLVE_EXPORT operation async_resolve(std::string_view target, const resolve_options& settings,
                                           resolve_callback done);
  LBRESOLVE_EXPORT operation async_connect(std::string_view target, const connect_options& settings,
                                           connect_callback done);

  // ---- Choosing, for programs that have connections of their own

  /// Picks among the members of a target, in nanoseconds: see picker. Blocks until the target has been looked up; uses
  /// its cached answers. `settings` as for connect, of which those that race do not matter.
  LBRESOLVE_EXPORT result<picker> make_picker(std::string_view target, const connect_options& settings = {});

  /// The same for one pick, by name: a target picked lately is not looked up again. Slower than a picker, and what
  /// begin() and report() say counts once the resolver's thread, or process(), has heard of it; for a picker at once.
  LBRESOLVE_EXPORT result<endpoint> pick(std::string_view target);

  /// A request begins at `at`, or ends there: what goes on counts as load, failures and latency count in every later
  /// choice. report() without a begin() is a plain opinion; three failures in a row eject, where the endpoint is one of
  /// several of a target that is in use.
  LBRESOLVE_EXPORT void begin(const endpoint& at);
  LBRESOLVE_EXPORT void report(const endpoint& at, outcome how,
                               std::optional<std::chrono::nanoseconds> latency = std::nullopt);

  /// Tells when members of a target come, go, fail and recover, until unwatch(). A malformed target gives an error; one
  /// that cannot be looked up now is tried again until it can.
  LBRESOLVE_EXPORT result<watch_id> watch(std::string_view target, watch_callback told,
                                          const connect_options& settings = {});
  /// True: no call of its callback begins after this. (One that runs on another thread may still be running.)
  LBRESOLVE_EXPORT bool unwatch(watch_id which) noexcept;

  // ---- Looking inside

  /// What connect would do now, and why. Opens no socket, but for asking DNS.
  LBRESOLVE_EXPORT result<explanation> explain(std::string_view target, const connect_options& settings = {});
  LBRESOLVE_EXPORT operation async_explain(std::string_view target, const connect_options& settings,
                                           explain_callback done);

  /// Connects to every address of a target now, and remembers how it went.
  LBRESOLVE_EXPORT result<probe_report> probe(std::string_view target, const connect_options& settings = {});
  LBRESOLVE_EXPORT operation async_probe(std::string_view target, const connect_options& settings, probe_callback done);

  /// Everything that is known of endpoints, on the present network.
  LBRESOLVE_EXPORT std::vector<endpoint_health_record> health();
  /// Forgets it, in `selection.state_file` too.
  LBRESOLVE_EXPORT void forget_health();

  /// Stops an operation. True: its callback will not run. False: it has run, is running, or never was.
  LBRESOLVE_EXPORT bool cancel(operation which) noexcept;

  /// Readable when process() has work (`loop::caller`). Owned by the resolver; -1 with `loop::own_thread`.
  LBRESOLVE_EXPORT int fd() const noexcept;

  /// Runs what is due and the callbacks of what is done, waiting up to `max_wait` for something to be
  /// (0: not at all; negative: as long as it takes). Only with `loop::caller`, and not from inside a callback.
  LBRESOLVE_EXPORT void process(std::chrono::milliseconds max_wait = std::chrono::milliseconds{0});

  /// Forgets all cached answers.
  LBRESOLVE_EXPORT void clear_cache();

 private:
  class impl;
  class per_process;
  explicit resolver(std::unique_ptr<per_process> state) noexcept;
  std::unique_ptr<per_process> state_;
};

}  // namespace lbresolve
