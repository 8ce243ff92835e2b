// A target, from its name to the endpoints that stand for it: lookups, and what service records say between them.
//
// Host 0 is the name asked for. Without service records its addresses, with the port of the target, are all there is.
//   - A service (RFC 2782) has SRV records instead: each names a host, a port, a priority and a weight, and the hosts'
//     addresses are asked for, all at once.
//   - HTTPS records (RFC 9460) are asked for together with the addresses. One in AliasMode leads to another name, whose
//     HTTPS records count then. Those in ServiceMode name hosts and ports, the name itself among them, in tiers by
//     priority. When nothing of that can be connected to, the end of the aliases is tried with the target's port, and
//     last the name itself as if it had no such records (section 3).
//
// A host's addresses are offered once for each record that names it, and again when records that come later say more.
// Addresses that came along in the additional section are not used: the lookup of each host goes its own way, through
// the hosts file and the cache.
#pragma once

#include "core/candidate.hpp"
#include "core/lookup.hpp"
#include "core/random.hpp"

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lbresolve::core {

/// Thread-safety: one thread at a time.
class service_lookup {
 public:
  /// RFC 9460 section 3.1 leaves the limit to the client.
  static constexpr std::size_t most_aliases = 8;

  /// @param request `types` as for a lookup; of a service: srv, and the types of addresses wanted of its hosts
  service_lookup(lookup_request request, std::shared_ptr<const system_settings> system);

  struct action {
    enum class kind : std::uint8_t {
      ask,     ///< `asked`, of the cache or an upstream
      expect,  ///< `from` may still bring something, of this `priority` at best
      found,   ///< `candidates`, which replace what `from` brought before
      none,    ///< `from` brings nothing
      wait,    ///< for on_answer()
      done,    ///< everything has been reported
    };
    kind is = kind::wait;
    origin from;
    std::uint32_t priority = 0;
    const question* asked = nullptr;    ///< valid until the next call
    std::vector<candidate> candidates;  ///< what DNS knows of each: `source`, `skip` and `known` are not filled in
    time_point expires = never;         ///< found: when its answer stops being true; never: it was at hand
    duration ttl{};                     ///< found: for how long it was true when it came
  };
  /// Exactly one action. Repeat until it is wait or done.
  action next(random_source& random);

  /// @param expires when the answer stops being true
  void on_answer(const question& q, const std::shared_ptr<const answer>& what, time_point expires);

  /// What is expected from the start.
  const std::vector<rr_type>& types() const noexcept { return hosts_.front().names.types(); }

  /// Questions asked and not answered, each once.
  std::vector<question> pending() const;
  /// Every question whose answer was of use.
  std::vector<question> asked() const;

  /// Adds to `story` what was answered without a query since the last call, and what else is worth knowing.
  void tell(elapsed now, trace& story);

  /// The name asked for.
  const lookup& host() const noexcept { return hosts_.front().names; }
  /// When the first of the answers stops being true.
  time_point expires() const noexcept;
  /// Whether everything found was validated by DNSSEC.
  bool is_authenticated() const noexcept;
  /// Why nothing was found, once done.
  error failure() const;

 private:
  /// One reason to connect to a host.
  struct use {
    std::uint32_t priority = 0;
    std::uint16_t port = 0;
    std::uint16_t weight = 0;
    bool weighted = false;
    std::vector<address> hints;
  };
  struct host_entry {
    lookup names;
    std::vector<use> uses;  ///< none: a link of a chain of aliases
  };

  std::optional<action> advance(std::size_t host, random_source& random);
  void take_services(const answer& what);
  void take_bindings(std::size_t host, const answer& what, random_source& random);
  bool follow_alias(const name& target);
  void use_bindings(std::size_t host, const answer& what, std::vector<const service_binding*> bindings);
  void end_of_records(std::size_t host, bool used);

  std::optional<std::size_t> host_called(const name& n);
  std::optional<std::size_t> add_host(const name& n, bool is_alias_target);
  void offer(std::size_t host);
  action offered(std::size_t host, rr_type type, const answer& what) const;
  std::vector<candidate> hints_of(std::size_t host) const;
  bool wants(rr_type type) const noexcept;
  bool is_pending_elsewhere(std::size_t host, const question& q) const;
  std::uint16_t own_port() const noexcept { return request_.what.port.value_or(0); }
  void note(std::string text) { notes_.push_back(std::move(text)); }

  lookup_request request_;
  std::shared_ptr<const system_settings> system_;
  std::vector<rr_type> address_types_;
  std::vector<host_entry> hosts_;  // never more than most_other_hosts besides the first
  std::size_t records_at_ = 0;     // the host whose HTTPS records count: the end of the aliases so far
  std::vector<name> aliases_;      // names whose HTTPS records were asked for, once there is an alias
  std::deque<action> to_report_;
  bool no_such_service_ = false;
  std::vector<std::string> notes_;
  std::size_t told_hosts_ = 0;
};

}  // namespace lbresolve::core
