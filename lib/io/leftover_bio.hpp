// OpenSSL's end of a socket from which something has been read already.
#pragma once

#include "io/openssl.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace lbresolve::io {

using bio_pointer = std::unique_ptr<BIO, openssl_free<&BIO_free>>;

/// A BIO that reads `leftover` first and the socket `fd` after it, and writes to the socket, never raising SIGPIPE. The
/// descriptor stays the caller's. Null where memory runs out.
bio_pointer make_leftover_bio(int fd, std::vector<std::uint8_t> leftover);

}  // namespace lbresolve::io
