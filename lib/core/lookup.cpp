#include "core/lookup.hpp"

#include "core/lookup_story.hpp"
#include "core/search_list.hpp"
#include "core/special_names.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace lbresolve::core {

lookup::lookup(lookup_request request, std::shared_ptr<const system_settings> system)
    : request_(std::move(request)), system_(std::move(system)) {
  if (answer_at_hand()) return;
  const bool has_a = std::find(request_.types.begin(), request_.types.end(), rr_type::a) != request_.types.end();
  if (!request_.ask_aaaa && has_a) std::erase(request_.types, rr_type::aaaa);
  names_ = candidates(request_.what.name, request_.what.absolute || !request_.search, system_->dns);
  begin_name();
}

bool lookup::answer_at_hand() {
  const core::target& t = request_.what;
  if (t.literal) {
    answer_from({*t.literal}, t.name, query_record::source::special, "an IP address");
    return true;
  }
  const special_answer s = find_special(t.name);
  if (s && !(s.is == special::local && is_local_in_dns(t.name, system_->dns))) {
    begin_only(t.name);
    for (slot& one : slots_) answer_with(one, make_answer(s, one.asked), query_record::source::special, s.reason);
    return true;
  }
  if (const auto listed = system_->hosts.find(t.name)) {
    answer_from(listed->addresses, listed->canonical, query_record::source::hosts, "the hosts file");
    return true;
  }
  return false;
}

void lookup::answer_from(const std::vector<address>& addresses, const name& canonical, query_record::source from,
                         const char* detail) {
  begin_only(request_.what.name);
  for (slot& s : slots_) {
    answer a;
    a.canonical = canonical;
    for (const address& one : addresses)
      if (s.type == (one.is_v4() ? rr_type::a : rr_type::aaaa)) a.addresses.push_back(one);
    a.is = a.addresses.empty() ? answer::kind::nodata : answer::kind::positive;
    answer_with(s, std::move(a), from, detail);
  }
}

void lookup::answer_with(slot& s, answer a, query_record::source from, const char* detail) {
  query_record r;
  r.name = request_.what.host;
  r.type = static_cast<std::uint16_t>(s.type);
  r.from = from;
  r.ended = elapsed::zero();
  r.ended_as = outcome_of(a);
  r.count = static_cast<std::uint16_t>(a.addresses.size());
  r.detail = detail;
  // What else an address or a line of the hosts file does not have is no news.
  if (a.is != answer::kind::nodata) at_hand_.push_back(std::move(r));
  at_hand_why_ = detail;
  s.sent = true;
  s.got = std::make_shared<answer>(std::move(a));
}

void lookup::begin_only(const name& n) {
  names_.assign(1, n);
  begin_name();
}

// HTTPS records of a service that is not on 443 have a name of their own (RFC 9460 section 9.1).
void lookup::begin_name() {
  slots_.clear();
  for (const rr_type type : request_.types) {
    name asked = current_name();
    const std::uint16_t port = request_.what.port.value_or(443);
    if (type == rr_type::https && port != 443 && !request_.is_alias_target) {
      if (const auto prefix = name::from_text("_" + std::to_string(port) + "._https"); prefix) {
        if (auto whole = prefix.value().append(asked)) asked = std::move(whole).value();
      }
    }
    slots_.push_back({.asked = {std::move(asked), type}, .type = type});
  }
}

lookup::action lookup::next() {
  for (slot& s : slots_)
    if (!std::exchange(s.sent, true)) return {action::kind::ask, s.type, &s.asked, nullptr};
  if (should_try_next_name()) {
    ++position_;
    begin_name();
    return next();
  }
  for (slot& s : slots_) {
    if (s.reported || !s.got) continue;
    const bool found = s.got->is == answer::kind::positive;
    // "None" of one name is not yet "none": until a sibling type is found, or all have answered, another may follow.
    if (!found && may_be_followed() && !found_any() && !is_settled()) continue;
    s.reported = true;
    return {found ? action::kind::found : action::kind::none, s.type, &s.asked, s.got};
  }
  const bool done = std::all_of(slots_.begin(), slots_.end(), [](const slot& s) { return s.reported; });
  return {.is = done ? action::kind::done : action::kind::wait};
}

void lookup::on_answer(const question& q, std::shared_ptr<const answer> what, time_point expires) {
  for (slot& s : slots_) {
    if (s.got || s.asked != q) continue;
    s.got = std::move(what);
    s.expires = expires;
    return;
  }
}

bool lookup::found_any() const {
  return std::any_of(slots_.begin(), slots_.end(),
                     [](const slot& s) { return s.got && s.got->is == answer::kind::positive; });
}

// Whether nothing that is still to come can make the name one that is there. Without addresses it may yet have an HTTPS
// record that names another host; a name that does not exist has nothing, and nothing below it (RFC 8020).
bool lookup::is_settled() const {
  const bool exists = std::any_of(slots_.begin(), slots_.end(), [](const slot& s) {
    return s.type != rr_type::https && s.got && s.got->is != answer::kind::nxdomain;
  });
  return std::all_of(slots_.begin(), slots_.end(),
                     [&](const slot& s) { return s.got != nullptr || (s.type == rr_type::https && !exists); });
}

// A failure ends the search: the next name could be somebody else's host.
bool lookup::should_try_next_name() const {
  if (!may_be_followed() || !is_settled() || found_any()) return false;
  return std::all_of(slots_.begin(), slots_.end(), [](const slot& s) {
    return s.type == rr_type::https || s.got->is == answer::kind::nxdomain || s.got->is == answer::kind::nodata;
  });
}

std::vector<question> lookup::pending() const {
  std::vector<question> out;
  for (const slot& s : slots_)
    if (s.sent && !s.got) out.push_back(s.asked);
  return out;
}

std::vector<question> lookup::asked() const {
  std::vector<question> out;
  for (const slot& s : slots_) out.push_back(s.asked);
  return out;
}

bool lookup::is_pending(rr_type type) const noexcept {
  return std::any_of(slots_.begin(), slots_.end(), [type](const slot& s) { return s.type == type && !s.got; });
}

const answer* lookup::found(rr_type type) const noexcept {
  for (const slot& s : slots_)
    if (s.type == type && s.got && s.got->is == answer::kind::positive) return s.got.get();
  return nullptr;
}

std::string lookup::current_text() const { return position_ == 0 ? request_.what.host : current_name().to_text(); }

const name& lookup::canonical_name() const noexcept {
  for (const slot& s : slots_)
    if (s.got && s.got->is == answer::kind::positive && s.type != rr_type::https) return s.got->canonical;
  return current_name();
}

time_point lookup::expires() const noexcept {
  time_point at = never;
  for (const slot& s : slots_)
    if (s.got && s.got->is == answer::kind::positive) at = std::min(at, s.expires);
  return at;
}

time_point lookup::expires(rr_type type) const noexcept {
  for (const slot& s : slots_)
    if (s.type == type && s.got) return s.expires;
  return never;
}

error lookup::failure() const {
  const std::string name = current_text();
  bool exists = false;
  for (const slot& s : slots_) {
    if (s.got == nullptr || s.type == rr_type::https) continue;
    if (s.got->is == answer::kind::failure)
      return error(errc::upstream_failed, "no upstream could answer for " + name + ": " + s.got->why);
    exists = exists || s.got->is != answer::kind::nxdomain;
  }
  const std::string why = at_hand_why_.empty() ? std::string() : " (" + at_hand_why_ + ")";
  if (!exists) return error(errc::name_not_found, name + " does not exist" + why);
  if (slots_.front().type == rr_type::srv)
    return error(errc::no_addresses, name + " exists but has no SRV record" + why);
  if (request_.types.size() == 1)
    return error(errc::no_addresses, name + " exists but has no " +
                                         (slots_.front().type == rr_type::a ? "IPv4" : "IPv6") + " address" + why);
  return error(errc::no_addresses, name + " exists but has no address" + why);
}

}  // namespace lbresolve::core
