#include "document.hpp"

#include <lbresolve/tls_error.hpp>

#include <array>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <string>

namespace nb = nanobind;

namespace lbresolve::python {
namespace {

/// To the microsecond: further digits are noise.
double milliseconds(elapsed time) { return std::round(std::chrono::duration<double, std::micro>(time).count()) / 1000; }

nb::object optional_ms(const std::optional<elapsed>& time) { return time ? nb::cast(milliseconds(*time)) : nb::none(); }

double rounded(double value) { return std::round(value * 1e4) / 1e4; }

/// Texts of DNS and of servers may hold any octets.
nb::object text(std::string_view what) {
  return nb::steal(PyUnicode_DecodeUTF8(what.data(), static_cast<Py_ssize_t>(what.size()), "replace"));
}

nb::object optional_text(std::string_view what) { return what.empty() ? nb::none() : text(what); }

nb::object optional_number(long value, bool is_there) { return is_there ? nb::cast(value) : nb::none(); }

nb::object one_word(std::string what) {
  for (char& c : what)
    if (c == ' ') c = '_';
  return text(what);
}

std::string utc(std::chrono::system_clock::time_point when) {
  const auto ms = std::chrono::floor<std::chrono::milliseconds>(when);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(ms);
  const std::time_t at = std::chrono::system_clock::to_time_t(seconds);
  std::tm broken_down{};
  ::gmtime_r(&at, &broken_down);
  std::array<char, 32> date{};
  std::strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%S", &broken_down);
  std::array<char, 48> out{};
  std::snprintf(out.data(), out.size(), "%s.%03dZ", date.data(), static_cast<int>((ms - seconds).count()));
  return out.data();
}

bool is_errno(const std::error_code& code) {
  return code.category() == std::system_category() || code.category() == std::generic_category();
}

nb::object system_error(const std::error_code& code, const std::string& sentence = {}) {
  if (!code && sentence.empty()) return nb::none();
  nb::dict out;
  out["errno"] = optional_number(code.value(), code && is_errno(code));
  out["message"] = text(sentence.empty() ? reason_of(code) : sentence);
  return out;
}

nb::dict of_endpoint(const endpoint& e) {
  nb::dict out;
  out["address"] = text(e.address.to_string());
  out["port"] = optional_number(e.port, e.port != 0);
  out["family"] = e.address.is_v4() ? "ipv4" : "ipv6";
  return out;
}

nb::object of_extended_error(const query_record& q) {
  if (q.ede_code < 0) return nb::none();
  nb::dict out;
  out["code"] = q.ede_code;
  out["name"] = optional_text(ede_name(q.ede_code));
  out["text"] = optional_text(q.ede_text);
  return out;
}

nb::dict of_query(const query_record& q) {
  nb::dict out;
  out["name"] = text(q.name);
  out["type"] = text(type_name(q.type));
  out["from"] = to_string(q.from);
  out["upstream"] = optional_text(q.upstream);
  out["transport"] = q.from == query_record::source::network ? text(to_string(q.over)) : nb::none();
  out["started_ms"] = milliseconds(q.started);
  out["took_ms"] = q.ended ? nb::cast(milliseconds(*q.ended - q.started)) : nb::none();
  out["outcome"] = one_word(to_string(q.ended_as));
  out["rcode"] = q.rcode < 0 ? nb::none() : text(rcode_name(q.rcode));
  out["extended_error"] = of_extended_error(q);
  out["error"] = system_error(q.code);
  out["ttl_s"] = optional_number(q.ttl, q.ended_as == query_record::outcome::answered);
  out["records"] = q.count;
  out["detail"] = optional_text(q.detail);
  return out;
}

nb::dict of_attempt(const attempt_record& a) {
  const bool started = a.ended_as != attempt_record::outcome::skipped;
  nb::dict out = of_endpoint(a.endpoint);
  out["started_ms"] = started ? nb::cast(milliseconds(a.started)) : nb::none();
  out["took_ms"] = started && a.ended ? nb::cast(milliseconds(*a.ended - a.started)) : nb::none();
  out["outcome"] = one_word(to_string(a.ended_as));
  out["stage"] = to_string(a.reached);
  out["tls_after_ms"] = a.tls_started ? nb::cast(milliseconds(*a.tls_started - a.started)) : nb::none();
  out["error"] = system_error(a.code, a.failure);
  out["detail"] = optional_text(a.detail);
  return out;
}

template <class Records, class F>
nb::list list_of(const Records& records, F one) {
  nb::list out;
  for (const auto& r : records) out.append(one(r));
  return out;
}

}  // namespace

nb::dict document(const resolution& r) {
  nb::dict out;
  out["name"] = text(r.name);
  out["canonical_name"] = text(r.canonical_name);
  out["ttl_s"] = r.ttl.count();
  out["authenticated"] = r.authenticated;
  out["endpoints"] = list_of(r.endpoints, of_endpoint);
  return out;
}

nb::dict document(const connection& c) {
  nb::dict out;
  out["endpoint"] = of_endpoint(c.peer());
  out["tls"] = nb::none();
  return out;
}

nb::dict document(const explanation& e) {
  nb::dict out;
  out["mode"] = to_string(e.mode);
  out["policy"] = to_string(e.policy);
  out["behaviour"] = one_word(to_string(e.behaviour));
  out["panic"] = e.panic;
  out["candidates"] = list_of(e.candidates, [](const explained_candidate& c) {
    nb::dict one = of_endpoint(c.endpoint);
    one["priority"] = c.priority;
    one["weight"] = c.weight ? nb::cast(*c.weight) : nb::none();
    one["frequency"] = c.frequency ? nb::cast(rounded(*c.frequency)) : nb::none();
    one["state"] = one_word(to_string(c.state));
    one["srtt_ms"] = optional_ms(c.srtt);
    one["successes_30s"] = c.successes;
    one["failures_30s"] = c.failures;
    one["in_flight"] = c.in_flight;
    one["cost_ms"] = milliseconds(c.cost);
    one["share"] = rounded(c.share);
    one["why"] = text(c.why);
    return one;
  });
  return out;
}

nb::dict document(const probe_report& r) {
  nb::dict out;
  out["addresses"] = list_of(r.attempts, [](const attempt_record& a) {
    nb::dict one = of_attempt(a);
    if (a.ended_as == attempt_record::outcome::won) one["outcome"] = "connected";
    return one;
  });
  return out;
}

nb::dict document(const endpoint_health_record& r) {
  nb::dict out = of_endpoint(r.endpoint);
  out["state"] = one_word(to_string(r.state));
  out["srtt_ms"] = optional_ms(r.srtt);
  out["rttvar_ms"] = milliseconds(r.rttvar);
  out["latency_ms"] = optional_ms(r.latency);
  out["successes_30s"] = r.successes;
  out["failures_30s"] = r.failures;
  out["consecutive_failures"] = r.consecutive_failures;
  out["in_flight"] = r.in_flight;
  out["age_ms"] = milliseconds(r.age);
  out["comes_back_ms"] = optional_ms(r.comes_back);
  return out;
}

nb::dict document(const error& e) {
  const bool numbered = e.code().category() != error_category() && e.code().category() != tls_category();
  nb::dict out;
  out["code"] = to_string(kind_of(e));
  out["message"] = text(e.message());
  out["errno"] = optional_number(e.code().value(), numbered);
  return out;
}

nb::dict document(const trace& story) {
  nb::dict out;
  out["began"] = text(utc(story.began));
  out["took_ms"] = milliseconds(story.took);
  out["queries"] = list_of(story.queries, of_query);
  out["attempts"] = list_of(story.attempts, of_attempt);
  out["notes"] = list_of(story.notes, text);
  return out;
}

}  // namespace lbresolve::python
