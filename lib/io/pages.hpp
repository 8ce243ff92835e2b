// Memory straight from the system, for tables so large that walks through the page tables show.
#pragma once

#include <cstddef>

namespace lbresolve::io {

/// The pages that processors know besides the small ones (x86-64, AArch64 with small pages of 4 KiB).
constexpr std::size_t huge_page = std::size_t{2} << 20;

/// Zeroes, which take up memory as they are touched. Whoever gets them gives them back by unmap_pages().
/// @param bytes a multiple of huge_page, and at such a border
/// @param huge ask for huge pages; a system that does not give them does without. The first touch takes up all of one
/// @throws std::bad_alloc
void* map_pages(std::size_t bytes, bool huge);
void unmap_pages(void* at, std::size_t bytes) noexcept;

}  // namespace lbresolve::io
