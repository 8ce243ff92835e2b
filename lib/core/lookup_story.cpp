#include "core/lookup_story.hpp"

#include <algorithm>

namespace lbresolve::core {

query_record::outcome outcome_of(const answer& a) noexcept {
  switch (a.is) {
    case answer::kind::positive:
      return query_record::outcome::answered;
    case answer::kind::nodata:
      return query_record::outcome::nodata;
    case answer::kind::nxdomain:
      return query_record::outcome::nxdomain;
    case answer::kind::failure:
      break;
  }
  return query_record::outcome::failed;
}

void tell(const question& q, const delivery& d, time_point since, time_point now, trace& story) {
  if (d.by != nullptr) return tell(*d.by, since, d.shared, story.queries);
  const answer& a = *d.what;
  query_record r;
  r.name = q.name.to_text();
  r.type = static_cast<std::uint16_t>(q.type);
  r.from = d.stale ? query_record::source::stale : query_record::source::cache;
  r.started = now - since;
  r.ended = now - since;
  r.ended_as = outcome_of(a);
  r.rcode = a.rcode;
  r.ttl = static_cast<std::uint32_t>(
      std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::seconds>(d.expires - now).count()));
  r.count = static_cast<std::uint16_t>(std::max({a.addresses.size(), a.bindings.size(), a.services.size()}));
  if (a.ede) {
    r.ede_code = a.ede->code;
    r.ede_text = a.ede->text;
  }
  if (a.is == answer::kind::failure) r.detail = a.why;
  story.queries.push_back(std::move(r));
}

void note_translation(const address& v4, const address& v6, trace& story) {
  std::string note = v6.to_string() + " stands for " + v4.to_string() + ", which has no route (NAT64, RFC 6052)";
  if (std::find(story.notes.begin(), story.notes.end(), note) == story.notes.end())
    story.notes.push_back(std::move(note));
}

std::string note_on_stale(const question& q, const delivery& d, time_point now) {
  const auto over = std::chrono::duration_cast<std::chrono::seconds>(now - d.expires);
  return "the answer for " + type_name(static_cast<std::uint16_t>(q.type)) + " is " + std::to_string(over.count()) +
         " s past its time (RFC 8767)";
}

}  // namespace lbresolve::core
