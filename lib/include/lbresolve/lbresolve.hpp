// Everything, and the two calls most programs need.
#pragma once

#include <lbresolve/resolver.hpp>
#include <lbresolve/version.hpp>

namespace lbresolve {

/// The resolver behind the free functions: made at the first call, with default options, never destroyed.
resolver& default_resolver();

/// resolver::resolve on the default resolver.
result<resolution> resolve(std::string_view target, const resolve_options& settings = {});

/// resolver::connect on the default resolver.
result<connection> connect(std::string_view target, const connect_options& settings = {});

}  // namespace lbresolve
