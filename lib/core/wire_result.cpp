#include "core/wire_result.hpp"

namespace lbresolve::core {

const char* to_string(wire_error e) noexcept {
  switch (e) {
    case wire_error::truncated:
      return "it ends inside a header, a name or a record";
    case wire_error::bad_label:
      return "a label has a reserved type or is longer than 63 octets";
    case wire_error::bad_pointer:
      return "a compression pointer does not go backwards, or is one of too many";
    case wire_error::name_too_long:
      return "a name is longer than 255 octets";
    case wire_error::bad_escape:
      return "a backslash is not followed by a character or by three digits up to 255";
    case wire_error::empty_label:
      return "a label is empty";
    case wire_error::bad_counts:
      return "it promises more records than it can hold";
    case wire_error::bad_question:
      return "it has more than one question";
    case wire_error::bad_rdata:
      return "the data of a record contradicts its type";
    case wire_error::bad_opt:
      return "it has more than one OPT record, or one in the wrong place";
    case wire_error::trailing_bytes:
      return "octets follow its last record";
  }
  return "it cannot be read";
}

}  // namespace lbresolve::core
