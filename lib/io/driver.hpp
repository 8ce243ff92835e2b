// Performs what the engine says, and feeds back what happened.
#pragma once

#include "core/engine.hpp"
#include "io/byte_stream.hpp"
#include "io/event_loop.hpp"
#include "io/socket_attempt.hpp"
#include "io/system_random.hpp"
#include "io/transport.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

namespace lbresolve::io {

/// Everything here runs on the thread of its event loop.
class driver final : public transport_events, private event_loop::timer_handler {
 public:
  using operation_id = core::engine::operation_id;

  /// Called once an operation is done, with what its winning attempt led to where it has one. It may destroy nothing
  /// of the driver's; it may post to the loop.
  using finished = std::function<void(std::unique_ptr<core::operation> work, connected_socket winner)>;

  /// @param loop, answers, memory, dialer must outlive the driver
  /// @param dialer opens the way to encrypted upstreams; null: there are none
  driver(event_loop& loop, core::answer_store& answers, core::duration late_answers, core::selection_store& memory,
         stream_dialer* dialer = nullptr);
  ~driver();
  driver(const driver&) = delete;
  driver& operator=(const driver&) = delete;

  /// New queries go to these upstreams, by their names. Channels to others stay until what they do is done.
  void use(std::vector<core::upstream_group> groups);
  /// Another network: what upstreams have designated there (RFC 9462) does not hold here.
  void forget_designations() { engine_.forget_designations(); }

  void start(operation_id id, std::unique_ptr<core::operation> work, connector_settings settings, finished done);

  /// Asks `q` for the cache; nobody waits for it. After use().
  void refresh(const core::question& q);

  /// Looks whether there is anything to do: probes may have become due by what other threads have learned.
  void look() { pump(); }

  /// Ends `id` as cancelled; its `finished` is still called.
  void cancel(operation_id id);

  void on_reply(std::uint64_t exchange, core::reply_match kind, std::span<const std::uint8_t> bytes) override;
  void on_error(std::uint64_t exchange, const error& why) override;

 private:
  class attempt;
  struct connecting {
    connector_settings settings;
    finished done;
    std::vector<std::unique_ptr<attempt>> attempts;  // by attempt number; null once closed
  };
  struct channel {
    core::upstream to;
    std::unique_ptr<query_channel> way;
    std::size_t open = 0;  // exchanges
    bool wanted = true;    // by the upstreams in use
  };

  void on_timer() override { pump(); }
  void pump();
  void perform(core::engine::action& a);
  void send(const core::dns_client::action& a);
  void abandon(const core::dns_client::action& a);
  void open(operation_id id, std::size_t number, const endpoint& to);
  void close(operation_id id, std::size_t number);
  void finish(operation_id id, std::unique_ptr<core::operation> work);
  void go_on(operation_id id, std::size_t number);
  void tell(operation_id id, std::size_t number, attempt_news news);
  channel& channel_to(const core::upstream& to);
  std::unique_ptr<query_channel> open_channel(const core::upstream& to);
  void exchange_ended(std::uint64_t exchange);
  void look_at_channels();

  event_loop& loop_;
  stream_dialer* dialer_;
  event_loop::timer timer_;
  system_random random_;
  core::engine engine_;
  std::vector<std::unique_ptr<channel>> channels_;
  std::unordered_map<std::uint64_t, channel*> exchanges_;
  std::unordered_map<operation_id, connecting> operations_;
  bool pumping_ = false;
};

}  // namespace lbresolve::io
