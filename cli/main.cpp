#include "cli/arguments.hpp"
#include "cli/connect_command.hpp"
#include "cli/exit_code.hpp"
#include "cli/explain_command.hpp"
#include "cli/health_command.hpp"
#include "cli/output.hpp"
#include "cli/probe_command.hpp"
#include "cli/resolve_command.hpp"
#include "cli/terminal.hpp"
#include "cli/wakeup.hpp"

#include <lbresolve/resolver.hpp>
#include <lbresolve/version.hpp>

#include <fmt/format.h>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>

namespace lbresolve::cli {
namespace {

/// A closed standard stream would become the first socket. Opened the wrong way round, so that its use still fails.
void occupy_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(fd, F_GETFD) != -1) continue;
    if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd) return;
  }
}

/// The library names its own options; here they have the names of the flags.
std::string in_flags(std::string sentence) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 3> names{
      {{"query.client_subnet", "--subnet"}, {"nat64_prefix", "--nat64"}, {"racing.attempt_delay", "--attempt-delay"}}};
  for (const auto& [option, flag] : names) {
    if (sentence.starts_with(option)) return sentence.replace(0, option.size(), flag);
  }
  return sentence;
}

/// A build without SQLite remembers nothing between runs: an error only for who named a file.
result<resolver> make_resolver(const arguments& args) {
  options settings = args.resolver_options();
  result<resolver> made = resolver::create(settings);
  if (made || made.error() != errc::unsupported || args.state_named) return made;
  settings.selection.state_file.clear();
  return resolver::create(std::move(settings));
}

exit_code run(const arguments& args, output& out) {
  if (args.what == arguments::command::help) {
    out.write(help_text());
    return exit_code::ok;
  }
  if (args.what == arguments::command::version) {
    out.write(fmt::format("lbresolve {}\n", version()));
    return exit_code::ok;
  }
  if (!wakeup::prepare()) {
    complain("this process is out of descriptors");
    return exit_code::other;
  }
  result<resolver> made = make_resolver(args);
  if (!made) {
    complain(in_flags(made.error().message()));
    return exit_code_of(made.error());
  }
  const terminal to = terminal::of_stdout(args.color);
  switch (args.what) {
    case arguments::command::connect:
      return run_connect(args, made.value(), to, out);
    case arguments::command::explain:
      return run_explain(args, made.value(), to, out);
    case arguments::command::probe:
      return run_probe(args, made.value(), to, out);
    case arguments::command::health:
      return run_health(args, made.value(), to, out);
    case arguments::command::resolve:
    case arguments::command::help:
    case arguments::command::version:
      break;
  }
  return run_resolve(args, made.value(), to, out);
}

exit_code main_of(std::span<const char* const> argv) {
  occupy_standard_streams();
  std::signal(SIGPIPE, SIG_IGN);  // a reader that has gone is an error of write(), and no reason to die in a socket
  const auto parsed = parse_arguments(argv);
  if (const auto* wrong = std::get_if<usage_error>(&parsed)) {
    complain(wrong->sentence + "; try lbresolve --help");
    return exit_code::usage;
  }
  output out;
  const exit_code code = run(std::get<arguments>(parsed), out);
  if (!out.failed()) return code;
  complain("cannot write the output: " + std::generic_category().message(out.error()));
  return exit_code::write_failed;
}

}  // namespace
}  // namespace lbresolve::cli

int main(int argc, char** argv) {
  try {
    const std::span<const char* const> all(argv, static_cast<std::size_t>(argc));
    return static_cast<int>(lbresolve::cli::main_of(all.empty() ? all : all.subspan(1)));
  } catch (const std::exception& e) {
    lbresolve::cli::complain(e.what());
    return static_cast<int>(lbresolve::cli::exit_code::other);
  }
}
