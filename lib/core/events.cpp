#include "core/events.hpp"

#include "core/ascii.hpp"
#include "core/member_changes.hpp"

#include <lbresolve/error.hpp>
#include <lbresolve/tls_error.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace lbresolve::core {
namespace {

using query_outcome = query_record::outcome;

std::string word_for_rcode(int rcode) {
  std::string word = rcode_name(rcode);
  for (char& c : word) c = c == ' ' ? '_' : static_cast<char>(ascii_lower(static_cast<std::uint8_t>(c)));
  return word;
}

std::string error_type_of(const query_record& q) {
  switch (q.ended_as) {
    case query_outcome::answered:
    case query_outcome::nodata:
    case query_outcome::abandoned:  // another upstream answered
      return {};
    case query_outcome::pending:
    case query_outcome::timed_out:
      return "timeout";
    case query_outcome::nxdomain:
      return "nxdomain";
    case query_outcome::failed:
      return q.rcode > 0 ? word_for_rcode(q.rcode) : "malformed";
    case query_outcome::unreachable:
      return q.code ? core::error_type_of(q.code) : "unreachable";
  }
  return {};
}

std::string error_type_of(const attempt_record& a) {
  if (a.ended_as != attempt_record::outcome::failed) return {};
  return a.code ? core::error_type_of(a.code) : "_OTHER";
}

const char* word_for(std::error_condition c) noexcept {
  using word = std::pair<std::errc, const char*>;
  constexpr std::array<word, 8> words{word{std::errc::connection_refused, "connection_refused"},
                                      {std::errc::timed_out, "timeout"},
                                      {std::errc::network_unreachable, "network_unreachable"},
                                      {std::errc::host_unreachable, "host_unreachable"},
                                      {std::errc::connection_reset, "connection_reset"},
                                      {std::errc::permission_denied, "permission_denied"},
                                      {std::errc::address_not_available, "address_not_available"},
                                      {std::errc::too_many_files_open, "too_many_files_open"}};
  const auto at = std::find_if(words.begin(), words.end(), [&](const word& w) { return c == w.first; });
  return at == words.end() ? nullptr : at->second;
}

std::string_view transport_of(const query_record& q) noexcept { return q.over == transport::udp ? "udp" : "tcp"; }

elapsed length_of(const elapsed& started, const std::optional<elapsed>& ended, elapsed end_of_all) {
  return std::max(ended.value_or(end_of_all) - started, elapsed::zero());
}

}  // namespace

// What is not in OpenTelemetry's list of well-known values may be anything that is short and out of a bounded set;
// "_OTHER" is its word where nothing is known.
std::string error_type_of(const std::error_code& code) {
  if (!code) return {};
  if (code == make_error_code(errc::timed_out)) return "timeout";
  if (code.category() == error_category()) return to_string(static_cast<errc>(code.value()));
  if (code.category() == tls_category()) return is_certificate_error(code) ? "certificate_rejected" : "tls_failed";
  if (const char* const word = word_for(code.default_error_condition())) return word;
  return std::string(code.category().name()) + "_" + std::to_string(code.value());
}

upstream_place place_of(std::string_view upstream) {
  if (const auto scheme = upstream.find("://"); scheme != std::string_view::npos) upstream.remove_prefix(scheme + 3);
  upstream = upstream.substr(0, upstream.find_first_of("/#?"));
  upstream_place out;
  const auto colon = upstream.rfind(':');
  const auto bracket = upstream.rfind(']');
  std::string_view host = upstream;
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    host = upstream.substr(0, colon);
    const std::string_view port = upstream.substr(colon + 1);
    std::from_chars(port.data(), port.data() + port.size(), out.port);
  }
  if (host.size() > 1 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  out.host = host;
  return out;
}

std::vector<lookup_event> lookups_of(const trace& story) {
  std::vector<lookup_event> out;
  out.reserve(story.queries.size());
  for (const query_record& q : story.queries) {
    lookup_event& e = out.emplace_back();
    e.target = story.target;
    e.query = q;
    e.duration = length_of(q.started, q.ended, story.took);
    e.error_type = error_type_of(q);
    if (q.from != query_record::source::network || q.upstream.empty()) continue;
    auto [host, port] = place_of(q.upstream);
    e.server_address = std::move(host);
    e.server_port = port;
    e.network_transport = transport_of(q);
  }
  return out;
}

std::vector<attempt_event> attempts_of(const trace& story) {
  std::vector<attempt_event> out;
  for (const attempt_record& a : story.attempts) {
    if (a.ended_as == attempt_record::outcome::skipped) continue;
    attempt_event& e = out.emplace_back();
    e.target = story.target;
    e.attempt = a;
    e.duration = length_of(a.started, a.ended, story.took);
    e.error_type = error_type_of(a);
  }
  return out;
}

choice_event choice_of(const trace& story, lbresolve::policy by, selection_mode mode, std::error_code code) {
  choice_event out;
  out.target = story.target;
  out.policy = by;
  out.mode = mode;
  out.duration = story.took;
  for (const attempt_record& a : story.attempts) {
    if (a.ended_as == attempt_record::outcome::won) {
      out.chosen = a.endpoint;
      out.reason = a.detail;
      return out;
    }
    if (a.ended_as != attempt_record::outcome::skipped) ++out.place;
  }
  out.error_type = error_type_of(code);
  return out;
}

std::vector<probe_event> probes_of(const std::vector<attempt_record>& attempts) {
  std::vector<probe_event> out;
  for (const attempt_record& a : attempts) {
    if (a.ended_as == attempt_record::outcome::skipped) continue;
    probe_event& e = out.emplace_back();
    e.endpoint = a.endpoint;
    e.background = false;
    e.duration = length_of(a.started, a.ended, a.started);
    const bool silent = a.ended_as != attempt_record::outcome::failed && a.ended_as != attempt_record::outcome::won;
    e.error_type = silent ? "timeout" : error_type_of(a);
  }
  return out;
}

// An ejection that follows upon another one is news too, though the endpoint was out before.
std::optional<health_event> health_change_of(const endpoint& at, const health_view& before, const health_view& after,
                                             time_point now) {
  auto change = change_of(before.state, after.state);
  if (after.state == endpoint_state::ejected && after.ejected_until != before.ejected_until)
    change = member_change::kind::ejected;
  if (!change) return std::nullopt;
  health_event out;
  out.endpoint = at;
  out.change = *change;
  out.state = after.state;
  if (after.state == endpoint_state::ejected) out.comes_back = after.ejected_until - now;
  out.consecutive_failures = after.consecutive_failures;
  return out;
}

probe_event probe_of(const attempt_fact& fact) {
  probe_event out;
  out.endpoint = fact.at;
  out.duration = fact.took;
  if (fact.is == attempt_fact::kind::failed) out.error_type = fact.code ? error_type_of(fact.code) : "_OTHER";
  if (fact.is == attempt_fact::kind::late) out.error_type = "timeout";
  if (fact.is == attempt_fact::kind::given_up) out.error_type = "cancelled";
  return out;
}

}  // namespace lbresolve::core
