// Text from outside, made safe to put into a sentence for a person.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lbresolve::core {

/// `text` between double quotes. Every octet outside printable ASCII becomes "\DDD" as in RFC 1035 section 5.1, and
/// quotes and backslashes are escaped, so no control sequence reaches a terminal (SEC-12). Past `limit` octets of
/// input the rest is cut and "..." stands for it.
std::string quoted(std::string_view text, std::size_t limit = 120);

}  // namespace lbresolve::core
