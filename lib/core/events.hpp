// What an observer is told, read from the story of an operation.
#pragma once

#include "core/selection_store.hpp"

#include <lbresolve/observer.hpp>
#include <lbresolve/trace.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace lbresolve::core {

std::vector<lookup_event> lookups_of(const trace& story);
std::vector<attempt_event> attempts_of(const trace& story);

/// @param code why no connection came about; of no meaning where one did
choice_event choice_of(const trace& story, lbresolve::policy by, selection_mode mode, std::error_code code);

/// One for each attempt of a resolver::probe().
std::vector<probe_event> probes_of(const std::vector<attempt_record>& attempts);
/// Of one in the background.
probe_event probe_of(const attempt_fact& fact);

/// What an endpoint's observer is told, when what was known of it has become what is known `now`.
std::optional<health_event> health_change_of(const endpoint& at, const health_view& before, const health_view& after,
                                             time_point now);

/// A word for it: "timeout", "connection_refused", "certificate_expired"; empty for success.
std::string error_type_of(const std::error_code& code);

/// The host and the port of an upstream as a trace has it: "192.0.2.1:53", "tls://dns.example:853#name".
struct upstream_place {
  std::string host;
  std::uint16_t port = 0;
};
upstream_place place_of(std::string_view upstream);

}  // namespace lbresolve::core
