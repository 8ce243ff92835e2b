// Choices and what they come from, for people.
#pragma once

#include "cli/terminal.hpp"

#include <lbresolve/explanation.hpp>
#include <lbresolve/health.hpp>

#include <string>
#include <vector>

namespace lbresolve::cli {

/// One row a candidate, in the order in which they would be tried, with the reason for each place.
void append_explanation(std::string& out, const terminal& to, const explanation& e);

/// One row an address, with what came of the look at it.
void append_probe(std::string& out, const terminal& to, const probe_report& r);

/// One row an endpoint.
void append_health(std::string& out, const terminal& to, const std::vector<endpoint_health_record>& records);

}  // namespace lbresolve::cli
