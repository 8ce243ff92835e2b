// The policy `balanced`, over the real cores: each client has a memory of its own (core::selection), and the order of
// each connect is that of core::order.
#include "core/order.hpp"
#include "core/probe_operation.hpp"
#include "core/selection.hpp"
#include "sim/fleet/chooser.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace lbresolve::fleet {

using namespace std::chrono_literals;

namespace {

constexpr std::string_view target = "service.example:443";

endpoint endpoint_of(server_id s, bool ipv6) {
  if (ipv6) return {address::v6({0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, s}), 443};
  return {address::v4({192, 0, 2, s}), 443};
}

server_id server_of(const endpoint& e) { return e.address.bytes().back(); }

core::candidate candidate_of(server_id s, const server_facts& facts) {
  core::candidate c;
  c.endpoint = endpoint_of(s, facts.ipv6);
  c.source = facts.ipv6 ? address::v6({0x20, 0x01, 0x0d, 0xb8, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1})
                        : address::v4({198, 51, 100, 1});
  c.weighted = facts.weight != 1;
  c.weight = static_cast<std::uint16_t>(facts.weight);
  return c;
}

class balanced final : public chooser {
 public:
  balanced(const balanced_rules& rules, std::span<const server_facts> servers, core::random_source& random)
      : rules_(&rules), random_(&random), memory_(core::selection_rules{rules.health, rules.probes}) {
    for (const auto& s : servers) all_.push_back(candidate_of(static_cast<server_id>(all_.size()), s));
    delays_.resize(servers.size(), usual_attempt_delay);
    patience_.resize(servers.size(), usual_attempt_delay);
  }

  void on_answer(std::span<const server_id> addresses, time_point) override {
    members_.clear();
    set_.clear();
    for (const auto s : addresses) {
      members_.push_back(all_[s]);
      set_.push_back(all_[s].endpoint);
    }
  }

  void plan(std::vector<server_id>& out, time_point now) override {
    std::vector<core::health_view> known(set_.size());
    memory_.look_up(target, set_, known, now, *random_);
    for (std::size_t i = 0; i < known.size(); ++i) members_[i].known = known[i];
    const core::order_settings settings{.policy = policy::balanced, .balance = rules_->balance};
    for (const auto& c : core::order(members_, settings, *random_)) {
      const auto s = server_of(c.endpoint);
      out.push_back(s);
      delays_[s] = c.known.measured
                       ? std::clamp<duration>(c.known.srtt + 4 * c.known.rttvar, shortest_delay, longest_delay)
                       : usual_attempt_delay;
      patience_[s] = std::max(delays_[s], 3 * c.known.srtt);
    }
  }

  std::optional<duration> attempt_delay(server_id s) const override { return delays_[s]; }

  void on_started(server_id s, time_point now) override { memory_.on_started(at(s), now); }
  void on_connected(server_id s, duration took, time_point now) override { told(connected(s, took), now); }
  void on_failed(server_id s, duration took, time_point now) override { told(failed(s, took), now); }
  void on_overdue(server_id s, duration waited, time_point now) override {
    if (waited < patience_[s]) return;
    told({.at = at(s), .is = core::attempt_fact::kind::late, .took = waited}, now);
  }
  void on_cancelled(server_id s, duration waited, time_point now) override {
    told({.at = at(s), .is = core::attempt_fact::kind::given_up, .took = waited, .patience = patience_[s]}, now);
  }
  void on_race_end(std::span<const attempt_result> attempts, time_point now) override {
    // As core::race_memory has it: a family has failed when each of its attempts has.
    core::race_facts facts{.began = now};
    std::array<bool, 2> undecided{};
    for (const auto& a : attempts) {
      const auto family = core::index_of(at(a.server).address.family());
      if (a.connected) {
        facts.won[family] = true;
      } else if (a.failed || a.took > patience_[a.server]) {
        facts.failed[family] = at(a.server).address;
      } else {
        undecided[family] = true;
      }
    }
    for (const std::size_t family : {0U, 1U}) {
      if (undecided[family]) facts.failed[family].reset();
    }
    memory_.on_race_end(target, facts, now);
  }

  void on_request(server_id s, time_point now) override { memory_.begin(at(s), now); }
  void on_response(server_id s, duration latency, time_point now) override {
    memory_.report(at(s), outcome::success, latency, now, *random_);
  }

  /// As its connects see it: with the guards applied.
  bool is_ejected(server_id s, time_point now) override {
    std::vector<core::health_view> known(set_.size());
    memory_.peek(target, set_, known, now);
    const auto i = std::find(set_.begin(), set_.end(), at(s)) - set_.begin();
    return static_cast<std::size_t>(i) < set_.size() &&
           known[static_cast<std::size_t>(i)].state == endpoint_state::ejected;
  }

  time_point next_probe(time_point now) override { return memory_.next_probe_at(now); }
  std::optional<server_id> take_probe(time_point now) override {
    const auto e = memory_.next_probe(now);
    if (!e) return std::nullopt;
    return server_of(*e);
  }
  void on_probe_ended(server_id s, bool did_connect, duration took, time_point now) override {
    memory_.on_probe(did_connect ? connected(s, took) : failed(s, took), now, *random_);
  }
  duration probe_timeout() const override { return core::probe_operation::patience; }

 private:
  static constexpr duration shortest_delay = 100ms;  // RFC 8305 section 5, as core::race has it
  static constexpr duration longest_delay = 2s;

  const endpoint& at(server_id s) const { return all_[s].endpoint; }
  core::attempt_fact connected(server_id s, duration took) const {
    return {.at = at(s), .is = core::attempt_fact::kind::connected, .took = took};
  }
  core::attempt_fact failed(server_id s, duration took) const {
    const auto code = took >= probe_timeout() ? ETIMEDOUT : ECONNREFUSED;
    return {.at = at(s),
            .is = core::attempt_fact::kind::failed,
            .took = took,
            .code = std::error_code(code, std::system_category())};
  }
  void told(const core::attempt_fact& fact, time_point now) { memory_.on_attempt(target, fact, now, *random_); }

  const balanced_rules* rules_;
  core::random_source* random_;
  core::selection memory_;
  std::vector<core::candidate> all_;      // by server
  std::vector<core::candidate> members_;  // of the newest answer
  std::vector<endpoint> set_;
  std::vector<duration> delays_, patience_;  // by server, as the newest connect has them
};

}  // namespace

std::unique_ptr<chooser> make_balanced(const balanced_rules& rules, std::span<const server_facts> servers,
                                       core::random_source& random) {
  return std::make_unique<balanced>(rules, servers, random);
}

}  // namespace lbresolve::fleet
