// What a name stands for, for people.
#pragma once

#include "cli/terminal.hpp"

#include <lbresolve/resolver.hpp>

#include <string>

namespace lbresolve::cli {

/// The name, its canonical name and TTL, the endpoints in connect's order, and where the answers came from.
/// @param sources false where a whole story follows, which says it too.
void append_resolution(std::string& out, const terminal& to, const resolution& what, bool sources);

/// The addresses alone, one a line, with the port where one was asked for.
void append_addresses(std::string& out, const resolution& what);

}  // namespace lbresolve::cli
