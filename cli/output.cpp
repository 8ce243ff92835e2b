#include "cli/output.hpp"

#include "cli/safe_text.hpp"

#include <unistd.h>

#include <cerrno>
#include <string>

namespace lbresolve::cli {
namespace {

/// The errno of the write that failed, 0 when all is written.
int write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

}  // namespace

bool output::write(std::string_view text) {
  if (error_ == 0) error_ = write_all(STDOUT_FILENO, text);
  return error_ == 0;
}

bool output::reader_gone() const { return error_ == EPIPE; }

void complain(std::string_view sentence) {
  // In ASCII: a log file says nothing about the encoding of the terminal that will show it.
  const std::string line = "lbresolve: " + safe_text(sentence, false) + "\n";
  write_all(STDERR_FILENO, line);  // nobody is left to tell when this fails
}

}  // namespace lbresolve::cli
