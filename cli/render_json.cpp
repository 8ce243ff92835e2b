#include "cli/render_json.hpp"

#include "cli/exit_code.hpp"
#include "cli/words.hpp"

#include <lbresolve/tls_error.hpp>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include <chrono>
#include <cmath>
#include <optional>

namespace lbresolve::cli {
namespace {

using json = nlohmann::ordered_json;  // keys in the order in which they are documented
constexpr const char* schema = "lbresolve/1";

/// Milliseconds to the microsecond: further digits are noise.
double milliseconds(elapsed time) { return std::round(std::chrono::duration<double, std::micro>(time).count()) / 1000; }

json optional_text(const std::string& text) { return text.empty() ? json(nullptr) : json(text); }

std::string utc(std::chrono::system_clock::time_point when) {
  const auto ms = std::chrono::floor<std::chrono::milliseconds>(when);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(ms);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)),
                     (ms - seconds).count());
}

json system_error(const std::error_code& code) {
  if (!code) return nullptr;
  const bool numbered = code.category() == std::system_category() || code.category() == std::generic_category();
  return {{"errno", numbered ? json(code.value()) : json(nullptr)}, {"message", reason_of(code)}};
}

json json_endpoint(const endpoint& e) {
  return {{"address", e.address.to_string()},
          {"port", e.port == 0 ? json(nullptr) : json(e.port)},
          {"family", e.address.is_v4() ? "ipv4" : "ipv6"}};
}

/// "timed out" is for people; machines get one word.
std::string one_word(std::string text) {
  for (char& c : text) {
    if (c == ' ') c = '_';
  }
  return text;
}

json json_query(const query_record& q) {
  const bool asked = q.from == query_record::source::network;
  const std::string_view ede = ede_name(q.ede_code);
  json extended = nullptr;
  if (q.ede_code >= 0) {
    extended = {
        {"code", q.ede_code}, {"name", ede.empty() ? json(nullptr) : json(ede)}, {"text", optional_text(q.ede_text)}};
  }
  const bool answered = q.ended_as == query_record::outcome::answered;
  return {{"name", q.name},
          {"type", type_name(q.type)},
          {"from", to_string(q.from)},
          {"upstream", optional_text(q.upstream)},
          {"transport", asked ? json(to_string(q.over)) : json(nullptr)},
          {"started_ms", milliseconds(q.started)},
          {"took_ms", q.ended ? json(milliseconds(*q.ended - q.started)) : json(nullptr)},
          {"outcome", one_word(to_string(q.ended_as))},
          {"rcode", q.rcode < 0 ? json(nullptr) : json(rcode_name(q.rcode))},
          {"extended_error", std::move(extended)},
          {"error", system_error(q.code)},
          {"ttl_s", answered ? json(q.ttl) : json(nullptr)},
          {"records", q.count},
          {"detail", optional_text(q.detail)}};
}

json json_attempt(const attempt_record& a) {
  const bool started = a.ended_as != attempt_record::outcome::skipped;
  json out = json_endpoint(a.endpoint);
  out["started_ms"] = started ? json(milliseconds(a.started)) : json(nullptr);
  out["took_ms"] = started && a.ended ? json(milliseconds(*a.ended - a.started)) : json(nullptr);
  out["outcome"] = one_word(to_string(a.ended_as));
  out["stage"] = to_string(a.reached);
  out["tls_after_ms"] = a.tls_started ? json(milliseconds(*a.tls_started - a.started)) : json(nullptr);
  out["error"] = system_error(a.code);
  if (!a.failure.empty()) out["error"]["message"] = a.failure;
  out["detail"] = optional_text(a.detail);
  return out;
}

json json_trace(const trace* story) {
  if (story == nullptr) return nullptr;
  json queries = json::array();
  for (const query_record& q : story->queries) queries.push_back(json_query(q));
  json attempts = json::array();
  for (const attempt_record& a : story->attempts) attempts.push_back(json_attempt(a));
  return {{"queries", std::move(queries)}, {"attempts", std::move(attempts)}, {"notes", story->notes}};
}

json json_error(const error& e) {
  json out{{"code", to_string(kind_of(e))}, {"message", e.message()}};
  const bool numbered = e.code().category() != error_category() && e.code().category() != tls_category();
  out["errno"] = numbered ? json(e.code().value()) : json(nullptr);
  return out;
}

json json_value(const resolution& r) {
  json endpoints = json::array();
  for (const endpoint& e : r.endpoints) endpoints.push_back(json_endpoint(e));
  return {{"name", r.name},
          {"canonical_name", r.canonical_name},
          {"ttl_s", r.ttl.count()},
          {"authenticated", r.authenticated},
          {"endpoints", std::move(endpoints)}};
}

json json_tls(const tls_stream& tls) {
  if (!tls) return nullptr;
  const tls_certificate with = tls.peer_certificate();
  return {{"version", tls.version()},
          {"cipher", tls.cipher()},
          {"protocol", tls.protocol().empty() ? json(nullptr) : json(tls.protocol())},
          {"resumed", tls.is_resumed()},
          {"certificate",
           {{"subject", with.subject},
            {"issuer", with.issuer},
            {"names", with.names},
            {"not_before", utc(with.not_before)},
            {"not_after", utc(with.not_after)},
            {"pin", pin_text(with.spki_sha256)}}}};
}

json json_value(const connection& c) { return {{"endpoint", json_endpoint(c.peer())}, {"tls", json_tls(c.tls())}}; }

json optional_ms(const std::optional<std::chrono::nanoseconds>& time) {
  return time ? json(milliseconds(*time)) : json(nullptr);
}

double rounded(double value) { return std::round(value * 1e4) / 1e4; }

json json_value(const explanation& e) {
  json candidates = json::array();
  for (const explained_candidate& c : e.candidates) {
    json one = json_endpoint(c.endpoint);
    one["priority"] = c.priority;
    one["weight"] = c.weight ? json(*c.weight) : json(nullptr);
    one["frequency"] = c.frequency ? json(rounded(*c.frequency)) : json(nullptr);
    one["state"] = one_word(to_string(c.state));
    one["srtt_ms"] = optional_ms(c.srtt);
    one["successes_30s"] = c.successes;
    one["failures_30s"] = c.failures;
    one["in_flight"] = c.in_flight;
    one["cost_ms"] = milliseconds(c.cost);
    one["share"] = rounded(c.share);
    one["why"] = c.why;
    candidates.push_back(std::move(one));
  }
  return {{"mode", to_string(e.mode)},
          {"policy", to_string(e.policy)},
          {"behaviour", one_word(to_string(e.behaviour))},
          {"panic", e.panic},
          {"candidates", std::move(candidates)}};
}

json json_value(const probe_report& r) {
  json addresses = json::array();
  for (const attempt_record& a : r.attempts) {
    json one = json_attempt(a);
    if (a.ended_as == attempt_record::outcome::won) one["outcome"] = "connected";
    addresses.push_back(std::move(one));
  }
  return {{"addresses", std::move(addresses)}};
}

json json_record(const endpoint_health_record& r) {
  json out = json_endpoint(r.endpoint);
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

const trace* story_of(const explanation& e) { return e.story.get(); }
const trace* story_of(const probe_report& r) { return r.story.get(); }
const trace* story_of(const resolution& r) { return r.story.get(); }
const trace* story_of(const connection& c) { return c.story(); }

std::string text_of(const json& object, bool pretty) {
  return object.dump(pretty ? 2 : -1, ' ', true, json::error_handler_t::replace) + "\n";
}

template <class T>
std::string json_operation(const char* kind, std::string_view target, const result<T>& what, bool pretty) {
  const trace* story = what ? story_of(what.value()) : what.error().story();
  json out{{"schema", schema}, {"kind", kind}, {"target", target}};
  out["began"] = story == nullptr ? json(nullptr) : json(utc(story->began));
  out["took_ms"] = story == nullptr ? json(nullptr) : json(milliseconds(story->took));
  out["result"] = what ? json_value(what.value()) : json(nullptr);
  out["error"] = what ? json(nullptr) : json_error(what.error());
  out["trace"] = json_trace(story);
  return text_of(out, pretty);
}

}  // namespace

std::string json_of(std::string_view target, const result<resolution>& what, bool pretty) {
  return json_operation("resolve", target, what, pretty);
}

std::string json_of(std::string_view target, const result<connection>& what, bool pretty) {
  return json_operation("connect", target, what, pretty);
}

std::string json_of(std::string_view target, const result<explanation>& what) {
  return json_operation("explain", target, what, false);
}

std::string json_of(std::string_view target, const result<probe_report>& what) {
  return json_operation("probe", target, what, false);
}

std::string json_of(const std::vector<endpoint_health_record>& records) {
  json endpoints = json::array();
  for (const endpoint_health_record& r : records) endpoints.push_back(json_record(r));
  return text_of({{"schema", schema}, {"kind", "health"}, {"endpoints", std::move(endpoints)}}, false);
}

std::string json_summary(std::string_view kind, std::string_view target, const tally& sums, elapsed took) {
  json endpoints = json::array();
  for (const auto& [where, times] : sums.endpoints()) {
    json one = json_endpoint(where);
    one["count"] = times;
    one["share"] = std::round(1e4 * static_cast<double>(times) / static_cast<double>(sums.succeeded())) / 1e4;
    endpoints.push_back(std::move(one));
  }
  json times = json::object();
  constexpr std::pair<const char*, double> asked[] = {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"max", 100}};
  for (const auto& [name, percent] : asked) {
    const std::optional<elapsed> time = sums.percentile(percent);
    times[name] = time ? json(milliseconds(*time)) : json(nullptr);
  }
  json errors = json::object();
  for (const auto& [name, count] : sums.errors()) errors[name] = count;
  return text_of({{"schema", schema},
                  {"kind", "summary"},
                  {"of", kind},
                  {"target", target},
                  {"count", sums.total()},
                  {"succeeded", sums.succeeded()},
                  {"failed", sums.failed()},
                  {"took_ms", milliseconds(took)},
                  {"each_took_ms", std::move(times)},
                  {"endpoints", std::move(endpoints)},
                  {"errors", std::move(errors)}},
                 false);
}

}  // namespace lbresolve::cli
