#include "cli/words.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

namespace lbresolve::cli {
namespace {

std::string plural(unsigned count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string origin(const query_record& q, detail how) {
  using enum query_record::source;
  switch (q.from) {
    case network:
      if (how == detail::full) return fmt::format("from {} ({})", q.upstream, to_string(q.over));
      return fmt::format("from {}{}", q.upstream,
                         q.over == transport::udp ? "" : fmt::format(" ({})", to_string(q.over)));
    case cache:
      return "from the cache";
    case shared:
      return "shared with a query in flight";
    case hosts:
      return "from the hosts file";
    case special:
      return "known without asking";
    case stale:
      return "from the cache, past its time";
  }
  return {};
}

std::string extended_error(const query_record& q) {
  if (q.ede_code < 0) return {};
  std::string text = fmt::format("; the server adds: {}", q.ede_code);
  if (const std::string_view name = ede_name(q.ede_code); !name.empty()) text += fmt::format(" {}", name);
  if (!q.ede_text.empty()) text += fmt::format(": {}", q.ede_text);
  return text;
}

std::string with_detail(std::string text, const std::string& detail) {
  if (!detail.empty()) text += ": " + detail;
  return text;
}

bool reached_tls(const attempt_record& a) { return a.reached == attempt_record::stage::tls; }

}  // namespace

bool has_ttl(const query_record& q) {
  return q.from != query_record::source::hosts && q.from != query_record::source::special;
}

std::string ms_number(elapsed time) {
  const double ms = std::chrono::duration<double, std::milli>(time).count();
  if (ms < 9.995) return fmt::format("{:.2f}", ms);
  if (ms < 99.95) return fmt::format("{:.1f}", ms);
  return fmt::format("{:.0f}", ms);
}

std::string in_ms(elapsed time) { return ms_number(time) + " ms"; }

std::string pin_text(std::span<const std::uint8_t> digest) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text = "sha256-";
  for (std::size_t i = 0; i < digest.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, digest.size() - i);
    unsigned bits = 0;
    for (std::size_t k = 0; k < 3; ++k) bits = bits << 8 | (k < count ? digest[i + k] : 0U);
    for (std::size_t k = 0; k < 4; ++k) text += k <= count ? digits[bits >> (18 - 6 * k) & 63U] : '=';
  }
  return text;
}

std::string subject(const query_record& q) { return type_name(q.type) + " " + q.name; }

std::string subject(const endpoint& e) { return e.port == 0 ? e.address.to_string() : e.to_string(); }

std::string subject(const tls_stream& tls) {
  const tls_certificate with = tls.peer_certificate();
  std::string text = fmt::format("{}, {}", tls.version(), tls.cipher());
  if (!tls.protocol().empty()) text += fmt::format(", {}", tls.protocol());
  if (tls.is_resumed()) text += ", resumed";
  const auto until = fmt::gmtime(std::chrono::system_clock::to_time_t(with.not_after));
  return text + fmt::format(R"(; certificate "{}" of "{}", until {:%Y-%m-%d})", with.subject, with.issuer, until);
}

std::string outcome(const query_record& q, elapsed now, detail how) {
  using enum query_record::outcome;
  const std::string where = origin(q, how);
  const bool full = how == detail::full;
  switch (q.ended_as) {
    case answered: {
      const std::string ttl = full && has_ttl(q) ? fmt::format(", ttl {} s", q.ttl) : std::string();
      return fmt::format("{}{}{} {}", plural(q.count, "record"), ttl, full ? "," : "", where) + extended_error(q);
    }
    case nodata:
      return fmt::format("no such records{} {}", full ? "," : "", where) + extended_error(q);
    case nxdomain:
      return fmt::format("no such name{} {}", full ? "," : "", where) + extended_error(q);
    case failed: {
      const std::string what = q.rcode > 0 ? rcode_name(q.rcode) : "unusable answer";
      return with_detail(fmt::format("{} {}", what, where), q.detail) + extended_error(q);
    }
    case pending:
    case timed_out: {
      const std::string waited = full ? fmt::format(" after {}", in_ms(time_of(q, now))) : std::string();
      return fmt::format("no answer{} {}", waited, where);
    }
    case unreachable:
      if (!q.detail.empty()) return with_detail(fmt::format("no DNS answer {}", where), q.detail);
      return fmt::format("{} {}", q.code ? reason_of(q.code) : "unreachable", where);
    case abandoned:
      return with_detail(fmt::format("no answer {}, abandoned", where), q.detail);
  }
  return {};
}

std::string outcome(const attempt_record& a, elapsed now, detail how) {
  using enum attempt_record::outcome;
  std::string waited = reached_tls(a) ? "no answer to TLS" : "no answer";
  if (how == detail::full) waited += fmt::format(" after {}", in_ms(time_of(a, now)));
  switch (a.ended_as) {
    case pending:
      return waited;
    case won:
      if (!a.tls_started) return "won";
      return fmt::format("won: TCP in {}, TLS in {}", in_ms(*a.tls_started - a.started),
                         in_ms(a.ended.value_or(now) - *a.tls_started));
    case failed:
      if (!a.failure.empty()) return "TLS: " + a.failure;
      if (a.code == std::errc::timed_out) return waited;
      return a.code ? reason_of(a.code) + (reached_tls(a) ? " during TLS" : "") : with_detail("failed", a.detail);
    case cancelled:
      return waited + ", cancelled";
    case spare:
      return "connected too late, closed unused";
    case skipped:
      return with_detail("skipped", a.detail);
  }
  return {};
}

}  // namespace lbresolve::cli
