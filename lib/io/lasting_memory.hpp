// Memory that is taken piece by piece and given back all at once.
#pragma once

#include <cstddef>
#include <vector>

namespace lbresolve::io {

/// Comes in chunks of 2 MiB and more, all but the first in huge pages where the system has them to give: among a
/// million names every cache line that a pick reads would cost a walk through the page tables besides. What was taken
/// stays readable, whatever it holds by then, until this object goes: readers without a lock rely on it. Thread-safety:
/// one thread at a time.
class lasting_memory {
 public:
  lasting_memory() = default;
  ~lasting_memory();
  lasting_memory(const lasting_memory&) = delete;
  lasting_memory& operator=(const lasting_memory&) = delete;

  /// Zeroes, at a cache line's border. @throws std::bad_alloc
  std::byte* take(std::size_t bytes);

 private:
  static constexpr std::size_t line = 64;

  struct chunk {
    void* at;
    std::size_t bytes;
  };
  void add_chunk(std::size_t least);

  std::vector<chunk> chunks_;
  std::byte* free_ = nullptr;
  std::size_t left_ = 0;
};

}  // namespace lbresolve::io
