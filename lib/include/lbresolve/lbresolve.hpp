// Everything, and the two calls most programs need.
#pragma once

#include <lbresolve/export.hpp>
#include <lbresolve/observer.hpp>
#include <lbresolve/resolver.hpp>
#include <lbresolve/version.hpp>

namespace lbresolve {

/// The resolver behind the free functions: made with default options at the first call, never destroyed. Fails only
/// where the process is out of descriptors; the next call then tries again.
LBRESOLVE_EXPORT result<resolver*> default_resolver();

/// resolver::resolve on the default resolver.
LBRESOLVE_EXPORT result<resolution> resolve(std::string_view target, const resolve_options& settings = {});

/// resolver::connect on the default resolver.
LBRESOLVE_EXPORT result<connection> connect(std::string_view target, const connect_options& settings = {});

}  // namespace lbresolve
