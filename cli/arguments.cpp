#include "cli/arguments.hpp"

#include "cli/duration.hpp"
#include "cli/raw_arguments.hpp"
#include "cli/state_path.hpp"

#include <fmt/format.h>

#include <net/if.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <utility>

namespace lbresolve::cli {
namespace {

/// Checks one value after the other; the first complaint stays.
class reader {
 public:
  explicit reader(const CLI::App& app) : app_(app) {}

  void complain(std::string sentence) {
    if (!complaint_) complaint_ = usage_error{std::move(sentence)};
  }

  bool given(const char* option) const { return app_.count(option) > 0; }

  void duration(const char* option, const std::string& text, std::chrono::milliseconds unit,
                std::optional<std::chrono::milliseconds>& into) {
    if (!given(option)) return;
    into = parse_duration(text, unit);
    if (!into) complain(fmt::format("{} \"{}\" is not a time such as 250ms or 1.5s", option, text));
  }

  void number(const char* option, const std::string& text, int most, const std::function<void(int)>& into) {
    if (!given(option)) return;
    int value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (problem != std::errc{} || end != text.data() + text.size() || value < 1 || value > most) {
      return complain(fmt::format("{} \"{}\" is not a number from 1 to {}", option, text, most));
    }
    into(value);
  }

  template <class T, std::size_t N>
  void word(const char* option, const std::string& text, const std::array<std::pair<const char*, T>, N>& known,
            const std::function<void(T)>& into) {
    if (!given(option)) return;
    std::string names;
    for (std::size_t i = 0; i < N; ++i) {
      if (text == known[i].first) return into(known[i].second);
      names += fmt::format("{}{}", i == 0 ? "" : i + 1 == N ? " or " : ", ", known[i].first);
    }
    complain(fmt::format("{} \"{}\" is not {}", option, text, names));
  }

  /// A value that may be any text but none.
  void text(const char* option, const std::string& value, const std::function<void(const std::string&)>& into) {
    if (!given(option)) return;
    if (value.empty()) return complain(fmt::format("{} needs a value", option));
    into(value);
  }

  const std::optional<usage_error>& complaint() const { return complaint_; }

 private:
  const CLI::App& app_;
  std::optional<usage_error> complaint_;
};

/// "corp.example=10.0.0.53": a domain may stand there more than once.
void read_domain_servers(reader& in, const std::vector<std::string>& given, arguments& out) {
  for (const std::string& text : given) {
    const std::size_t equals = text.find('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == text.size())
      return in.complain(
          fmt::format("--domain-server \"{}\" is not DOMAIN=SERVER, as in corp.example=10.0.0.53", text));
    const std::string domain = text.substr(0, equals);
    auto known = std::find_if(out.domain_servers.begin(), out.domain_servers.end(),
                              [&](const lbresolve::domain_servers& d) { return d.domain == domain; });
    if (known == out.domain_servers.end()) known = out.domain_servers.insert(known, {domain, {}});
    known->servers.push_back(text.substr(equals + 1));
  }
}

void read_servers(reader& in, const raw_arguments& raw, arguments& out) {
  in.word<upstream_choice, 3>(
      "--choice", raw.choice,
      {{{"ordered", upstream_choice::ordered}, {"fastest", upstream_choice::fastest}, {"race", upstream_choice::race}}},
      [&](upstream_choice c) { out.choice = c; });
  read_domain_servers(in, raw.domain_servers, out);
  out.bootstrap = raw.bootstrap;
  out.trust_ad = raw.trust_ad;
  out.no_private = raw.no_private;
  out.private_ok = raw.private_ok;
  if (!raw.private_ok.empty() && !raw.no_private) in.complain("--private-ok needs --no-private");
}

void read_values(reader& in, const raw_arguments& raw, arguments& out) {
  in.duration("--timeout", raw.timeout, std::chrono::seconds(1), out.timeout);
  in.duration("--attempt-delay", raw.attempt_delay, std::chrono::milliseconds(1), out.attempt_delay);
  in.number("--count", raw.count, 1'000'000, [&](int n) { out.count = n; });
  in.number("--parallel", raw.parallel, 1'000, [&](int n) { out.parallel = n; });
  in.word<lbresolve::policy, 6>("--policy", raw.policy,
                                {{{"balanced", policy::balanced},
                                  {"fastest", policy::fastest},
                                  {"round_robin", policy::round_robin},
                                  {"random", policy::random},
                                  {"hash", policy::hash},
                                  {"in_order", policy::in_order}}},
                                [&](policy p) { out.policy = p; });
  in.word<selection_mode, 3>(
      "--mode", raw.mode,
      {{{"hybrid", selection_mode::hybrid}, {"client", selection_mode::client}, {"server", selection_mode::server}}},
      [&](selection_mode m) { out.mode = m; });
  in.duration("--interval", raw.interval, std::chrono::seconds(1), out.interval);
  in.word<output_format, 3>(
      "--format", raw.format,
      {{{"table", output_format::table}, {"short", output_format::short_text}, {"json", output_format::json}}},
      [&](output_format f) { out.format = f; });
  in.word<color_choice, 3>(
      "--color", raw.color,
      {{{"auto", color_choice::automatic}, {"always", color_choice::always}, {"never", color_choice::never}}},
      [&](color_choice c) { out.color = c; });
  in.text("--source", raw.source, [&](const std::string& s) {
    out.source = address::parse(s);
    if (!out.source) in.complain(fmt::format("--source \"{}\" is not an IP address", s));
  });
  in.text("--interface", raw.interface, [&](const std::string& s) {
    out.interface = s;
    if (if_nametoindex(s.c_str()) == 0) in.complain(fmt::format("--interface \"{}\" is not one of this host", s));
  });
  in.text("--subnet", raw.subnet, [&](const std::string& s) { out.subnet = s; });
  in.text("--nat64", raw.nat64, [&](const std::string& s) { out.nat64 = s; });
  in.text("--resolv-conf", raw.resolv_conf, [&](const std::string& s) { out.resolv_conf = s; });
  in.text("--key", raw.key, [&](const std::string& s) { out.key = s; });
  out.state = default_state_path();
  in.text("--state", raw.state, [&](const std::string& s) {
    out.state = s;
    out.state_named = true;
  });
  if (raw.no_state) out.state.clear();
  if (raw.no_state && in.given("--state")) in.complain("--state and --no-state exclude each other");
  out.watch = raw.watch;
  out.clear = raw.clear;
  if (in.given("--hosts")) out.hosts = raw.hosts;  // empty: none is read
  if (raw.stale && raw.no_cache) in.complain("--stale and --no-cache exclude each other");
  if (raw.v4 && raw.v6) in.complain("-4 and -6 exclude each other");
  if (raw.v4) out.families = families::ipv4_only;
  if (raw.v6) out.families = families::ipv6_only;
  out.no_cache = raw.no_cache;
  out.no_search = raw.no_search;
  out.stale = raw.stale;
  out.no_probes = raw.no_probes;
  out.learn_weights = raw.learn_weights;
  if (raw.learn_weights && out.mode != selection_mode::client) in.complain("--learn-weights needs --mode client");
  if (raw.https && raw.no_https) in.complain("--https and --no-https exclude each other");
  if (raw.https || raw.no_https) out.https = raw.https;
  out.trace = raw.trace;
}

/// "h2,http/1.1"
std::vector<std::string> split_at_commas(std::string_view text) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t comma = text.find(',');
    parts.emplace_back(text.substr(0, comma));
    if (comma == std::string_view::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

void read_tls(reader& in, const raw_arguments& raw, arguments& out) {
  out.tls = raw.tls;
  out.tls_with.verify = !raw.no_verify;
  in.text("--alpn", raw.alpn, [&](const std::string& s) { out.tls_with.alpn = split_at_commas(s); });
  in.text("--tls-name", raw.tls_name, [&](const std::string& s) { out.tls_with.name = s; });
  in.text("--ca-file", raw.ca_file, [&](const std::string& s) { out.tls_with.ca_file = s; });
  out.tls_with.pins = raw.pins;
  for (const char* option : {"--alpn", "--tls-name", "--pin", "--no-verify"})
    if (in.given(option) && !raw.tls) in.complain(fmt::format("{} needs --tls", option));
  if (raw.no_verify && !raw.pins.empty()) in.complain("--no-verify and --pin exclude each other");
}

std::optional<arguments::command> command_called(const std::string& word) {
  using enum arguments::command;
  constexpr std::array<std::pair<const char*, arguments::command>, 5> known{
      {{"resolve", resolve}, {"connect", connect}, {"explain", explain}, {"probe", probe}, {"health", health}}};
  for (const auto& [name, command] : known)
    if (word == name) return command;
  return std::nullopt;
}

/// The words between the options: @server, the command, targets; CLI11 leaves unknown options among them.
void read_words(reader& in, const std::vector<std::string>& words, const raw_arguments& raw, arguments& out) {
  bool command_said = false;
  auto server = raw.servers.begin();
  for (std::size_t i = 0; i <= words.size(); ++i) {
    for (; server != raw.servers.end() && server->first <= i; ++server) out.servers.push_back(server->second);
    if (i == words.size()) break;
    const std::string& word = words[i];
    if (word.size() > 1 && word.starts_with('-')) {
      in.complain(fmt::format("unknown option {}", word.substr(0, word.find('='))));
    } else if (word.starts_with('@')) {
      if (word.size() == 1) in.complain("@ needs a server, as in @192.0.2.53");
      out.servers.push_back(word.substr(1));
    } else if (const auto command = command_called(word); command && !command_said && out.targets.empty()) {
      command_said = true;
      out.what = *command;
    } else {
      out.targets.push_back(word);
    }
  }
}

/// Options that only some commands have.
struct narrow_option {
  const char* name;
  const char* commands;  ///< for the sentence
  bool (*has)(arguments::command);
};

constexpr bool connects(arguments::command c) {
  using enum arguments::command;
  return c == connect || c == explain || c == probe;
}

constexpr narrow_option narrow_options[] = {
    {"--attempt-delay", "connect", [](arguments::command c) { return c == arguments::command::connect; }},
    {"--tls", "connect", [](arguments::command c) { return c == arguments::command::connect; }},
    {"--https", "connect, explain and probe", connects},
    {"--no-https", "connect, explain and probe", connects},
    {"--source", "connect, explain and probe", connects},
    {"--interface", "connect, explain and probe", connects},
    {"--watch", "probe", [](arguments::command c) { return c == arguments::command::probe; }},
    {"--clear", "health", [](arguments::command c) { return c == arguments::command::health; }},
    {"--count", "resolve, connect, explain and probe",
     [](arguments::command c) { return c != arguments::command::health; }},
    {"--parallel", "resolve, connect and probe",
     [](arguments::command c) { return c != arguments::command::explain && c != arguments::command::health; }},
};

const char* word_of(arguments::command c) {
  using enum arguments::command;
  switch (c) {
    case connect:
      return "connect";
    case explain:
      return "explain";
    case probe:
      return "probe";
    case health:
      return "health";
    case resolve:
    case help:
    case version:
      break;
  }
  return "resolve";
}

void check_together(reader& in, const arguments& out) {
  const std::string command = word_of(out.what);
  const bool one_target = connects(out.what);
  if (out.what == arguments::command::health) {
    if (!out.targets.empty()) in.complain(fmt::format("health takes no target, and \"{}\" is one", out.targets[0]));
    if (out.state.empty()) in.complain("health shows what is kept, and --no-state keeps nothing");
  } else if (out.targets.empty()) {
    in.complain(one_target ? command + " needs a target, as in example.com:443" : "no name was given");
  }
  if (one_target && out.targets.size() > 1) {
    in.complain(fmt::format("{} takes one target, and \"{}\" is a second one", command, out.targets[1]));
  }
  for (const narrow_option& option : narrow_options) {
    if (in.given(option.name) && !option.has(out.what))
      in.complain(fmt::format("{} is for {}, not for {}", option.name, option.commands, command));
  }
  if (out.parallel > 1 && !out.count) in.complain("--parallel needs --count");
  if (out.watch && out.count) in.complain("--watch and --count exclude each other");
  if (out.interval && !out.count && !out.watch) in.complain("--interval needs --count or --watch");
}

/// CLI11 writes "--timeout: 1 required TEXT missing" or "Could not convert: --trace = x": all that is needed of it is
/// the option's name.
std::string complaint_of(const CLI::ParseError& e) {
  std::string text = e.what();
  const std::size_t name = text.find('-');
  if (name == std::string::npos) return text;
  const std::string option = text.substr(name, text.find_first_of(": ", name) - name);
  const bool missing = dynamic_cast<const CLI::ArgumentMismatch*>(&e) != nullptr;
  return fmt::format("{} {}", option, missing ? "needs a value" : "takes no value");
}

/// The words before "--", in CLI11's order: from the last to the first. "--hosts=" becomes two words, the second one
/// empty: CLI11 would take the next word for the value.
std::vector<std::string> words_for_cli11(std::span<const char* const> argv) {
  std::vector<std::string> words;
  for (const std::string word : argv) {
    const bool empty_value = word.starts_with("--") && word.ends_with('=');
    words.push_back(empty_value ? word.substr(0, word.size() - 1) : word);
    if (empty_value) words.emplace_back();
  }
  std::reverse(words.begin(), words.end());
  return words;
}

}  // namespace

std::variant<arguments, usage_error> parse_arguments(std::span<const char* const> argv) {
  const auto dashes = std::find(argv.begin(), argv.end(), std::string_view("--"));
  const std::vector<std::string> after(dashes == argv.end() ? dashes : dashes + 1, argv.end());
  std::vector<std::string> before = words_for_cli11(argv.first(static_cast<std::size_t>(dashes - argv.begin())));

  CLI::App app;
  raw_arguments raw;
  declare(app, raw);
  try {
    app.parse(before);
  } catch (const CLI::ParseError& e) {
    return usage_error{complaint_of(e)};
  }

  arguments out;
  if (raw.help || raw.version) {
    out.what = raw.help ? arguments::command::help : arguments::command::version;
    return out;
  }
  reader in(app);
  read_words(in, app.remaining(), raw, out);
  out.targets.insert(out.targets.end(), after.begin(), after.end());
  read_servers(in, raw, out);
  read_values(in, raw, out);
  read_tls(in, raw, out);
  check_together(in, out);
  if (in.complaint()) return *in.complaint();
  return out;
}

}  // namespace lbresolve::cli
