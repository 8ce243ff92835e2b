// Whole lookups and connects in virtual time: the real engine, simulated name servers and a simulated network.
#pragma once

#include "core/cache.hpp"
#include "core/engine.hpp"
#include "core/selection.hpp"
#include "core/settings.hpp"
#include "support/message_builder.hpp"
#include "support/simulated_race.hpp"
#include "support/test_random.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace lbresolve::test {

using namespace std::chrono_literals;

/// A query as it reached a simulated server.
struct sent_query {
  duration at{};           ///< since the world began
  std::size_t server = 0;  ///< index into the upstreams
  transport over = transport::udp;
  std::uint64_t exchange = 0;
  core::question asked;
  std::vector<std::uint8_t> bytes;
  bool has_edns() const { return core::message::parse(bytes).value().opt().has_value(); }
};

/// What a simulated server sends back, and when.
struct scripted_reply {
  duration after{};
  std::vector<std::uint8_t> bytes;
  std::error_code error{};  ///< instead of bytes: the transport fails
  std::string sentence{};   ///< and says so
};
using server_script = std::function<std::vector<scripted_reply>(const sent_query&)>;

/// A reply to `q` with the given records (IPv4 or IPv6 text), or NODATA with a SOA, or an RCODE.
std::vector<std::uint8_t> make_reply(const sent_query& q, const std::vector<std::string>& addresses,
                                     std::uint32_t ttl = 60, unsigned rcode = 0, bool truncated = false,
                                     std::uint32_t soa_ttl = 30);

/// The same with records of whatever type, given as RDATA.
std::vector<std::uint8_t> make_record_reply(const sent_query& q, const std::vector<octets>& records,
                                            std::uint32_t ttl = 60);

/// Answers from a table of names; what is not there is NXDOMAIN (or NODATA where another type is there).
struct zone {
  using key = std::pair<std::string, core::rr_type>;

  std::map<std::string, std::vector<std::string>> addresses;  ///< by name, both families
  std::uint32_t ttl = 60;
  duration after = 5ms;
  std::map<key, std::vector<octets>> records;  ///< RDATA
  std::map<key, duration> later;               ///< instead of `after`; core::duration::max(): never
  std::vector<scripted_reply> operator()(const sent_query& q) const;
};

/// How one operation ended.
struct world_outcome {
  bool done = false;
  bool connected = false;
  endpoint peer;
  std::optional<error> failed;
  std::vector<endpoint> endpoints;  ///< of a resolve
  std::chrono::seconds ttl{};       ///< likewise
  bool authenticated = false;       ///< likewise
  std::shared_ptr<const trace> story;
  duration at{};            ///< since the world began
  std::string end() const;  ///< "4.1@80", or "lost@300"
};

class simulated_world final : public core::answer_store {
 public:
  explicit simulated_world(std::size_t servers = 1, std::uint64_t seed = 1);

  options chosen;                ///< change before the first operation
  core::system_settings system;  ///< likewise
  bool has_ipv6 = true;
  bool has_ipv4 = true;

  simulated_world& server(std::size_t i, server_script s);
  simulated_world& endpoint_is(const std::string& text, behaviour b);
  simulated_world& at(duration when, std::function<void()> what);

  std::uint64_t connect(const std::string& target, const connect_options& o = {});
  std::uint64_t resolve(const std::string& target, const resolve_options& o = {});
  void cancel(std::uint64_t id) { engine_->cancel(id, now_); }
  const world_outcome& outcome(std::uint64_t id) { return outcomes_[id]; }

  /// Until nothing is left to happen, or `limit` has passed since the world began.
  simulated_world& run(duration limit = std::chrono::hours{1});
  /// connect(), run(), outcome().
  world_outcome connected(const std::string& target, const connect_options& o = {});
  world_outcome resolved(const std::string& target, const resolve_options& o = {});

  /// Lets time pass.
  simulated_world& pass(duration d) {
    now_ += d;
    return *this;
  }
  core::cache& cache() { return *cache_; }
  /// What is remembered of endpoints and targets.
  core::selection& memory() { return *memory_; }
  /// The time of the world.
  time_point now() const { return now_; }

  std::vector<sent_query> queries;                       ///< in the order sent
  std::vector<std::pair<duration, std::string>> opened;  ///< sockets: when, to what
  std::vector<std::pair<duration, std::string>> probed;  ///< likewise, by probes
  std::set<std::uint64_t> open_exchanges;                ///< not answered and not abandoned
  std::size_t open_sockets() const { return sockets_.size(); }
  std::size_t queries_for(core::rr_type type) const;

 private:
  std::optional<core::cache::hit> find(const core::question& q, time_point now, bool stale_too) override {
    return cache_->find(q, now, stale_too);
  }
  void store(const core::question& q, std::shared_ptr<const core::answer> what, time_point now) override {
    cache_->store(q, std::move(what), now);
  }
  void ask_again(const core::question& q, time_point now) override { cache_->ask_again(q, now); }
  void on_stale_used(const core::question& q, time_point now) override { cache_->on_stale_used(q, now); }

  std::optional<address> source_of(const address& to) const;
  void begin();
  time_point perform();
  void send(const core::dns_client::action& a);
  void open(const core::engine::action& a);
  void begin_tls(std::uint64_t id, std::size_t attempt, const behaviour& b);
  void finish(core::engine::action& a);
  duration since() const { return now_ - t0; }

  static constexpr time_point t0{std::chrono::hours{1}};
  time_point now_ = t0;
  test_random random_;
  core::settings settings_;
  std::shared_ptr<const core::system_settings> system_;
  std::unique_ptr<core::cache> cache_;
  std::unique_ptr<core::selection> memory_;
  std::unique_ptr<core::engine> engine_;
  std::vector<server_script> scripts_;
  std::map<endpoint, behaviour> network_;
  std::multimap<time_point, std::function<void()>> events_;
  std::set<std::pair<std::uint64_t, std::size_t>> sockets_;
  std::map<std::uint64_t, world_outcome> outcomes_;
  std::set<std::uint64_t> resolves_;
  std::uint64_t last_id_ = 0;
};

}  // namespace lbresolve::test
