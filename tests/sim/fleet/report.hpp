// What a run showed.
#pragma once

#include "core/time.hpp"
#include "sim/fleet/server_model.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace lbresolve::fleet {

/// Durations counted in steps of about 3 %: quantiles over any number of them in 16 KiB.
class histogram {
 public:
  void add(duration d) {
    ++counts_[index_of(d)];
    ++total_;
  }
  std::uint64_t total() const noexcept { return total_; }
  /// The upper end of the step that holds the quantile; zero when empty.
  duration quantile(double q) const;
  void merge(const histogram& other);

 private:
  static std::size_t index_of(duration d);
  std::array<std::uint64_t, 2048> counts_{};
  std::uint64_t total_ = 0;
};

/// One server, over the time measured.
struct server_report {
  std::uint64_t wins = 0;    ///< connects that ended with a connection to it
  std::uint64_t firsts = 0;  ///< connects that tried it first
  std::uint64_t attempts = 0;
  std::uint64_t probes = 0;
  std::uint64_t ejections = 0;
  std::uint64_t false_ejections = 0;  ///< while nothing was wrong with it, nor in the 10 s before
};

/// A count for each server in each step, over all clients.
using timeline = std::vector<std::vector<std::uint32_t>>;

struct run_report {
  std::vector<server_report> servers;
  timeline wins;    ///< from the beginning, warm-up too
  timeline firsts;  ///< likewise
  duration step{};  ///< of the timeline
  std::uint64_t connects = 0;
  std::uint64_t failed = 0;
  std::uint64_t second_tries = 0;   ///< connects whose first attempt did not win
  std::uint64_t within_second = 0;  ///< connection (with requests: response) within 1 s of the start
  std::uint64_t attempts = 0;
  std::uint64_t probes = 0;
  std::uint64_t questions = 0;  ///< that reached the DNS authority
  histogram connect_time;       ///< of connects that succeeded
  histogram total_time;         ///< to the response, where there are requests; else as above

  // About outages: servers that stopped answering, or refused. A hit is a connect that tried such a server first; it is
  // late when an earlier hit of that client in that outage had failed, or waited for 250 ms, before it began.
  std::uint64_t outages_seen = 0;  ///< by some client: clients times outages
  std::uint64_t hits = 0;
  std::uint64_t late_hits = 0;
  std::uint64_t most_hits = 0;  ///< of one client in one outage
  std::uint64_t most_late_hits = 0;
  histogram avoided_after;  ///< from the start of an outage to a client's last hit

  double success_within_second() const;
  /// The share of wins of one server.
  double share(std::size_t server) const;
  /// Of the most loaded server to the mean of all.
  double max_to_mean() const;
  double max_to_min() const;
  /// The worst such ratio of any step of the timeline in [from, to) since the beginning.
  double worst_step(duration from, duration to) const;
  /// The share of wins of one server in [from, to) since the beginning.
  double share(std::size_t server, duration from, duration to) const;
};

}  // namespace lbresolve::fleet
