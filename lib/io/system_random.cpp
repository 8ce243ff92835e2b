#include "io/system_random.hpp"

#include <openssl/rand.h>
#include <sys/mman.h>
#include <sys/random.h>

#include <array>
#include <cerrno>
#include <new>

namespace lbresolve::io {

core::random_source& thread_random() {
  thread_local system_random random;
  return random;
}

// Not RAND_bytes first: OpenSSL 3.0 takes a lock of the process for each call, and a thread of the application that is
// inside it while another forks leaves it locked in the child for good.
void random_bytes(std::span<std::uint8_t> out) noexcept {
  while (!out.empty()) {
    const auto got = ::getrandom(out.data(), out.size(), 0);
    if (got > 0) {
      out = out.subspan(static_cast<std::size_t>(got));
    } else if (errno != EINTR && ::RAND_bytes(out.data(), static_cast<int>(out.size())) == 1) {
      return;  // a sandbox without the system call
    }
  }
}

/// Lies at the start of its own page. Zero `left`, also as the kernel leaves it in a forked child, means "fill me".
struct system_random::pool {
  std::size_t left = 0;
  std::array<std::uint64_t, 128> words{};
};

namespace {
constexpr std::size_t page_size = 4096;
}

system_random::system_random() {
  static_assert(sizeof(pool) <= page_size);
  void* page = ::mmap(nullptr, page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return;
  if (::madvise(page, page_size, MADV_WIPEONFORK) != 0) {
    ::munmap(page, page_size);
    return;
  }
  pool_ = new (page) pool;
}

system_random::~system_random() {
  if (pool_ != nullptr) ::munmap(pool_, page_size);
}

std::uint64_t system_random::next() {
  if (pool_ == nullptr) {
    std::array<std::uint8_t, sizeof(std::uint64_t)> octets{};
    random_bytes(octets);
    std::uint64_t word = 0;
    for (const auto octet : octets) word = word << 8 | octet;
    return word;
  }
  if (pool_->left == 0) {
    random_bytes({reinterpret_cast<std::uint8_t*>(pool_->words.data()), sizeof(pool_->words)});
    pool_->left = pool_->words.size();
  }
  auto& word = pool_->words[--pool_->left];
  const auto drawn = word;
  word = 0;
  return drawn;
}

}  // namespace lbresolve::io
