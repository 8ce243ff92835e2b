// What the command prints with --format json, as Python dicts: the same keys, the same rounding.
#pragma once

#include <lbresolve/resolver.hpp>

#include <nanobind/nanobind.h>

namespace lbresolve::python {

nanobind::dict document(const resolution& r);
nanobind::dict document(const connection& c);
nanobind::dict document(const explanation& e);
nanobind::dict document(const probe_report& r);
nanobind::dict document(const endpoint_health_record& r);

/// `code`, `message` and `errno`.
nanobind::dict document(const error& e);

/// `began` and `took_ms`, then what the command has under `trace`.
nanobind::dict document(const trace& story);

}  // namespace lbresolve::python
