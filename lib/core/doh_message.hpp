// DNS over HTTPS without HTTP/2: what a request says, and whether what came back is an answer (RFC 8484).
#pragma once

#include "core/upstream.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace lbresolve::core {

inline constexpr std::string_view doh_media_type = "application/dns-message";  // RFC 8484 section 6
inline constexpr std::size_t max_doh_message = 65'535;                         // section 6

/// The part of the URL that names the server: "dns.example", "192.0.2.53:8443".
std::string doh_authority(const upstream& to);

/// The path of a POST request by a URI template (RFC 6570), "/dns-query{?dns}": for POST all variables are undefined
/// (RFC 8484 section 4.1). Nothing where it is none with the variable "dns" that gives a path.
std::optional<std::string> doh_post_path(std::string_view uri_template);

/// The path of a GET request for `message`: base64url without padding (RFC 8484 section 4.1).
std::string doh_get_path(std::string_view path, std::span<const std::uint8_t> message);

/// As much of a response's header section as matters here.
struct doh_head {
  int status = 0;
  std::string content_type;
  std::string content_encoding;
  std::string location;
  std::optional<std::uint32_t> age;  ///< seconds
  std::size_t size = 0;              ///< of all fields, as RFC 9113 section 6.5.2 counts it

  static constexpr std::size_t max_size = 16'384;

  /// Takes a field, or the pseudo-field ":status". False where the section is longer than `max_size`.
  bool take(std::string_view name, std::string_view value);
};

/// Why the content of such a response is not to be looked at, as a clause for a person; nothing where it is.
std::optional<std::string> why_refused(const doh_head& head);

/// Takes `age` seconds off every TTL of `message`, and off the time that a negative answer may be kept (RFC 8484
/// section 5.1). Nothing below 0; not in a message that cannot be read.
void subtract_age(std::span<std::uint8_t> message, std::uint32_t age);

}  // namespace lbresolve::core
