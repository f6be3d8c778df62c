// A queue in one block of memory.
#pragma once

#include <cassert>
#include <cstddef>
#include <utility>
#include <vector>

namespace haypile {

// A queue that allocates only when it becomes longer than it ever was: then its room doubles, and
// is kept. `T` is default-constructible and movable; what a popped element held is let go at once.
// References are valid until something is pushed, or the element is popped.
template <class T>
class Fifo {
 public:
  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }

  // Element 0 is the one that comes out next.
  T& operator[](std::size_t i) { return slots_[index(i)]; }
  const T& operator[](std::size_t i) const { return slots_[index(i)]; }

  // Adds a default-constructed element.
  T& extend() {
    if (size_ == slots_.size()) grow();
    return slots_[index(size_++)];
  }
  T& push(T&& element) { return extend() = std::move(element); }
  T pop() {
    T element = std::move((*this)[0]);
    drop();
    return element;
  }
  // Does the same without the element.
  void drop() {
    assert(size_ > 0);
    slots_[first_] = T{};
    first_ = index(1);
    --size_;
  }

 private:
  // The number of slots is a power of two.
  std::size_t index(std::size_t i) const { return (first_ + i) & (slots_.size() - 1); }
  void grow() {
    std::vector<T> larger(slots_.empty() ? 16 : 2 * slots_.size());
    for (std::size_t i = 0; i < size_; ++i)
      larger[i] = std::move((*this)[i]);
    slots_ = std::move(larger);
    first_ = 0;
  }

  std::vector<T> slots_;
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

}  // namespace haypile
