// What a trace says, in words for a person. Nothing here is safe for a terminal yet: it may quote foreign text.
#pragma once

#include <lbresolve/error.hpp>
#include <lbresolve/tls_stream.hpp>
#include <lbresolve/trace.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace lbresolve::cli {

/// "0.42 ms", "12.3 ms", "250 ms": three digits that matter.
std::string in_ms(elapsed time);

/// The same without the unit.
std::string ms_number(elapsed time);

/// "sha256-BASE64": what --pin takes.
std::string pin_text(std::span<const std::uint8_t> digest);

/// How long it took; until `now` where it has not ended.
template <class Record>
elapsed time_of(const Record& r, elapsed now) {
  return r.ended.value_or(now) - r.started;
}

/// "AAAA www.example.com"
std::string subject(const query_record& q);
/// "192.0.2.1:443", or "192.0.2.1" without a port.
std::string subject(const endpoint& e);
inline std::string subject(const attempt_record& a) { return subject(a.endpoint); }

/// "TLSv1.3, TLS_AES_256_GCM_SHA384, h2, resumed; certificate "example.com" of "Some CA", until 2026-01-31"
std::string subject(const tls_stream& tls);

/// False for what has no TTL: the hosts file, a literal, a special name.
bool has_ttl(const query_record& q);

/// How much to say.
enum class detail {
  brief,  ///< beside a column of times: "2 records from 192.0.2.53:53", "no answer, cancelled"
  full,   ///< alone: "2 records, ttl 60 s, from 192.0.2.53:53 (udp)", "no answer after 250 ms, cancelled"
};

/// What came of it. @param now the operation's end, for what has no end of its own.
std::string outcome(const query_record& q, elapsed now, detail how);
/// "won", "refused", "skipped: no route"
std::string outcome(const attempt_record& a, elapsed now, detail how);

}  // namespace lbresolve::cli
