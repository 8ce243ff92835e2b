// The types that the Python package is made of. The package is the interface; nothing here is for users.
#include "channel.hpp"
#include "engine.hpp"
#include "outcome.hpp"

#include <lbresolve/version.hpp>

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>

namespace nb = nanobind;
using namespace nb::literals;

NB_MODULE(_native, m) {
  using lbresolve::python::channel;
  using lbresolve::python::engine;
  using lbresolve::python::outcome_of_call;
  m.doc() = "The native part of lbresolve. Use the package.";
  m.attr("__version__") = lbresolve::version();

  nb::class_<outcome_of_call>(m, "Outcome")
      .def_prop_ro("ok", &outcome_of_call::ok)
      .def("value", &outcome_of_call::value)
      .def("failure", &outcome_of_call::failure)
      .def("story", &outcome_of_call::story)
      .def("take_socket", &outcome_of_call::take_socket);

  nb::class_<channel>(m, "Channel").def(nb::init<>()).def("fileno", &channel::fd).def("take_all", &channel::take_all);

  nb::class_<engine>(m, "Engine", nb::is_weak_referenceable())
      .def(nb::init<nb::dict, nb::object>(), "settings"_a, "make_endpoint"_a)
      .def("resolve", &engine::resolve, "target"_a, "settings"_a)
      .def("connect", &engine::connect, "target"_a, "settings"_a)
      .def("explain", &engine::explain, "target"_a, "settings"_a)
      .def("probe", &engine::probe, "target"_a, "settings"_a)
      .def("start_resolve", &engine::start_resolve, "target"_a, "settings"_a, "to"_a, "token"_a)
      .def("start_connect", &engine::start_connect, "target"_a, "settings"_a, "to"_a, "token"_a)
      .def("start_explain", &engine::start_explain, "target"_a, "settings"_a, "to"_a, "token"_a)
      .def("start_probe", &engine::start_probe, "target"_a, "settings"_a, "to"_a, "token"_a)
      .def("cancel", &engine::cancel, "number"_a)
      .def("pick", &engine::pick, "target"_a)
      .def("begin", &engine::begin, "address"_a, "port"_a)
      .def("report", &engine::report, "address"_a, "port"_a, "success"_a, "latency_s"_a = nb::none())
      .def("health", &engine::health)
      .def("forget_health", &engine::forget_health)
      .def("clear_cache", &engine::clear_cache)
      .def("close", &engine::close);
}
