// The settings of Python calls: dicts with the names of the options, times in milliseconds or seconds as those say.
#pragma once

#include <lbresolve/options.hpp>

#include <nanobind/nanobind.h>

namespace lbresolve::python {

/// Each sets what the dict names. Raises TypeError on a name that is not known or a value of another kind, ValueError
/// on a word that is not one of those there are.
void read(nanobind::dict from, options& to);
void read(nanobind::dict from, resolve_options& to);
void read(nanobind::dict from, connect_options& to);

/// Raises ValueError where the text is no address.
endpoint read_endpoint(std::string_view address, std::uint16_t port);

}  // namespace lbresolve::python
