#include "io/driver.hpp"

#include "io/clock.hpp"
#include "io/do53.hpp"
#include "io/doh.hpp"
#include "io/dot.hpp"

#include <algorithm>
#include <utility>

namespace lbresolve::io {

/// A socket that is being connected.
class driver::attempt final : public event_loop::watcher {
 public:
  attempt(driver& owner, operation_id id, std::size_t number, const endpoint& to)
      : owner_(owner), id_(id), number_(number), work_(to) {}
  ~attempt() { unwatch(); }
  attempt(const attempt&) = delete;
  attempt& operator=(const attempt&) = delete;

  attempt_news begin(const connector_settings& settings) { return work_.begin(settings); }
  attempt_news go_on() {
    const int fd = work_.fd();
    attempt_news news = work_.go_on();
    // One that failed has closed its descriptor, which takes it out of epoll.
    if (news.failed && std::exchange(watched_, false)) owner_.loop_.forget(fd);
    return news;
  }
  /// Watches for what it wants.
  std::error_code watch() {
    const std::error_code failed = owner_.loop_.watch(work_.fd(), work_.wants_read(), work_.wants_write(), *this);
    watched_ = watched_ || !failed;
    return failed;
  }
  void unwatch() noexcept {
    if (std::exchange(watched_, false)) owner_.loop_.unwatch(work_.fd());
  }
  connected_socket take() noexcept {
    unwatch();
    return work_.take();
  }
  void on_ready(bool, bool) override { owner_.go_on(id_, number_); }

 private:
  driver& owner_;
  operation_id id_;
  std::size_t number_;
  socket_attempt work_;
  bool watched_ = false;
};

namespace {

/// UDP and TCP to one server are one channel.
bool is_one_channel(const core::upstream& a, const core::upstream& b) {
  if (core::is_encrypted(a) || core::is_encrypted(b)) return a == b;
  return a.at == b.at;
}

}  // namespace

driver::driver(event_loop& loop, core::answer_store& answers, core::duration late_answers,
               core::selection_store& memory, stream_dialer* dialer)
    : loop_(loop), dialer_(dialer), timer_(loop, *this), engine_(answers, late_answers, &memory) {}

driver::~driver() = default;

void driver::use(std::vector<core::upstream_group> groups) {
  engine_.use(std::move(groups));
  look_at_channels();
}

void driver::start(operation_id id, std::unique_ptr<core::operation> work, connector_settings settings, finished done) {
  operations_.emplace(id, connecting{std::move(settings), std::move(done), {}});
  engine_.start(id, std::move(work), io::now());
  pump();
}

void driver::refresh(const core::question& q) {
  engine_.refresh(q, io::now());
  pump();
}

void driver::cancel(operation_id id) {
  engine_.cancel(id, io::now());
  pump();
}

void driver::on_reply(std::uint64_t exchange, core::reply_match kind, std::span<const std::uint8_t> bytes) {
  if (kind != core::reply_match::other_case) exchange_ended(exchange);
  engine_.on_reply(exchange, kind, bytes, io::now());
  pump();
}

void driver::on_error(std::uint64_t exchange, const error& why) {
  exchange_ended(exchange);
  engine_.on_error(exchange, why, io::now(), random_);
  pump();
}

void driver::go_on(operation_id id, std::size_t number) {
  tell(id, number, operations_.at(id).attempts[number]->go_on());
  pump();
}

void driver::tell(operation_id id, std::size_t number, attempt_news news) {
  std::unique_ptr<attempt>& a = operations_.at(id).attempts[number];
  if (news.tls_started) engine_.on_tls_started(id, number, io::now());
  if (!news.failed && !news.connected) {
    const std::error_code unwatchable = a->watch();
    if (!unwatchable) return;
    news.failed = core::attempt_failure{.code = unwatchable, .stage = attempt_record::stage::socket};
  }
  if (news.failed) {
    a.reset();
    return engine_.on_failed(id, number, *news.failed, io::now());
  }
  a->unwatch();
  engine_.on_connected(id, number, io::now());
}

// Facts that come in while an action is performed (a socket that fails at once) are taken up by the loop that is
// already running.
void driver::pump() {
  if (std::exchange(pumping_, true)) return;
  for (;;) {
    core::engine::action a = engine_.next(io::now(), random_);
    if (a.is == core::engine::action::kind::wait) {
      timer_.set(a.until);
      look_at_channels();
      break;
    }
    perform(a);
  }
  pumping_ = false;
}

void driver::perform(core::engine::action& a) {
  switch (a.is) {
    case core::engine::action::kind::send:
      return send(a.dns);
    case core::engine::action::kind::abandon:
      return abandon(a.dns);
    case core::engine::action::kind::open:
      return open(a.id, a.attempt, a.to);
    case core::engine::action::kind::close:
      return close(a.id, a.attempt);
    case core::engine::action::kind::finish:
      return finish(a.id, std::move(a.work));
    case core::engine::action::kind::wait:
      return;
  }
}

void driver::send(const core::dns_client::action& a) {
  channel& c = channel_to(*a.server);
  exchanges_.emplace(a.exchange, &c);
  ++c.open;
  c.way->send(a.exchange, a.over, a.message);
}

void driver::abandon(const core::dns_client::action& a) {
  const auto at = exchanges_.find(a.exchange);
  if (at == exchanges_.end()) return;
  at->second->way->abandon(a.exchange);
  exchange_ended(a.exchange);
}

void driver::exchange_ended(std::uint64_t exchange) {
  const auto at = exchanges_.find(exchange);
  if (at == exchanges_.end()) return;
  --at->second->open;
  exchanges_.erase(at);
}

driver::channel& driver::channel_to(const core::upstream& to) {
  for (auto& c : channels_)
    if (is_one_channel(c->to, to)) return *c;
  channels_.push_back(std::make_unique<channel>());
  channel& c = *channels_.back();
  c.to = to;
  c.way = open_channel(to);
  return c;
}

std::unique_ptr<query_channel> driver::open_channel(const core::upstream& to) {
  if (to.only == transport::tls) return std::make_unique<dot>(loop_, random_, *dialer_, to, *this);
  if (to.only == transport::https) return std::make_unique<doh>(loop_, *dialer_, to, *this);
  return std::make_unique<do53>(loop_, random_, to.at, *this);
}

/// Who is no longer asked needs no channel.
void driver::look_at_channels() {
  if (!engine_.take_changed()) return;
  for (auto& c : channels_) {
    const auto is_to = [&](const core::upstream& u) { return is_one_channel(u, c->to); };
    const auto wants = [&](const core::upstream_group& g) {
      const auto& servers = g.servers->listed();
      return std::any_of(servers.begin(), servers.end(), is_to) ||
             (g.from && std::any_of(g.from->listed.begin(), g.from->listed.end(), is_to));
    };
    c->wanted = std::any_of(engine_.groups().begin(), engine_.groups().end(), wants);
  }
  std::erase_if(channels_, [](const std::unique_ptr<channel>& c) { return !c->wanted && c->open == 0; });
}

void driver::open(operation_id id, std::size_t number, const endpoint& to) {
  connecting& o = operations_[id];  // made here for what the engine has begun by itself
  if (o.attempts.size() <= number) o.attempts.resize(number + 1);
  o.attempts[number] = std::make_unique<attempt>(*this, id, number, to);
  tell(id, number, o.attempts[number]->begin(o.settings));
}

void driver::close(operation_id id, std::size_t number) { operations_.at(id).attempts[number].reset(); }

void driver::finish(operation_id id, std::unique_ptr<core::operation> work) {
  const auto at = operations_.find(id);
  if (at == operations_.end()) return;
  connecting o = std::move(at->second);
  operations_.erase(at);
  connected_socket winner;
  if (const auto number = work->winner()) winner = o.attempts[*number]->take();
  if (o.done) o.done(std::move(work), std::move(winner));
}

}  // namespace lbresolve::io
