#include "io/leftover_bio.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <utility>

namespace lbresolve::io {

namespace {

struct source {
  int fd = -1;
  std::vector<std::uint8_t> leftover;
  std::size_t taken = 0;
};

source& source_of(BIO* b) { return *static_cast<source*>(BIO_get_data(b)); }

bool may_try_again() { return errno == EAGAIN || errno == EINTR; }

int read_from(BIO* b, char* into, int size) {
  BIO_clear_retry_flags(b);
  source& s = source_of(b);
  const auto wanted = static_cast<std::size_t>(std::max(size, 0));
  if (s.taken < s.leftover.size()) {
    const std::size_t count = std::min(wanted, s.leftover.size() - s.taken);
    std::copy_n(s.leftover.begin() + static_cast<std::ptrdiff_t>(s.taken), count, into);
    s.taken += count;
    if (s.taken == s.leftover.size()) s.leftover = {};
    if (s.leftover.empty()) s.taken = 0;
    return static_cast<int>(count);
  }
  const ssize_t count = ::recv(s.fd, into, wanted, 0);
  if (count < 0 && may_try_again()) BIO_set_retry_read(b);
  if (count == 0) BIO_set_flags(b, BIO_FLAGS_IN_EOF);
  return static_cast<int>(count);
}

int write_to(BIO* b, const char* from, int size) {
  BIO_clear_retry_flags(b);
  const ssize_t count = ::send(source_of(b).fd, from, static_cast<std::size_t>(std::max(size, 0)), MSG_NOSIGNAL);
  if (count < 0 && may_try_again()) BIO_set_retry_write(b);
  return static_cast<int>(count);
}

long control(BIO* b, int command, long, void* into) {
  switch (command) {
    case BIO_CTRL_FLUSH:
      return 1;
    case BIO_CTRL_EOF:
      return BIO_test_flags(b, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
    case BIO_CTRL_PENDING:
      return static_cast<long>(source_of(b).leftover.size() - source_of(b).taken);
    case BIO_C_GET_FD:  // for SSL_get_fd()
      if (into != nullptr) *static_cast<int*>(into) = source_of(b).fd;
      return source_of(b).fd;
    default:
      return 0;
  }
}

int destroy(BIO* b) {
  delete static_cast<source*>(BIO_get_data(b));
  BIO_set_data(b, nullptr);
  return 1;
}

BIO_METHOD* make_method() {
  // A descriptor type, so that SSL_get_fd() finds it.
  BIO_METHOD* const m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK | BIO_TYPE_DESCRIPTOR, "lbresolve");
  if (m == nullptr) return nullptr;
  BIO_meth_set_read(m, &read_from);
  BIO_meth_set_write(m, &write_to);
  BIO_meth_set_ctrl(m, &control);
  BIO_meth_set_destroy(m, &destroy);
  return m;
}

}  // namespace

bio_pointer make_leftover_bio(int fd, std::vector<std::uint8_t> leftover) {
  static BIO_METHOD* const method = make_method();
  bio_pointer made(method == nullptr ? nullptr : BIO_new(method));
  if (!made) return nullptr;
  BIO_set_data(made.get(), new source{.fd = fd, .leftover = std::move(leftover)});
  BIO_set_init(made.get(), 1);
  return made;
}

}  // namespace lbresolve::io
