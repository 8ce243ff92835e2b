// Random bits from the kernel's CSPRNG, buffered.
#pragma once

#include "core/random.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace lbresolve::io {

/// Bits for query IDs, letter case, jitter and choices. A draw costs nanoseconds; each 1 KiB comes from getrandom(2).
///
/// Drawn bits are wiped from the buffer at once. A forked child never repeats its parent's bits: the buffer is a page
/// that the kernel empties in the child (MADV_WIPEONFORK, Linux 4.14), however it was forked; where the kernel cannot,
/// nothing is buffered. One thread at a time.
class system_random final : public core::random_source {
 public:
  system_random();
  ~system_random() override;
  system_random(const system_random&) = delete;
  system_random& operator=(const system_random&) = delete;

  std::uint64_t next() override;

 private:
  struct pool;
  pool* pool_ = nullptr;  // null where no page that is wiped on fork can be had
};

/// This thread's own.
core::random_source& thread_random();

/// Fills `out` from the CSPRNG, unbuffered; OpenSSL's where the kernel's is out of reach. At most INT_MAX octets.
void random_bytes(std::span<std::uint8_t> out) noexcept;

}  // namespace lbresolve::io
