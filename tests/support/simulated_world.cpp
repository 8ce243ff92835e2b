#include "support/simulated_world.hpp"

#include <algorithm>
#include <cctype>

namespace lbresolve::test {

namespace {

endpoint endpoint_of(const std::string& text) {
  const auto colon = text.rfind(':');
  std::string host = text.substr(0, colon);
  if (host.front() == '[') host = host.substr(1, host.size() - 2);
  return {address::parse(host).value(), static_cast<std::uint16_t>(std::stoi(text.substr(colon + 1)))};
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

std::string upstream_text(std::size_t i) { return "198.51.100." + std::to_string(i + 1); }

}  // namespace

std::vector<std::uint8_t> make_reply(const sent_query& q, const std::vector<std::string>& addresses, std::uint32_t ttl,
                                     unsigned rcode, bool truncated, std::uint32_t soa_ttl) {
  const auto parsed = core::message::parse(q.bytes).value();
  message_builder b(parsed.id(), 0x8180U | rcode | (truncated ? 0x0200U : 0U));
  const auto question = parsed.question_octets();
  b.raw({question.begin(), question.end()}).set_count(0, 1);
  for (const std::string& text : addresses) b.answer(pointer(12), q.asked.type, ttl, address_data(text));
  if (addresses.empty() && soa_ttl != 0) b.soa(q.asked.name.to_text(), soa_ttl, soa_ttl);
  if (parsed.opt() && rcode != 1 && rcode != 4) b.opt();
  return b.bytes();
}

std::vector<std::uint8_t> make_record_reply(const sent_query& q, const std::vector<octets>& records,
                                            std::uint32_t ttl) {
  const auto parsed = core::message::parse(q.bytes).value();
  message_builder b(parsed.id());
  const auto question = parsed.question_octets();
  b.raw({question.begin(), question.end()}).set_count(0, 1);
  for (const octets& data : records) b.answer(pointer(12), q.asked.type, ttl, data);
  return b.bytes();
}

std::vector<scripted_reply> zone::operator()(const sent_query& q) const {
  const key asked{q.asked.name.to_text(), q.asked.type};
  const auto slow = later.find(asked);
  const duration when = slow == later.end() ? after : slow->second;
  if (when == duration::max()) return {};
  if (const auto found = records.find(asked); found != records.end())
    return {{when, make_record_reply(q, found->second, ttl)}};
  const auto at = addresses.find(asked.first);
  const bool exists = at != addresses.end() || std::any_of(records.begin(), records.end(),
                                                           [&](const auto& r) { return r.first.first == asked.first; });
  if (at == addresses.end()) return {{when, make_reply(q, {}, ttl, exists ? 0 : 3)}};
  std::vector<std::string> wanted;
  for (const std::string& text : at->second) {
    const bool v6 = address::parse(text).value().is_v6();
    if (q.asked.type == (v6 ? core::rr_type::aaaa : core::rr_type::a)) wanted.push_back(text);
  }
  return {{when, make_reply(q, wanted, ttl)}};
}

std::string world_outcome::end() const {
  const auto ms = std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(at).count());
  return (!done ? std::string("pending") : connected ? short_name(peer) : std::string("lost")) + "@" + ms;
}

simulated_world::simulated_world(std::size_t servers, std::uint64_t seed) : random_(seed), scripts_(servers) {
  chosen.selection.policy = policy::in_order;
  chosen.selection.probing = false;
  chosen.query.probing = false;
  for (std::size_t i = 0; i < servers; ++i) chosen.servers.push_back(upstream_text(i));
}

simulated_world& simulated_world::server(std::size_t i, server_script s) {
  scripts_[i] = std::move(s);
  return *this;
}

simulated_world& simulated_world::endpoint_is(const std::string& text, behaviour b) {
  network_[endpoint_of(text)] = b;
  return *this;
}

simulated_world& simulated_world::at(duration when, std::function<void()> what) {
  events_.emplace(t0 + when, std::move(what));
  return *this;
}

void simulated_world::begin() {
  if (engine_) return;
  settings_ = core::check(chosen).value();
  system_ = std::make_shared<const core::system_settings>(system);
  cache_ = std::make_unique<core::cache>(settings_.chosen.cache);
  memory_ = std::make_unique<core::selection>(core::selection_rules_for(settings_));
  engine_ = std::make_unique<core::engine>(*this, settings_.chosen.racing.late_answers, memory_.get());
  engine_->use(core::upstream_groups_for(settings_, system_->dns));
}

std::optional<address> simulated_world::source_of(const address& to) const {
  if (to.is_v6()) return has_ipv6 ? v6(0).source : std::nullopt;
  return has_ipv4 ? v4(0).source : std::nullopt;
}

std::uint64_t simulated_world::connect(const std::string& target, const connect_options& o) {
  begin();
  const core::target what = core::parse_target(target, true).value();
  core::connect_request r{
      .lookup = core::lookup_for(settings_, what, o.families, o.search, o.https_records, system_->dns, has_ipv6),
      .racing = core::racing_for(settings_, o, has_ipv6, now_),
      .use_cache = o.use_cache,
      .use_stale = core::stale_for(settings_, o.use_cache, o.use_stale).has_value(),
      .source_address = o.source_address,
      .memory = core::memory_for(settings_, *memory_, what, o.mode.value_or(settings_.chosen.selection.mode)),
      .source_of = [this](const address& to) { return source_of(to); }};
  const auto id = ++last_id_;
  outcomes_[id];
  engine_->start(id, std::make_unique<core::connect_operation>(std::move(r), system_, now_), now_);
  return id;
}

std::uint64_t simulated_world::resolve(const std::string& target, const resolve_options& o) {
  begin();
  core::resolve_request r{.lookup = core::lookup_for(settings_, core::parse_target(target, false).value(), o.families,
                                                     o.search, false, system_->dns, has_ipv6),
                          .ordering = core::ordering_for(settings_),
                          .use_cache = o.use_cache,
                          .deadline = now_ + o.timeout,
                          .sibling_wait = o.sibling_wait,
                          .stale = core::stale_for(settings_, o.use_cache, o.use_stale),
                          .source_of = [this](const address& to) { return source_of(to); }};
  const auto id = ++last_id_;
  outcomes_[id];
  resolves_.insert(id);
  engine_->start(id, std::make_unique<core::resolve_operation>(std::move(r), system_, now_), now_);
  return id;
}

world_outcome simulated_world::connected(const std::string& target, const connect_options& o) {
  const auto id = connect(target, o);
  run();
  return outcome(id);
}

world_outcome simulated_world::resolved(const std::string& target, const resolve_options& o) {
  const auto id = resolve(target, o);
  run();
  return outcome(id);
}

simulated_world& simulated_world::run(duration limit) {
  const time_point last = t0 + limit;
  for (;;) {
    const time_point until = perform();
    const time_point wake = events_.empty() ? until : std::min(until, events_.begin()->first);
    if (wake == core::never || wake > last) return *this;
    now_ = std::max(now_, wake);
    while (!events_.empty() && events_.begin()->first <= now_) {
      const auto event = std::move(events_.begin()->second);
      events_.erase(events_.begin());
      event();
    }
  }
}

time_point simulated_world::perform() {
  if (!engine_) return core::never;
  for (;;) {
    auto a = engine_->next(now_, random_);
    switch (a.is) {
      case core::engine::action::kind::send:
        send(a.dns);
        break;
      case core::engine::action::kind::abandon:
        open_exchanges.erase(a.dns.exchange);
        break;
      case core::engine::action::kind::open:
        open(a);
        break;
      case core::engine::action::kind::close:
        sockets_.erase({a.id, a.attempt});
        break;
      case core::engine::action::kind::finish:
        finish(a);
        break;
      case core::engine::action::kind::wait:
        return a.until;
    }
  }
}

void simulated_world::send(const core::dns_client::action& a) {
  const auto parsed = core::message::parse(a.message).value();
  sent_query q{.at = since(), .over = a.over, .exchange = a.exchange, .bytes = a.message};
  const address& at = a.server->known.empty() ? a.server->at.address : a.server->known.front();
  q.server = at.bytes()[3] - 1U;                                                      // 198.51.100.1 is the first
  q.asked.name = core::name::from_text(lower(parsed.name_at(12).to_text())).value();  // without its 0x20
  const auto question = parsed.question_octets();
  q.asked.type = static_cast<core::rr_type>(question[question.size() - 4] << 8 | question[question.size() - 3]);
  queries.push_back(q);
  open_exchanges.insert(a.exchange);
  if (!scripts_[q.server]) return;
  for (const scripted_reply& r : scripts_[q.server](q)) {
    events_.emplace(now_ + r.after, [this, q, r] {
      if (!open_exchanges.contains(q.exchange)) return;
      if (r.error) {
        open_exchanges.erase(q.exchange);
        return engine_->on_error(q.exchange, error(r.error, r.sentence), now_, random_);
      }
      const auto match = core::match_reply(q.bytes, r.bytes);
      if (match == core::reply_match::stranger) return;
      if (match != core::reply_match::other_case) open_exchanges.erase(q.exchange);
      engine_->on_reply(q.exchange, match, r.bytes, now_);
    });
  }
}

void simulated_world::open(const core::engine::action& a) {
  ((a.id & core::engine::own_id) != 0 ? probed : opened).emplace_back(since(), a.to.to_string());
  sockets_.insert({a.id, a.attempt});
  const auto at = network_.find(a.to);
  const behaviour b = at == network_.end() ? behaviour{} : at->second;
  if (b.is == behaviour::kind::hangs) return;
  events_.emplace(now_ + b.after, [this, id = a.id, attempt = a.attempt, b] {
    if (!sockets_.contains({id, attempt})) return;
    if (b.tls_after) return begin_tls(id, attempt, b);
    if (b.is == behaviour::kind::connects) return engine_->on_connected(id, attempt, now_);
    sockets_.erase({id, attempt});
    engine_->on_failed(id, attempt, {.code = b.code, .stage = attempt_record::stage::connect}, now_);
  });
}

void simulated_world::begin_tls(std::uint64_t id, std::size_t attempt, const behaviour& b) {
  if ((id & core::engine::own_id) != 0) return engine_->on_connected(id, attempt, now_);  // probes want TCP only
  engine_->on_tls_started(id, attempt, now_);
  if (*b.tls_after == duration::max()) return;
  events_.emplace(now_ + *b.tls_after, [this, id, attempt, b] {
    if (!sockets_.contains({id, attempt})) return;
    if (!b.tls_code) return engine_->on_connected(id, attempt, now_);
    sockets_.erase({id, attempt});
    engine_->on_failed(
        id, attempt,
        {.code = b.tls_code, .stage = attempt_record::stage::tls, .sentence = "because " + b.tls_code.message()}, now_);
  });
}

void simulated_world::finish(core::engine::action& a) {
  if ((a.id & core::engine::own_id) != 0) return;
  world_outcome& o = outcomes_[a.id];
  o.done = true;
  o.at = since();
  if (resolves_.contains(a.id)) {
    auto found = static_cast<core::resolve_operation&>(*a.work).outcome();
    if (!found) {
      o.failed = found.error();
      o.story = found.error().shared_story();
      return;
    }
    o.endpoints = found.value().endpoints;
    o.ttl = found.value().ttl;
    o.authenticated = found.value().authenticated;
    o.story = found.value().story;
    return;
  }
  auto& c = static_cast<core::connect_operation&>(*a.work);
  if (c.winner()) {
    o.connected = true;
    o.story = c.story();
    o.peer = o.story->attempts[*c.winner()].endpoint;
    sockets_.erase({a.id, *c.winner()});
  } else {
    o.failed = c.failure();
    o.story = o.failed->shared_story();
  }
}

std::size_t simulated_world::queries_for(core::rr_type type) const {
  return static_cast<std::size_t>(
      std::count_if(queries.begin(), queries.end(), [&](const sent_query& q) { return q.asked.type == type; }));
}

}  // namespace lbresolve::test
