#include "micro/allocations.hpp"

#include <cstdlib>
#include <new>

namespace {

thread_local std::uint64_t allocation_count = 0;

void* allocate(std::size_t size, std::size_t alignment = 0) {
  ++allocation_count;
  void* place = alignment == 0
                    ? std::malloc(size)
                    : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (!place) throw std::bad_alloc();
  return place;
}

}  // namespace

// All other forms call these two.
void* operator new(std::size_t size) {
  return allocate(size);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* place) noexcept {
  std::free(place);
}
void operator delete(void* place, std::size_t) noexcept {
  std::free(place);
}
void operator delete(void* place, std::align_val_t) noexcept {
  std::free(place);
}
void operator delete(void* place, std::size_t, std::align_val_t) noexcept {
  std::free(place);
}

namespace haypile::bench {

std::uint64_t allocations_of_this_thread() {
  return allocation_count;
}

}  // namespace haypile::bench
