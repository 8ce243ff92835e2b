#include "io/pages.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <new>

namespace lbresolve::io {

// The system aligns to small pages only: more than enough is mapped, and what juts out is given back.
void* map_pages(std::size_t bytes, bool huge) {
  const std::size_t enough = bytes + huge_page;
  void* const mapped = ::mmap(nullptr, enough, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  auto* const from = static_cast<std::byte*>(mapped);
  const std::size_t before = (huge_page - reinterpret_cast<std::uintptr_t>(from) % huge_page) % huge_page;
  if (before != 0) ::munmap(from, before);
  ::munmap(from + before + bytes, huge_page - before);
#ifdef MADV_HUGEPAGE
  if (huge) ::madvise(from + before, bytes, MADV_HUGEPAGE);
#else
  static_cast<void>(huge);
#endif
  return from + before;
}

void unmap_pages(void* at, std::size_t bytes) noexcept { ::munmap(at, bytes); }

}  // namespace lbresolve::io
