// A child process for a test, also in namespaces of its own, with or without root.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

namespace lbresolve::test {

/// What `f` returns in a forked child; 128 and the signal's number where that ended it. doctest's checks do not reach
/// out of it.
template <class F>
int in_child(F f) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(f());
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

namespace detail {
inline bool write_text(const char* path, const std::string& text) {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  const bool done = fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(fd);
  return done;
}
}  // namespace detail

/// Enters fresh namespaces (CLONE_NEWNET, CLONE_NEWNS) and is root in them. To be called in a child with one thread.
inline bool enter_namespaces(int which) {
  const auto uid = ::geteuid();
  const auto gid = ::getegid();
  if (uid == 0) return ::unshare(which) == 0;
  if (::unshare(which | CLONE_NEWUSER) != 0) return false;
  return detail::write_text("/proc/self/setgroups", "deny") &&
         detail::write_text("/proc/self/uid_map", "0 " + std::to_string(uid) + " 1") &&
         detail::write_text("/proc/self/gid_map", "0 " + std::to_string(gid) + " 1");
}

/// Whether this machine allows such namespaces. Where it does not, the test says so and ends; a machine of CI must
/// allow them (LBRESOLVE_E2E=required).
inline bool has_namespaces(int which) {
  if (in_child([which] { return enter_namespaces(which) ? 0 : 1; }) == 0) return true;
  const char* wish = std::getenv("LBRESOLVE_E2E");
  const std::string why = "the kernel does not allow namespaces here";
  if (wish != nullptr && std::strcmp(wish, "required") == 0)
    FAIL_CHECK(why);
  else
    MESSAGE(why);
  return false;
}

}  // namespace lbresolve::test
