// A server as a client sees it: how long a connect takes, whether it is answered, and how long a request waits.
#pragma once

#include "core/random.hpp"
#include "core/time.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace lbresolve::fleet {

using core::duration;
using core::time_point;
using server_id = std::uint8_t;  ///< at most 64 of them

/// Runs begin here, not at 0: a core that mixes up "never" and "at 0" must not pass by luck.
inline constexpr time_point beginning{std::chrono::hours{1}};

/// What is wrong with a server, from when to when.
struct trouble {
  enum class kind : std::uint8_t {
    mute,     ///< SYNs are not answered
    refuses,  ///< answers with RST
    slow,     ///< SYN-ACKs come `extra` later
    busy,     ///< connects as ever, but each request takes `extra` longer
    lossy,    ///< loses `loss` of the SYNs
  };
  time_point from{};
  time_point to = core::never;
  kind what = kind::mute;
  duration extra{};
  double loss = 0;

  bool at(time_point t) const noexcept { return from <= t && t < to; }
};

struct server_setup {
  std::vector<duration> rtt{std::chrono::milliseconds{20}};  ///< by the client's region; the last serves all further
  double jitter = 0.05;                                      ///< sigma of the RTT's logarithm
  double loss = 0;                                           ///< of a SYN, or of its answer
  duration refuses_after = std::chrono::microseconds{100};
  unsigned workers = 0;  ///< requests served at a time; 0: without limit
  duration service{};    ///< mean of the exponential time that a request takes
  double weight = 1;
  bool ipv6 = false;
  std::vector<trouble> troubles;
};

/// How a connect ends if it is left to itself.
struct connect_fate {
  bool connected = false;
  time_point at = core::never;  ///< never: the client's deadline comes first
};

class server_model {
 public:
  explicit server_model(server_setup setup);

  /// A SYN goes out now, again after 1 s, 3 s and 7 s (RFC 6298 section 5, as Linux does).
  connect_fate connect(std::size_t region, time_point now, core::random_source& random) const;

  /// A request arrives now; when its response leaves. First come, first served.
  time_point serve(time_point now, core::random_source& random);

  duration rtt(std::size_t region, core::random_source& random) const;
  const server_setup& setup() const noexcept { return setup_; }

  bool has(trouble::kind what, time_point t) const noexcept;
  /// The trouble by which no connect succeeds, if there is one at t.
  const trouble* outage_at(time_point t) const noexcept;
  /// Whether anything was wrong within `before` of t.
  bool was_in_trouble(time_point t, duration before) const noexcept;

 private:
  double loss_at(time_point t) const noexcept;
  duration extra_at(trouble::kind what, time_point t) const noexcept;

  server_setup setup_;
  std::vector<time_point> free_at_;  ///< of each worker, a heap with the earliest on top
};

}  // namespace lbresolve::fleet
