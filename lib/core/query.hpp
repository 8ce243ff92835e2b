// One question, asked of the upstreams until one answers.
//
// A query is a list of tries. Each try is one message to one upstream over one transport; facts about it are stored
// (when sent, what came back), and what to do next is derived from them: a truncated answer is asked again over TCP, a
// server that does not know EDNS is asked again without it, a silent server is joined by the next one after its hedge
// delay, a failing server is followed by the next one at once. The first usable answer ends it. An encrypted upstream
// is asked over its own transport and no other (RFC 7858, RFC 8484).
#pragma once

#include "core/answer.hpp"
#include "core/message.hpp"
#include "core/question.hpp"
#include "core/random.hpp"
#include "core/time.hpp"
#include "core/upstreams.hpp"

#include <lbresolve/error.hpp>
#include <lbresolve/trace.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <vector>

namespace lbresolve::core {

struct query_rules {
  duration try_timeout = std::chrono::seconds{2};
  duration timeout = std::chrono::seconds{5};
  int passes = 2;  ///< how often the list of silent upstreams is gone through
  std::uint16_t udp_payload_size = 1232;
  bool randomize_case = true;  ///< 0x20, over UDP only: TCP is not forged blindly
  bool force_tcp = false;      ///< resolv.conf(5) "use-vc"
  bool edns = true;
  std::optional<client_subnet> subnet;
  bool trust_ad = false;  ///< believe the AD bit of upstreams that are not authenticated (resolv.conf(5) "trust-ad")
};

/// One message sent, and what became of it.
struct query_try {
  std::size_t upstream = 0;
  transport over = transport::udp;
  bool edns = true;
  bool randomized = false;
  time_point started{};
  std::optional<time_point> ended;
  query_record::outcome as = query_record::outcome::pending;
  int rcode = -1;
  std::error_code code;
  std::optional<extended_error> ede;
  const char* detail = "";
  std::string reason;     ///< what the transport says besides `code`
  bool told = false;      ///< the transport no longer works on it
  bool at_fault = false;  ///< its upstream sent what cannot be read, and has not been blamed for it yet
};

/// Thread-safety: one thread at a time.
class query {
 public:
  /// @param elsewhere ask the first upstream last
  query(question asked, std::shared_ptr<upstreams> from, const query_rules& rules, time_point now,
        bool elsewhere = false);
  /// Asks one upstream, once, to see whether it answers.
  query(question asked, std::shared_ptr<upstreams> from, std::size_t only, const query_rules& rules, time_point now);

  /// Whom to ask is still to be found out, by these queries: nothing is sent before use().
  void await(std::vector<std::shared_ptr<const query>> discoveries);
  bool is_awaiting() const noexcept { return awaits_; }
  /// These are to be asked. While it is_awaiting().
  void use(std::shared_ptr<upstreams> from);
  /// The queries that it has waited for.
  const std::vector<std::shared_ptr<const query>>& discoveries() const noexcept { return discoveries_; }

  struct action {
    enum class kind : std::uint8_t {
      send,     ///< try `index`, whose message is message_for(index)
      abandon,  ///< try `index` is not waited for any longer
      wait,     ///< nothing to do before `until`
      done,     ///< result() is there
    };
    kind is = kind::wait;
    std::size_t index = 0;
    time_point until = never;
  };
  /// Exactly one action. Repeat until it is wait or done.
  action next(time_point now, random_source& random);

  void on_reply(std::size_t index, reply_match match, std::span<const std::uint8_t> bytes, time_point now);
  void on_error(std::size_t index, const error& why, time_point now, random_source& random);

  /// Nobody waits any more: what comes by `until` is still of use to the cache, but no further upstream is bothered.
  void hurry(time_point until) { hurried_until_ = until; }
  /// Somebody waits again.
  void take_time() { hurried_until_ = never; }

  std::vector<std::uint8_t> message_for(std::size_t index, random_source& random) const;

  const question& asked() const noexcept { return asked_; }
  const std::vector<query_try>& tries() const noexcept { return tries_; }
  upstreams& servers() const noexcept { return *servers_; }
  const std::shared_ptr<const answer>& result() const noexcept { return result_; }

  /// Whether a failure is one to remember (RFC 9520): an upstream had its say, or its whole time to say something. Not
  /// where the network was not there, nor where the query was cut short because nobody waited.
  bool failed_for_good() const noexcept;

 private:
  struct plan {
    std::size_t upstream;
    transport over;
    bool edns;
    bool randomized;
  };
  query_try* live(std::size_t index);
  void end(query_try& t, query_record::outcome as, time_point now, const char* detail = "");
  void again(const query_try& t, transport over, bool edns);
  void take_answer(query_try& t, const message& m, time_point now);
  void begin(time_point now, random_source& random);
  void take_facts(time_point now, random_source& random);
  void on_overtaken(query_try& t, time_point now, random_source& random);
  std::optional<plan> next_plan(time_point now);
  std::optional<plan> next_upstream(time_point now);
  time_point hedge_at() const;
  time_point next_event() const;
  void fail(time_point now);
  std::string sentence(bool timed_out) const;

  question asked_;
  std::shared_ptr<upstreams> servers_;
  query_rules rules_;
  time_point deadline_;
  time_point hurried_until_ = never;
  bool elsewhere_ = false;
  bool awaits_ = false;
  std::vector<std::shared_ptr<const query>> discoveries_;
  bool explores_ = false;
  std::vector<std::size_t> order_;  // of this pass; empty: not begun
  std::size_t asked_in_pass_ = 0;
  int pass_ = 1;
  std::vector<query_try> tries_;
  std::optional<plan> again_;  // the same upstream, with a setting changed
  bool retried_ = false;       // the free retry is spent
  std::shared_ptr<const answer> best_failure_;
  std::shared_ptr<const answer> result_;
};

/// Adds what `q` did since `since` to a trace, one record a try, after what it had to wait for. A `shared` query was
/// begun for somebody else.
void tell(const query& q, time_point since, bool shared, std::vector<query_record>& into);

}  // namespace lbresolve::core
