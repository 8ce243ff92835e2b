#include "channel.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

namespace nb = nanobind;

namespace lbresolve::python {

channel::channel() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (fd_ >= 0) return;
  PyErr_SetFromErrno(PyExc_OSError);
  throw nb::python_error();
}

channel::~channel() { ::close(fd_); }

void channel::put(std::uint64_t token, outcome_of_call::any what) {
  const std::lock_guard lock(mutex_);
  waiting_.emplace_back(token, std::move(what));
  if (waiting_.size() == 1) ::eventfd_write(fd_, 1);
}

nb::list channel::take_all() {
  decltype(waiting_) taken;
  {
    // Python's lock is held, and whoever holds the mutex does not wait for that one.
    const std::lock_guard lock(mutex_);
    taken.swap(waiting_);
    eventfd_t count = 0;
    ::eventfd_read(fd_, &count);
  }
  nb::list out;
  for (auto& [token, what] : taken) out.append(nb::make_tuple(token, outcome_of_call(std::move(what))));
  return out;
}

}  // namespace lbresolve::python
