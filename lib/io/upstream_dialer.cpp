#include "io/upstream_dialer.hpp"

#include "core/connect_operation.hpp"
#include "core/target.hpp"
#include "io/clock.hpp"
#include "io/system_random.hpp"
#include "io/tls_stream_socket.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

namespace lbresolve::io {

namespace {

/// Of names that have been designated: what they are is a stranger's to say.
constexpr std::size_t most_groups = 64;

constexpr core::duration late_answers = std::chrono::seconds{2};

core::selection_rules without_probes() {
  core::selection_rules rules;
  rules.probes.enabled = false;  // a dial tries what has failed before beside the first choice
  return rules;
}

std::string target_text(const core::upstream& to) {
  return to.host.empty() ? to.at.to_string() : to.host + ":" + std::to_string(to.at.port);
}

/// Queries are small, and each is to leave at once, not once what was sent before it is acknowledged.
std::error_code without_delay(int fd, const endpoint&) {
  const int on = 1;
  return ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 ? std::error_code() : last_error();
}

/// The addresses that were given with a name stand where a hosts file would: before any DNS.
std::shared_ptr<const core::system_settings> known_hosts(const core::upstream& to) {
  std::string lines;
  for (const address& a : to.known) lines += a.to_string() + " " + to.host + "\n";
  return std::make_shared<const core::system_settings>(
      core::system_settings{.dns = {}, .hosts = core::hosts_file::parse(lines)});
}

}  // namespace

upstream_dialer::upstream_dialer(event_loop& loop, dialer_settings settings)
    : loop_(loop),
      settings_(std::move(settings)),
      answers_(cache_options{}, thread_random().next()),
      memory_(without_probes()),
      driver_(loop, answers_, late_answers, memory_) {
  use({{core::name(), std::make_shared<core::upstreams>(std::vector<core::upstream>(), core::upstream_rules{}), {}}});
}

upstream_dialer::~upstream_dialer() { *gone_ = true; }

void upstream_dialer::use(std::vector<core::upstream_group> bootstrap) {
  bootstrap_ = std::move(bootstrap);
  driver_.use(bootstrap_);
}

// Only the one that named it knows what it meant by that (RFC 9462 section 4): a group of its own, by the rules of all.
void upstream_dialer::ask_its_designator(const core::upstream& to) {
  const auto domain = core::name::from_text(to.host);
  if (!to.designated_by || !to.known.empty() || !domain) return;
  const core::upstream by = core::make_upstream(*to.designated_by);
  const auto same = [&](const core::upstream_group& g) { return g.domain == domain.value(); };
  const auto before = std::find_if(bootstrap_.begin(), bootstrap_.end(), same);
  std::vector<core::upstream> servers{by};
  if (before != bootstrap_.end()) {
    const auto& asked = before->servers->listed();
    if (std::find(asked.begin(), asked.end(), by) != asked.end()) return;
    servers.insert(servers.end(), asked.begin(), asked.end());
    bootstrap_.erase(before);
  }
  if (bootstrap_.size() > most_groups) bootstrap_.erase(bootstrap_.begin() + 1);  // the first one is for all others
  bootstrap_.push_back({domain.value(), std::make_shared<core::upstreams>(std::move(servers), core::upstream_rules{}),
                        bootstrap_.front().rules});
  driver_.use(bootstrap_);
}

stream_dialer::id upstream_dialer::dial(const core::upstream& to, finished done) {
  const id which = ++last_id_;
  dials_.emplace(which, std::move(done));
  auto work = work_for(to);
  if (!work) return tell_later(which, work.error()), which;
  driver_.start(which, std::move(work).value(), sockets_for(to),
                [this, which](std::unique_ptr<core::operation> ended, connected_socket winner) {
                  conclude(which, *ended, std::move(winner));
                });
  if (const auto usable = context(); !usable) {
    driver_.cancel(which);
    tell_later(which, usable.error());
  }
  return which;
}

void upstream_dialer::cancel(id which) noexcept {
  if (dials_.erase(which) != 0) driver_.cancel(which);
}

void upstream_dialer::forget() {
  answers_.clear();
  memory_.clear();
}

result<std::shared_ptr<tls_context>> upstream_dialer::context() {
  if (!context_) {
    LBRESOLVE_TRY(made, tls_context::create(settings_.ca_file));
    context_ = std::move(made);
  }
  return context_;
}

connector_settings upstream_dialer::sockets_for(const core::upstream& to) {
  const bool https = to.only == transport::https;
  connector_settings sockets{.source_address = {}, .interface = {}, .hook = without_delay};
  sockets.tls = std::make_shared<const tls_wish>(tls_wish{.context = [this] { return context(); },
                                                          .settings = {.identity = to.identity,
                                                                       .alpn = {https ? "h2" : "dot"},
                                                                       .alpn_required = https,
                                                                       .framed = true,
                                                                       .peer = target_text(to)}});
  return sockets;
}

result<std::unique_ptr<core::operation>> upstream_dialer::work_for(const core::upstream& to) {
  const core::time_point now = io::now();
  LBRESOLVE_TRY(what, core::parse_target(target_text(to), true));
  ask_its_designator(to);
  const bool can_look_up = core::group_for(bootstrap_, what.name).servers->size() > 0;
  if (to.host.empty() || !to.known.empty() || can_look_up || what.literal) {
    core::connect_request r;
    r.lookup.types = {core::rr_type::aaaa, core::rr_type::a};
    r.lookup.search = false;
    r.lookup.ask_aaaa = settings_.ask_aaaa;
    r.racing = settings_.racing;
    r.racing.round_trips = 2;
    r.racing.deadline = now + settings_.timeout;
    r.memory = core::race_memory(memory_, target_text(to), {.mode = r.racing.mode});
    r.lookup.what = std::move(what);
    r.source_of = settings_.source_of;
    return std::make_unique<core::connect_operation>(std::move(r), known_hosts(to), now);
  }
  return error(make_error_code(errc::upstream_failed),
               "the address of the DNS server " + to.text +
                   " is not known: give it with ?ip=, or name a bootstrap server to ask for it");
}

void upstream_dialer::conclude(id which, core::operation& work, connected_socket winner) {
  if (!dials_.contains(which)) return;  // cancelled
  if (!winner) return tell_later(which, static_cast<core::connect_operation&>(work).failure());
  tell_later(which, std::unique_ptr<byte_stream>(std::make_unique<tls_stream_socket>(loop_, std::move(winner))));
}

// Never inside dial(), nor inside the driver, which may not be destroyed there.
void upstream_dialer::tell_later(id which, result<std::unique_ptr<byte_stream>> outcome) {
  auto kept = std::make_shared<result<std::unique_ptr<byte_stream>>>(std::move(outcome));
  loop_.post([this, gone = gone_, which, kept] {
    if (*gone) return;
    const auto at = dials_.find(which);
    if (at == dials_.end()) return;
    const finished done = std::move(at->second);
    dials_.erase(at);
    done(std::move(*kept));
  });
}

}  // namespace lbresolve::io
