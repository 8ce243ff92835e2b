// Being told what a resolver does, for metrics and tracing: the library itself prints and counts nothing.
#pragma once

#include <lbresolve/endpoint.hpp>
#include <lbresolve/health.hpp>
#include <lbresolve/options.hpp>
#include <lbresolve/selection.hpp>
#include <lbresolve/trace.hpp>
#include <lbresolve/watch.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lbresolve {

// The comments give the names that OpenTelemetry's semantic conventions have for the same. `error_type` is its
// error.type: a short word out of a bounded set, empty where all went well.

/// A question of an operation that has ended: answered, or not.
struct lookup_event {
  std::string target;                   ///< what the program asked for
  query_record query;                   ///< its `name` is dns.question.name
  std::chrono::nanoseconds duration{};  ///< dns.lookup.duration; next to nothing where it was at hand
  std::string server_address;           ///< server.address: an address or a name; empty where no upstream was asked
  std::uint16_t server_port = 0;        ///< server.port
  std::string_view network_transport;   ///< network.transport: "udp" or "tcp"; empty where no upstream was asked
  std::string error_type;
};

/// A connect has tried an address, and it is over.
struct attempt_event {
  std::string target;
  attempt_record attempt;  ///< its `endpoint` is network.peer.address and network.peer.port
  std::chrono::nanoseconds duration{};
  std::string error_type;  ///< of those that failed
};

/// A connect has ended: which address it came to.
struct choice_event {
  std::string target;
  std::optional<endpoint> chosen;  ///< network.peer.address, network.peer.port; empty: none could be connected to
  lbresolve::policy policy = policy::balanced;
  selection_mode mode = selection_mode::hybrid;
  std::size_t place = 0;                ///< how many addresses were tried before it
  std::string reason;                   ///< why it was started when it was, for a person
  std::chrono::nanoseconds duration{};  ///< of the whole connect, lookups included
  std::string error_type;
};

/// What is thought of an endpoint has changed: by an attempt, a probe or a report. See watch() for what DNS changes.
struct health_event {
  lbresolve::endpoint endpoint;
  member_change::kind change = member_change::kind::suspect;  ///< suspect, ejected or back
  endpoint_state state = endpoint_state::unknown;             ///< now
  std::optional<std::chrono::nanoseconds> comes_back;         ///< ejected: when it is tried again, from now
  std::uint32_t consecutive_failures = 0;
};

/// A look at an endpoint in the background, or by resolver::probe(), has ended.
struct probe_event {
  lbresolve::endpoint endpoint;
  bool background = true;
  std::chrono::nanoseconds duration{};
  std::string error_type;
};

/// Derive from it and set `options.observer`. Where none is set, that costs a comparison an operation; picks by a
/// picker tell nothing and cost nothing in any case.
///
/// Events of an operation come once it has ended; what was cancelled is not told, nor what is asked again in the
/// background for the cache. Lookups that watches and pickers need are.
///
/// Thread-safety: called on the resolver's thread, on that of process(), and on those of calls that end without the
/// network; so several may call at once. No lock of the resolver is held: its functions may be called, those that
/// do not block on the network. It must not block, throw or fork.
class observer {
 public:
  virtual ~observer() = default;

  virtual void on_lookup(const lookup_event&) noexcept {}
  virtual void on_attempt(const attempt_event&) noexcept {}
  virtual void on_choice(const choice_event&) noexcept {}
  virtual void on_health(const health_event&) noexcept {}
  virtual void on_probe(const probe_event&) noexcept {}
};

}  // namespace lbresolve
