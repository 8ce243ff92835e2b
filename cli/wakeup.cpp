#include "cli/wakeup.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>

namespace lbresolve::cli {
namespace {

std::array<int, 2> ends{-1, -1};
std::atomic<bool> interrupt_seen{false};
static_assert(std::atomic<bool>::is_always_lock_free, "it is written in a signal handler");

extern "C" void on_interrupt(int) {
  interrupt_seen = true;
  wakeup::ring();
}

}  // namespace

bool wakeup::prepare() {
  if (pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return false;
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  return sigaction(SIGINT, &action, nullptr) == 0;
}

void wakeup::ring() noexcept {
  const int saved = errno;
  const char byte = 0;
  // A full pipe has rung already.
  if (write(ends[1], &byte, 1) < 0) errno = saved;
}

void wakeup::wait(std::optional<std::chrono::milliseconds> most) {
  pollfd waiting{ends[0], POLLIN, 0};
  const int timeout = most ? static_cast<int>(std::clamp<std::int64_t>(most->count(), 0, 3'600'000)) : -1;
  while (poll(&waiting, 1, timeout) < 0 && errno == EINTR && !interrupted()) {
  }
  std::array<char, 64> drained{};
  while (read(ends[0], drained.data(), drained.size()) > 0) {
  }
}

bool wakeup::interrupted() { return interrupt_seen; }

}  // namespace lbresolve::cli
