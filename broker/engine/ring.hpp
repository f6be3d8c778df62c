// A queue in one piece of memory, whose elements can be had by their number.
#pragma once

#include <cassert>
#include <cstddef>
#include <memory>
#include <utility>

namespace haypile::engine {

// Has room for a power of two of elements and makes more when it is full; when no more than an
// eighth is in use it gives back half. `T` is default-constructible and movable; what was popped is
// destroyed at once. References are valid until the next push or pop.
template <class T>
class Ring {
 public:
  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  // For how many elements there is room.
  std::size_t capacity() const { return capacity_; }

  T& operator[](std::size_t i) { return slots_[place(i)]; }
  const T& operator[](std::size_t i) const { return slots_[place(i)]; }
  T& front() { return (*this)[0]; }

  void push_back(T&& element) {
    if (size_ == capacity_) move_to(capacity_ == 0 ? capacity_min : 2 * capacity_);
    slots_[place(size_)] = std::move(element);
    ++size_;
  }
  void pop_front() {
    assert(size_ > 0);
    front() = T{};
    ++first_;
    --size_;
    if (capacity_ > kept_capacity && size_ <= capacity_ / 8) move_to(capacity_ / 2);
  }

  static constexpr std::size_t capacity_min = 16;
  static constexpr std::size_t kept_capacity = 1024;  // is never given back

 private:
  std::size_t place(std::size_t i) const { return (first_ + i) & (capacity_ - 1); }

  void move_to(std::size_t capacity) {
    auto slots = std::make_unique<T[]>(capacity);
    for (std::size_t i = 0; i < size_; ++i)
      slots[i] = std::move((*this)[i]);
    slots_ = std::move(slots);
    capacity_ = capacity;
    first_ = 0;
  }

  std::unique_ptr<T[]> slots_;
  std::size_t capacity_ = 0;
  std::size_t first_ = 0;  // counts on; its place is what is left of it by the capacity
  std::size_t size_ = 0;
};

}  // namespace haypile::engine
