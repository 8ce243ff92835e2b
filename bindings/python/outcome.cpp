#include "outcome.hpp"

#include "document.hpp"

#include <nanobind/stl/string.h>

namespace nb = nanobind;

namespace lbresolve::python {
namespace {

const trace* story_of(const resolution& r) { return r.story.get(); }
const trace* story_of(const connection& c) { return c.story(); }
const trace* story_of(const explanation& e) { return e.story.get(); }
const trace* story_of(const probe_report& r) { return r.story.get(); }

}  // namespace

bool outcome_of_call::ok() const {
  return std::visit([](const auto& r) { return r.has_value(); }, what_);
}

nb::object outcome_of_call::value() const {
  return std::visit([](const auto& r) -> nb::object { return r ? nb::object(document(r.value())) : nb::none(); },
                    what_);
}

nb::object outcome_of_call::failure() const {
  return std::visit([](const auto& r) -> nb::object { return r ? nb::none() : nb::object(document(r.error())); },
                    what_);
}

nb::object outcome_of_call::story() const {
  const trace* story = std::visit([](const auto& r) { return r ? story_of(r.value()) : r.error().story(); }, what_);
  return story == nullptr ? nb::none() : nb::object(document(*story));
}

nb::tuple outcome_of_call::take_socket() {
  auto& c = std::get<result<connection>>(what_).value();
  const endpoint peer = c.peer();
  return nb::make_tuple(c.release(), peer.address.to_string(), peer.port, peer.address.is_v6());
}

}  // namespace lbresolve::python
