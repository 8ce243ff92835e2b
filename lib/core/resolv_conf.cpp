#include "core/resolv_conf.hpp"

#include "core/quoted.hpp"
#include "core/text_lines.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace lbresolve::core {
namespace {

constexpr std::uint16_t dns_port = 53;

// glibc's limits, from resolv.conf(5): a larger number counts as this one.
constexpr int max_ndots = 15;
constexpr int max_timeout = 30;
constexpr int max_attempts = 5;

/// A file of nonsense must not become a list of sentences as long as itself.
constexpr std::size_t max_warnings = 16;

void warn(resolv_conf& into, std::size_t line, const std::string& why) {
  if (into.warnings.size() < max_warnings) into.warnings.push_back("line " + std::to_string(line) + ": " + why);
}

void add_server(resolv_conf& into, const address& a, std::string_view interface) {
  const endpoint at{a, dns_port};
  const bool known = std::find(into.servers.begin(), into.servers.end(), at) != into.servers.end();
  if (!interface.empty()) {
    into.named_scopes.push_back({into.servers.size(), std::string(interface)});
  } else if (known) {
    return;
  }
  into.servers.push_back(at);
}

void read_server(resolv_conf& into, std::string_view rest, std::size_t line) {
  const std::string_view word = take_word(rest);
  if (const auto a = address::parse(word)) return add_server(into, *a, {});
  const std::size_t percent = word.find('%');
  if (percent != std::string_view::npos) {
    const auto a = address::parse(word.substr(0, percent));
    const std::string_view interface = word.substr(percent + 1);
    const bool is_number = interface.find_first_not_of("0123456789") == std::string_view::npos;
    if (a && a->is_v6() && !is_number) return add_server(into, *a, interface);
  }
  warn(into, line, "the nameserver " + quoted(word) + " is not an IP address and is left out");
}

void read_search(resolv_conf& into, std::string_view rest, std::size_t line, bool only_first) {
  into.search.clear();
  for (std::string_view word = take_word(rest); !word.empty(); word = take_word(rest)) {
    const auto suffix = name::from_text(word);
    if (suffix) {
      into.search.push_back(suffix.assume_value());
    } else {
      warn(into, line, "the search domain " + quoted(word) + " is not a domain name and is left out");
    }
    if (only_first) return;
  }
}

/// The number after "name:", at most `high` and at least `low`; nothing, with a warning, where there is none.
std::optional<int> read_number(resolv_conf& into, std::string_view option, int low, int high, std::size_t line) {
  const std::string_view digits = option.substr(option.find(':') + 1);
  int value = 0;
  const auto [end, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (bad == std::errc::result_out_of_range && !digits.starts_with('-')) return high;
  if (bad != std::errc{} || end != digits.data() + digits.size() || value < 0) {
    warn(into, line, "the option " + quoted(option) + " has no number that can be used and is left out");
    return std::nullopt;
  }
  return std::clamp(value, low, high);
}

void read_option(resolv_conf& into, std::string_view option, std::size_t line) {
  if (option.starts_with("ndots:")) {
    if (const auto n = read_number(into, option, 0, max_ndots, line)) into.ndots = *n;
  } else if (option.starts_with("timeout:")) {
    if (const auto n = read_number(into, option, 1, max_timeout, line)) into.timeout = std::chrono::seconds{*n};
  } else if (option.starts_with("attempts:")) {
    if (const auto n = read_number(into, option, 1, max_attempts, line)) into.attempts = *n;
  } else if (option == "rotate") {
    into.rotate = true;
  } else if (option == "edns0") {
    into.edns0 = true;
  } else if (option == "trust-ad") {
    into.trust_ad = true;
  } else if (option == "use-vc") {
    into.use_tcp = true;
  } else if (option == "no-aaaa") {
    into.no_aaaa = true;
  }
}

void read_line(resolv_conf& into, std::string_view text, std::size_t line) {
  if (text.empty() || text.front() == '#' || text.front() == ';') return;
  std::string_view rest = text;
  const std::string_view keyword = take_word(rest);
  const bool at_start = text.starts_with(keyword);
  if (keyword != "nameserver" && keyword != "search" && keyword != "domain" && keyword != "options") return;
  if (!at_start) return warn(into, line, "it does not count, because the keyword must start the line");
  if (keyword == "nameserver") return read_server(into, rest, line);
  if (keyword != "options") return read_search(into, rest, line, keyword == "domain");
  for (std::string_view word = take_word(rest); !word.empty(); word = take_word(rest)) read_option(into, word, line);
}

endpoint local_server() { return {address::v4({127, 0, 0, 1}), dns_port}; }

}  // namespace

resolv_conf resolv_conf::fallback() {
  resolv_conf conf;
  conf.servers.push_back(local_server());
  return conf;
}

resolv_conf parse_resolv_conf(std::string_view text) {
  resolv_conf conf;
  for (std::size_t line = 1; !text.empty(); ++line) read_line(conf, take_line(text), line);
  if (conf.servers.empty()) conf.servers.push_back(local_server());
  return conf;
}

void resolv_conf::resolve_scopes(const std::function<std::uint32_t(const std::string&)>& index_of) {
  std::vector<std::size_t> gone;
  for (const named_scope& s : named_scopes) {
    const std::uint32_t index = index_of(s.interface);
    std::array<std::uint8_t, 16> octets{};
    const auto bytes = servers[s.server].address.bytes();
    std::copy(bytes.begin(), bytes.end(), octets.begin());
    servers[s.server].address = address::v6(octets, index);
    if (index != 0) continue;
    gone.push_back(s.server);
    warnings.push_back("the nameserver " + servers[s.server].address.to_string() +
                       " is left out: there is no interface " + quoted(s.interface));
  }
  for (; !gone.empty(); gone.pop_back()) {
    servers.erase(servers.begin() + static_cast<std::ptrdiff_t>(gone.back()));
  }
  named_scopes.clear();
  if (servers.empty()) servers.push_back(local_server());
}

}  // namespace lbresolve::core
