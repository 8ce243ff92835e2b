// Why bytes are not what they should be: small, for paths that must not allocate.
#pragma once

#include <boost/outcome/basic_result.hpp>
#include <boost/outcome/policy/all_narrow.hpp>
#include <boost/outcome/try.hpp>
#include <boost/version.hpp>

#include <cstdint>

namespace lbresolve::core {

enum class wire_error : std::uint8_t {
  truncated,       ///< ends inside a header, name or record
  bad_label,       ///< label type 0x40 or 0x80 (RFC 6891 section 5), or longer than 63 octets
  bad_pointer,     ///< a compression pointer that does not go strictly backwards (RFC 9267 section 2)
  name_too_long,   ///< over 255 octets (RFC 1035 section 2.3.4)
  bad_escape,      ///< text: "\" without what RFC 1035 section 5.1 wants after it
  empty_label,     ///< text: ".." or a leading dot
  bad_counts,      ///< more records promised than the bytes can hold
  bad_question,    ///< not exactly one question
  bad_rdata,       ///< RDATA that contradicts its type: an A of 3 octets
  bad_opt,         ///< two OPT records, or one outside the additional section (RFC 6891 section 6.1.1)
  trailing_bytes,  ///< octets after the last record
};

/// What the error means, as a clause: "octets follow its last record".
const char* to_string(wire_error e) noexcept;

template <class T>
using wire_result =
    BOOST_OUTCOME_V2_NAMESPACE::basic_result<T, wire_error, BOOST_OUTCOME_V2_NAMESPACE::policy::all_narrow>;

}  // namespace lbresolve::core

// Declares `var` as the value of `expr`, or returns its error. Before Outcome 2.2 (Boost 1.76) the macro declared the
// variable itself; since then it wants the declaration spelled out.
#if BOOST_VERSION >= 107600
#define LBRESOLVE_TRY(var, expr) BOOST_OUTCOME_TRY(auto&& var, expr)
#else
#define LBRESOLVE_TRY(var, expr) BOOST_OUTCOME_TRY(var, expr)
#endif
