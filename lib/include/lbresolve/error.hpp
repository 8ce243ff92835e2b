// What can go wrong, in the terms a caller can act on. The trace tells the rest of the story.
#pragma once

#include <lbresolve/export.hpp>

#include <boost/outcome/std_result.hpp>

#include <memory>
#include <string>
#include <system_error>
#include <utility>

namespace lbresolve {

struct trace;

/// What a caller can act on. Foreign codes (RCODE, EDE, c-ares, errno of each attempt) are kept in the trace.
enum class errc {
  /// The target is not `host:port` or another form that was asked for: the message names the wrong part.
  invalid_target = 1,
  /// An option is out of range or a server address cannot be read: the message names it.
  invalid_option,
  /// The name does not exist (NXDOMAIN, RFC 1035), or is a special name that never does (RFC 6761).
  name_not_found,
  /// The name exists and has no address of a usable family (NODATA, RFC 2308).
  no_addresses,
  /// No upstream gave a usable answer: the message names each upstream and why.
  upstream_failed,
  /// The deadline passed. Equal to std::errc::timed_out.
  timed_out,
  /// Every attempt failed, not all for the same reason: the trace has each attempt with its errno.
  /// Where all failed with one errno, the error's code is that errno in std::system_category instead.
  connect_failed,
  /// The caller cancelled, or the resolver was destroyed. Equal to std::errc::operation_canceled.
  cancelled,
  /// This process ran out of descriptors or memory: no fault of the name or of its addresses.
  local_resources,
  /// What was asked for is not part of this build or of this version.
  unsupported,
  /// TLS was asked for and did not come about; the server was not refused by its certificate. tls_errc says how.
  tls_failed,
  /// Who answers is not who was asked for, as far as certificates tell: do not send it anything. tls_errc says why.
  certificate_rejected,
};

LBRESOLVE_EXPORT const std::error_category& error_category() noexcept;
LBRESOLVE_EXPORT std::error_code make_error_code(errc code) noexcept;

/// Its name, as "name_not_found".
LBRESOLVE_EXPORT const char* to_string(errc code) noexcept;

/// "refused", "unreachable network": why something failed, in a few words; the system's own for what is rare.
LBRESOLVE_EXPORT std::string reason_of(const std::error_code& code);

}  // namespace lbresolve

template <>
struct std::is_error_code_enum<lbresolve::errc> : std::true_type {};

namespace lbresolve {

/// A code, one sentence for a person, and the story behind it.
///
/// Ownership: shares an immutable trace; copying is cheap. Thread-safety: a value.
class error {
 public:
  error() = default;
  error(errc code) : error(make_error_code(code)) {}  // NOLINT(google-explicit-constructor)
  LBRESOLVE_EXPORT explicit error(std::error_code code, std::string sentence = {},
                                  std::shared_ptr<const lbresolve::trace> story = {});

  const std::error_code& code() const noexcept { return code_; }

  /// One sentence: what failed, where, and what to do where that is known.
  LBRESOLVE_EXPORT std::string message() const;

  /// What was done before it failed; null where nothing was done (a malformed target).
  const lbresolve::trace* story() const noexcept { return story_.get(); }
  const std::shared_ptr<const lbresolve::trace>& shared_story() const noexcept { return story_; }

  friend bool operator==(const error& e, const std::error_condition& c) noexcept { return e.code_ == c; }
  /// Also true where the code is of a finer kind that means `c`, as every tls_errc is.
  friend bool operator==(const error& e, errc c) noexcept {
    return e.code_ == make_error_code(c) || e.code_ == std::error_condition(static_cast<int>(c), error_category());
  }

 private:
  std::error_code code_;
  std::shared_ptr<const std::string> sentence_;
  std::shared_ptr<const lbresolve::trace> story_;
};

/// What a caller can act on, of any error: the finer reasons of TLS and the errno that all attempts failed with
/// included.
LBRESOLVE_EXPORT errc kind_of(const error& e) noexcept;

inline std::error_code make_error_code(const error& e) noexcept { return e.code(); }

/// What `.value()` of a result without one does: throws std::system_error with the code and the sentence. (The name is
/// Boost.Outcome's customisation point.)
[[noreturn]] LBRESOLVE_EXPORT void outcome_throw_as_system_error_with_payload(const error& e);

/// A value or an error. `.value()` throws std::system_error on an error; nothing else in this library throws.
template <class T>
using result = BOOST_OUTCOME_V2_NAMESPACE::std_result<T, error>;

}  // namespace lbresolve
