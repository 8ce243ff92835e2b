#include "io/lasting_memory.hpp"

#include "io/pages.hpp"

#include <utility>

namespace lbresolve::io {

lasting_memory::~lasting_memory() {
  for (const chunk& c : chunks_) unmap_pages(c.at, c.bytes);
}

std::byte* lasting_memory::take(std::size_t bytes) {
  const std::size_t whole = (bytes + line - 1) / line * line;
  if (whole > left_) add_chunk(whole);
  left_ -= whole;
  return std::exchange(free_, free_ + whole);
}

void lasting_memory::add_chunk(std::size_t least) {
  const std::size_t bytes = (least + huge_page - 1) / huge_page * huge_page;
  chunks_.reserve(chunks_.size() + 1);
  void* const at = map_pages(bytes, !chunks_.empty());
  chunks_.push_back({at, bytes});
  free_ = static_cast<std::byte*>(at);
  left_ = bytes;
}

}  // namespace lbresolve::io
