// What --count shows: a line for each operation, and the sums.
#pragma once

#include "cli/tally.hpp"
#include "cli/terminal.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace lbresolve::cli {

/// "  7  192.0.2.1:443  1.21 ms"
void append_turn(std::string& out, const terminal& to, int number, const endpoint& with, elapsed took);
/// "  7  failed: ..."
void append_turn(std::string& out, const terminal& to, int number, const error& e);

/// The distribution over the endpoints, and the percentiles.
/// @param verb "connected" or "resolved"
void append_tally(std::string& out, const terminal& to, std::string_view verb, const tally& sums);

}  // namespace lbresolve::cli
