#include <lbresolve/connection.hpp>

#include <fcntl.h>
#include <unistd.h>

namespace lbresolve {

connection& connection::operator=(connection&& other) noexcept {
  if (this == &other) return *this;
  close();
  fd_ = std::exchange(other.fd_, -1);
  peer_ = other.peer_;
  story_ = std::move(other.story_);
  tls_ = std::move(other.tls_);
  return *this;
}

bool connection::set_blocking(bool blocking) noexcept {
  const int flags = ::fcntl(fd_, F_GETFL);
  if (flags < 0) return false;
  return ::fcntl(fd_, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK) == 0;
}

void connection::close() noexcept {
  tls_ = {};
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

}  // namespace lbresolve
