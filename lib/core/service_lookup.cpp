#include "core/service_lookup.hpp"

#include <algorithm>
#include <utility>

namespace lbresolve::core {
namespace {

constexpr bool is_record_type(rr_type type) noexcept { return type == rr_type::srv || type == rr_type::https; }

/// The lookup of the name itself: of a service, SRV alone.
lookup_request first_of(lookup_request r) {
  if (r.what.service) r.types = {rr_type::srv};
  return r;
}

std::string host_text(const name& n, std::uint16_t port) {
  return n.to_text() + (port == 0 ? std::string() : ":" + std::to_string(port));
}

std::string described(const srv_record& r) {
  return host_text(r.target, r.port) + " (priority " + std::to_string(r.priority) + ", weight " +
         std::to_string(r.weight) + ")";
}

std::string described(const service_binding& b, const name& target, std::uint16_t port) {
  std::string text = "HTTPS record: priority " + std::to_string(b.priority) + ", " + host_text(target, port);
  for (const std::string& id : b.alpn) text += (&id == &b.alpn.front() ? ", alpn " : ",") + id;
  return text;
}

}  // namespace

service_lookup::service_lookup(lookup_request request, std::shared_ptr<const system_settings> system)
    : request_(std::move(request)), system_(std::move(system)) {
  for (const rr_type type : request_.types)
    if (!is_record_type(type)) address_types_.push_back(type);
  hosts_.push_back({lookup(first_of(request_), system_), {}});
  if (!request_.what.service) hosts_.front().uses.push_back({.port = own_port()});
}

// ---- actions

service_lookup::action service_lookup::next(random_source& random) {
  using kind = action::kind;
  bool done = true;
  for (std::size_t h = 0; h < hosts_.size(); ++h) {
    while (to_report_.empty()) {
      auto a = advance(h, random);
      if (!a) continue;
      if (a->is != kind::wait && a->is != kind::done) return std::move(*a);
      done = done && a->is == kind::done;
      break;
    }
    if (to_report_.empty()) continue;
    action first = std::move(to_report_.front());
    to_report_.pop_front();
    return first;
  }
  return {.is = done ? kind::done : kind::wait};
}

/// One step of one host's lookup; nothing where that step is nobody's business, or is in to_report_.
std::optional<service_lookup::action> service_lookup::advance(std::size_t host, random_source& random) {
  using kind = action::kind;
  lookup::action a = hosts_[host].names.next();
  switch (a.is) {
    case lookup::action::kind::ask:
      if (is_pending_elsewhere(host, *a.asked)) return std::nullopt;
      return action{.is = kind::ask, .from = {static_cast<std::uint8_t>(host), a.type}, .asked = a.asked};
    case lookup::action::kind::found:
      if (a.type == rr_type::srv) {
        take_services(*a.what);
      } else if (a.type == rr_type::https) {
        take_bindings(host, *a.what, random);
      } else if (!hosts_[host].uses.empty()) {
        return offered(host, a.type, *a.what);
      }
      return std::nullopt;
    case lookup::action::kind::none:
      if (a.type == rr_type::https) {
        end_of_records(host, false);
        return std::nullopt;
      }
      return action{.is = kind::none, .from = {static_cast<std::uint8_t>(host), a.type}};
    case lookup::action::kind::wait:
      return action{.is = kind::wait};
    case lookup::action::kind::done:
      break;
  }
  return action{.is = kind::done};
}

void service_lookup::on_answer(const question& q, const std::shared_ptr<const answer>& what, time_point expires) {
  for (host_entry& h : hosts_) h.names.on_answer(q, what, expires);
}

// ---- SRV

// RFC 2782. In order of priority, so that the first hosts to be asked for are the first to be tried, and the last to be
// left out where there are too many.
void service_lookup::take_services(const answer& what) {
  std::vector<const srv_record*> records;
  for (const srv_record& r : what.services)
    if (!r.target.is_root() && r.port != 0) records.push_back(&r);
  // "A Target of "." means that the service is decidedly not available at this domain."
  no_such_service_ =
      std::all_of(what.services.begin(), what.services.end(), [](const srv_record& r) { return r.target.is_root(); });
  std::stable_sort(records.begin(), records.end(), [](auto* a, auto* b) { return a->priority < b->priority; });
  if (records.size() > most_other_hosts) {
    note(std::to_string(records.size() - most_other_hosts) + " more SRV records: not used");
    records.resize(most_other_hosts);
  }
  std::string all;
  for (const srv_record* r : records) {
    all += (all.empty() ? "" : ", ") + described(*r);
    const auto host = host_called(r->target);
    if (host) hosts_[*host].uses.push_back({r->priority, r->port, r->weight, true, {}});
  }
  if (!all.empty()) note("SRV: " + all);
  for (std::size_t h = 1; h < hosts_.size(); ++h) offer(h);
  to_report_.push_back({.is = action::kind::none, .from = rr_type::srv});
}

// ---- HTTPS

// RFC 9460 section 2.4.1: where one record is in AliasMode, those in ServiceMode "MUST be ignored". Section 2.4.2: of
// several aliases "clients SHOULD pick one at random".
void service_lookup::take_bindings(std::size_t host, const answer& what, random_source& random) {
  std::vector<const service_binding*> aliases, services;
  for (const service_binding& b : what.bindings) {
    if (b.is_alias()) aliases.push_back(&b);
    if (!b.is_alias() && b.usable && b.port != 0) services.push_back(&b);
  }
  if (!aliases.empty()) {
    if (!follow_alias(aliases[random.below(aliases.size())]->target)) {
      records_at_ = 0;
      to_report_.push_back({.is = action::kind::none, .from = rr_type::https});
    }
    return;
  }
  if (services.size() < what.bindings.size())
    note(std::to_string(what.bindings.size() - services.size()) + " of " + std::to_string(what.bindings.size()) +
         " HTTPS records ask for what is not understood: not used");
  if (services.empty()) return end_of_records(host, false);
  use_bindings(host, what, std::move(services));
  end_of_records(host, true);
}

/// False: there is no way on, and with it no use for what led here.
bool service_lookup::follow_alias(const name& target) {
  if (target.is_root()) {  // section 2.5.1: the service "is not available or does not exist"; a client may try all the
                           // same
    note("HTTPS record: alias to \".\": not used");
    return false;
  }
  if (aliases_.empty()) aliases_.push_back(hosts_[0].names.asked().front().name);
  if (std::find(aliases_.begin(), aliases_.end(), target) != aliases_.end()) {
    note("HTTPS record: the aliases go round in a circle: not used");
    return false;
  }
  if (aliases_.size() > most_aliases) {
    note("HTTPS record: more than " + std::to_string(most_aliases) + " aliases one after the other: not used");
    return false;
  }
  const auto next = add_host(target, true);
  if (!next) return false;
  note("HTTPS record: alias to " + target.to_text());
  aliases_.push_back(target);
  records_at_ = *next;
  return true;
}

// Section 2.4.3: by priority, equals being equal; section 2.5.2: "." is the owner of the record.
void service_lookup::use_bindings(std::size_t host, const answer& what, std::vector<const service_binding*> bindings) {
  std::stable_sort(bindings.begin(), bindings.end(), [](auto* a, auto* b) { return a->priority < b->priority; });
  const bool owner_is_host = hosts_[host].names.asked().front().name == hosts_[host].names.current_name();
  if (bindings.size() > most_other_hosts) bindings.resize(most_other_hosts);
  for (const service_binding* b : bindings) {
    const name& target = b->target.is_root() ? what.canonical : b->target;
    // What the name is an alias of by CNAME has the addresses of the name.
    const bool is_here = target == hosts_[host].names.current_name() || (owner_is_host && target == what.canonical);
    const auto at = is_here ? std::optional(host) : host_called(target);
    const std::uint16_t port = b->port.value_or(own_port());
    if (!at) continue;
    note(described(*b, target, port));
    hosts_[*at].uses.push_back({.priority = b->priority, .port = port, .hints = b->hints});
  }
}

/// `used`: the records of `host`, which is the end of the aliases, are in use.
void service_lookup::end_of_records(std::size_t host, bool used) {
  if (host != records_at_) return;
  if (host != 0) hosts_[host].uses.push_back({.priority = candidate::end_of_aliases, .port = own_port()});
  if (used || host != 0) {
    hosts_[0].uses.front().priority = candidate::without_records;
    for (std::size_t h = 0; h < hosts_.size(); ++h) offer(h);
  }
  if (auto hints = hints_of(0); !hints.empty()) {
    to_report_.push_back({.is = action::kind::found, .from = rr_type::https, .candidates = std::move(hints)});
  } else {
    to_report_.push_back({.is = action::kind::none, .from = rr_type::https});
  }
}

// ---- hosts

std::optional<std::size_t> service_lookup::host_called(const name& n) {
  for (std::size_t h = request_.what.service ? 1 : 0; h < hosts_.size(); ++h)
    if (hosts_[h].names.current_name() == n) return h;
  return add_host(n, false);
}

/// Nothing where there are too many.
std::optional<std::size_t> service_lookup::add_host(const name& n, bool is_alias_target) {
  if (hosts_.size() > most_other_hosts) {
    note("more than " + std::to_string(most_other_hosts) + " hosts: " + n.to_text() + " is not used");
    return std::nullopt;
  }
  lookup_request r{.search = false,
                   .ask_aaaa = request_.ask_aaaa,
                   .rebinding = request_.rebinding,
                   .is_alias_target = is_alias_target};
  if (is_alias_target) r.types.push_back(rr_type::https);
  for (const rr_type type : address_types_) r.types.push_back(type);
  r.what = {.text = request_.what.text, .host = n.to_text(), .name = n, .port = request_.what.port, .absolute = true};
  hosts_.push_back({lookup(std::move(r), system_), {}});
  return hosts_.size() - 1;
}

/// Reports all that is known of a host, and what is to come.
void service_lookup::offer(std::size_t host) {
  const auto& uses = hosts_[host].uses;
  if (uses.empty()) return;
  std::uint32_t best = uses.front().priority;
  for (const use& u : uses) best = std::min(best, u.priority);
  for (const rr_type type : hosts_[host].names.types()) {
    if (is_record_type(type)) continue;
    const origin from{static_cast<std::uint8_t>(host), type};
    if (hosts_[host].names.is_pending(type))
      to_report_.push_back({.is = action::kind::expect, .from = from, .priority = best});
    else if (const answer* found = hosts_[host].names.found(type))
      to_report_.push_back(offered(host, type, *found));
  }
  if (host == 0) return;  // its hints come with the end of its question
  if (auto hints = hints_of(host); !hints.empty()) {
    const origin from{static_cast<std::uint8_t>(host), rr_type::https};
    to_report_.push_back({.is = action::kind::found, .from = from, .candidates = std::move(hints)});
  }
}

service_lookup::action service_lookup::offered(std::size_t host, rr_type type, const answer& what) const {
  action a{.is = action::kind::found, .from = {static_cast<std::uint8_t>(host), type}};
  a.expires = hosts_[host].names.expires(type);
  a.ttl = std::chrono::seconds{what.ttl};
  a.candidates.reserve(what.addresses.size() * hosts_[host].uses.size());
  for (const use& u : hosts_[host].uses) {
    for (const address& to : what.addresses) {
      candidate& c = a.candidates.emplace_back();
      c.endpoint = {to, u.port};
      c.priority = u.priority;
      c.weight = u.weight;
      c.weighted = u.weighted;
      c.from = a.from;
    }
  }
  return a;
}

std::vector<candidate> service_lookup::hints_of(std::size_t host) const {
  std::vector<candidate> out;
  for (const use& u : hosts_[host].uses) {
    for (const address& to : u.hints) {
      if (!wants(to.is_v4() ? rr_type::a : rr_type::aaaa)) continue;
      candidate& c = out.emplace_back();
      c.endpoint = {to, u.port};
      c.priority = u.priority;
      c.hint = true;
      c.from = {static_cast<std::uint8_t>(host), rr_type::https};
    }
  }
  return out;
}

bool service_lookup::wants(rr_type type) const noexcept {
  const auto& types = hosts_.front().names.types();
  return std::find(types.begin(), types.end(), type) != types.end();
}

bool service_lookup::is_pending_elsewhere(std::size_t host, const question& q) const {
  for (std::size_t h = 0; h < hosts_.size(); ++h) {
    if (h == host) continue;
    const auto open = hosts_[h].names.pending();
    if (std::find(open.begin(), open.end(), q) != open.end()) return true;
  }
  return false;
}

// ---- what else is known

std::vector<question> service_lookup::pending() const {
  std::vector<question> out;
  for (const host_entry& h : hosts_) {
    for (question& q : h.names.pending())
      if (std::find(out.begin(), out.end(), q) == out.end()) out.push_back(std::move(q));
  }
  return out;
}

std::vector<question> service_lookup::asked() const {
  std::vector<question> out;
  for (const host_entry& h : hosts_) {
    const auto of_host = h.names.asked();
    out.insert(out.end(), of_host.begin(), of_host.end());
  }
  return out;
}

void service_lookup::tell(elapsed now, trace& story) {
  for (; told_hosts_ < hosts_.size(); ++told_hosts_) {
    for (query_record r : hosts_[told_hosts_].names.at_hand()) {
      r.started = now;
      r.ended = now;
      story.queries.push_back(std::move(r));
    }
  }
  for (host_entry& h : hosts_)
    for (std::string& text : h.names.take_notes()) story.notes.push_back(std::move(text));
  for (std::string& text : notes_) story.notes.push_back(std::move(text));
  notes_.clear();
}

time_point service_lookup::expires() const noexcept {
  time_point at = never;
  for (const host_entry& h : hosts_) at = std::min(at, h.names.expires());
  return at;
}

// A host without an answer takes nothing away: it contributes no address.
bool service_lookup::is_authenticated() const noexcept {
  bool any = false;
  for (const host_entry& h : hosts_) {
    const auto& types = h.names.types();
    if (std::none_of(types.begin(), types.end(), [&](rr_type t) { return h.names.found(t) != nullptr; })) continue;
    if (!h.names.is_authenticated()) return false;
    any = true;
  }
  return any;
}

error service_lookup::failure() const {
  const lookup& first = hosts_.front().names;
  const answer* services = request_.what.service ? first.found(rr_type::srv) : nullptr;
  if (services == nullptr) return first.failure();
  const std::string service = first.current_text();
  if (no_such_service_)
    return error(make_error_code(errc::no_addresses),
                 service + ": the domain offers no such service (its SRV record names \".\", RFC 2782)");
  if (hosts_.size() == 1)
    return error(make_error_code(errc::no_addresses), service + " has only SRV records without a port");
  std::string why;
  bool unanswered = false;
  for (std::size_t h = 1; h < hosts_.size(); ++h) {
    const error e = hosts_[h].names.failure();
    unanswered = unanswered || e == errc::upstream_failed;
    why += (h == 1 ? ": " : "; ") + e.message();
  }
  return error(make_error_code(unanswered ? errc::upstream_failed : errc::no_addresses),
               "no host of the service " + service + " has an address" + why);
}

}  // namespace lbresolve::core
