// A fleet of clients that connect by name to some servers, in virtual time.
//
// Every client has a chooser, makes connects at random times, and races addresses as RFC 8305 has it: the next attempt
// after the Connection Attempt Delay, at once when one fails, at most six live. Where the scenario has requests, each
// connection carries one. Three streams of random numbers (arrivals, network, choosers) come from one seed, so that all
// choosers meet the same arrivals.
#pragma once

#include "sim/fleet/chooser.hpp"
#include "sim/fleet/dns_model.hpp"
#include "sim/fleet/event_queue.hpp"
#include "sim/fleet/report.hpp"
#include "sim/fleet/server_model.hpp"
#include "support/test_random.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace lbresolve::fleet {

struct fleet_setup {
  std::vector<server_setup> servers;
  dns_setup dns;
  std::size_t clients = 1;
  std::size_t regions = 1;                     ///< client i lives in region i % regions
  double connects_per_second = 1;              ///< of each client
  bool regular = false;                        ///< evenly spaced instead of at random (Poisson)
  duration warm_up{};                          ///< not counted in the report, except in its timeline
  duration length = std::chrono::seconds{60};  ///< with the warm-up
  std::uint64_t most_connects = UINT64_MAX;    ///< then there are no more
  bool requests = false;                       ///< each connection carries one request
  bool feedback = false;                       ///< and the application reports how long that took
  duration deadline = std::chrono::seconds{15};
  duration step = std::chrono::seconds{1};  ///< of the timeline
  std::uint64_t seed = 1;
};

class fleet {
 public:
  fleet(const fleet_setup& setup, const chooser_factory& make);
  run_report run();

  /// What a client's chooser has become.
  chooser& chooser_of(std::size_t who) { return *clients_[who].choice; }

 private:
  /// What a client's connects saw of one outage.
  struct outage_seen {
    const trouble* which = nullptr;
    std::uint32_t hits = 0, late_hits = 0;
    time_point told{};  ///< when the first of them had failed, or waited for too long
    time_point last{};
  };
  struct client {
    std::unique_ptr<chooser> choice;
    time_point answer_until{};
    std::uint64_t ejected = 0;  ///< one bit a server
    time_point probe_at = core::never;
    std::vector<outage_seen> outages;
  };
  struct attempt {
    enum class state : std::uint8_t { live, failed, cancelled };
    server_id server = 0;
    state is = state::live;
    bool will_connect = false;
    time_point started{}, ended{};
  };
  /// One connect. Places are used again: events for an earlier use are told by their generation.
  struct operation {
    std::uint32_t client = 0;
    std::uint32_t generation = 0;
    bool done = true;
    bool counted = false;
    std::uint32_t delays = 0;  ///< which delay is the newest
    time_point started{};
    std::vector<server_id> plan;
    std::size_t next = 0;
    std::vector<attempt> attempts;
  };
  struct request {
    std::uint32_t client = 0;
    server_id server = 0;
    bool counted = false;
    bool waits = false;
    time_point connect_started{}, sent{};
  };
  struct probe {
    std::uint32_t client = 0;
    server_id server = 0;
    bool connects = false;
    time_point started{};
  };

  void handle(const event& e);
  void on_arrival(std::uint32_t who);
  void schedule_arrival(std::uint32_t who);
  void renew_answer(client& c, std::uint32_t who);
  void start_next(std::uint32_t op);
  void note_first(const operation& o, client& c, server_id s);
  std::size_t live(const operation& o) const;
  void make_room(operation& o);
  void on_attempt_ends(std::uint32_t op, std::size_t which);
  void on_delay_over(std::uint32_t op, std::size_t which);
  void finish(std::uint32_t op, const attempt* winner);
  void send_request(const operation& o, server_id s);
  void on_request_arrives(std::uint32_t which);
  void on_response(std::uint32_t which);
  void count_unanswered();
  void watch(std::uint32_t who, server_id s);
  void schedule_probe(std::uint32_t who);
  void on_probe(std::uint32_t who);
  void on_probe_ends(std::uint32_t which);
  void add_up_outages();
  void count_total(duration took);
  void count_step(timeline& t, server_id s);
  std::size_t region_of(std::uint32_t who) const { return who % setup_.regions; }
  bool is_measured() const { return now_ >= beginning + setup_.warm_up; }
  std::uint32_t take_operation();

  fleet_setup setup_;
  chooser_factory make_;  ///< owns what its choosers refer to
  test::test_random arrivals_, network_, choices_;
  time_point now_ = beginning;
  event_queue events_;
  std::vector<server_model> servers_;
  dns_model dns_;
  std::vector<client> clients_;
  std::vector<operation> operations_;
  std::vector<std::uint32_t> free_operations_;
  std::vector<request> requests_;
  std::vector<std::uint32_t> free_requests_;
  std::vector<probe> probes_;
  std::vector<std::uint32_t> free_probes_;
  std::vector<attempt_result> results_;
  std::uint64_t started_ = 0;  ///< connects, warm-up too
  run_report report_;
};

}  // namespace lbresolve::fleet
