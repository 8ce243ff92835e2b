// The JSON output, schema "lbresolve/1": docs/cli.md documents every key.
#pragma once

#include "cli/tally.hpp"

#include <lbresolve/error.hpp>
#include <lbresolve/resolver.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace lbresolve::cli {

/// One object for one operation, ending in a newline. ASCII only, whatever the network sent: what is not ASCII is
/// escaped, octets that are not UTF-8 are replaced by U+FFFD.
/// @param pretty over several lines; otherwise on one.
std::string json_of(std::string_view target, const result<resolution>& what, bool pretty);
std::string json_of(std::string_view target, const result<connection>& what, bool pretty);
/// On one line.
std::string json_of(std::string_view target, const result<explanation>& what);
std::string json_of(std::string_view target, const result<probe_report>& what);
std::string json_of(const std::vector<endpoint_health_record>& records);

/// The object that --count ends with.
/// @param kind "resolve" or "connect"
std::string json_summary(std::string_view kind, std::string_view target, const tally& sums, elapsed took);

}  // namespace lbresolve::cli
