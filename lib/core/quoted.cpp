#include "core/quoted.hpp"

namespace lbresolve::core {

std::string quoted(std::string_view text, std::size_t limit) {
  std::string out = "\"";
  for (const char c : text.substr(0, limit)) {
    const auto octet = static_cast<unsigned char>(c);
    if (octet < 0x20 || octet > 0x7E) {
      out += '\\';
      out += static_cast<char>('0' + octet / 100);
      out += static_cast<char>('0' + octet / 10 % 10);
      out += static_cast<char>('0' + octet % 10);
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += text.size() > limit ? "...\"" : "\"";
  return out;
}

}  // namespace lbresolve::core
