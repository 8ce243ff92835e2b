// Counts what operator new is asked for. Include it in one source file of a program: it replaces the global operators.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace lbresolve::bench {

inline thread_local std::uint64_t allocation_count = 0;  // NOLINT: the point is to be reached from operator new

}  // namespace lbresolve::bench

void* operator new(std::size_t size) {
  ++lbresolve::bench::allocation_count;
  if (void* p = std::malloc(size)) return p;
  throw std::bad_alloc();
}

void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
