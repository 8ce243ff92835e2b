// How an operation ended, on its way to Python.
#pragma once

#include <lbresolve/resolver.hpp>

#include <nanobind/nanobind.h>

#include <variant>

namespace lbresolve::python {

/// A result of any kind. What it holds becomes Python objects only when it is asked for: the trace of a connect that
/// went well is hardly ever read. An open connection that is not taken out is closed with it.
class outcome_of_call {
 public:
  using any = std::variant<result<resolution>, result<connection>, result<explanation>, result<probe_report>>;
  explicit outcome_of_call(any what) noexcept : what_(std::move(what)) {}

  bool ok() const;

  /// The documents of document.hpp; None where there is no such thing.
  nanobind::object value() const;
  nanobind::object failure() const;
  nanobind::object story() const;

  /// Of a connect: the descriptor, now the caller's, and the address and port it leads to.
  nanobind::tuple take_socket();

 private:
  any what_;
};

}  // namespace lbresolve::python
