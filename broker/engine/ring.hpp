// A queue in blocks, whose elements can be had by their number.
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace haypile::engine {

// Elements never move, so that no push takes long however many there are. A block that has been
// used up is kept for the next one: what goes through without staying allocates nothing. `T` is
// default-constructible and movable; what was popped is destroyed at once. References are valid
// until their element is popped.
template <class T>
class Ring {
 public:
  static constexpr std::size_t block_size = 32;

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  // For how many elements there is room.
  std::size_t capacity() const {
    return (blocks_.size() - first_block_ + (spare_ ? 1 : 0)) * block_size;
  }

  T& operator[](std::size_t i) { return slot(first_ + i); }
  const T& operator[](std::size_t i) const { return slot(first_ + i); }
  T& front() { return slot(first_); }

  void push_back(T&& element) {
    if (first_ + size_ == (blocks_.size() - first_block_) * block_size) add_block();
    slot(first_ + size_) = std::move(element);
    ++size_;
  }
  void pop_front() {
    assert(size_ > 0);
    front() = T{};
    --size_;
    if (++first_ == block_size) drop_block();
  }

 private:
  using Block = std::array<T, block_size>;

  T& slot(std::size_t i) { return (*blocks_[first_block_ + i / block_size])[i % block_size]; }
  const T& slot(std::size_t i) const {
    return (*blocks_[first_block_ + i / block_size])[i % block_size];
  }
  void add_block() { blocks_.push_back(spare_ ? std::move(spare_) : std::make_unique<Block>()); }
  void drop_block() {
    spare_ = std::move(blocks_[first_block_]);
    first_ = 0;
    if (++first_block_ <= blocks_.size() / 2) return;
    blocks_.erase(blocks_.begin(), blocks_.begin() + static_cast<std::ptrdiff_t>(first_block_));
    first_block_ = 0;
    if (blocks_.capacity() > 4 * blocks_.size() + block_size) blocks_.shrink_to_fit();
  }

  std::vector<std::unique_ptr<Block>> blocks_;
  std::size_t first_block_ = 0;  // those before it have been used up
  std::unique_ptr<Block> spare_;
  std::size_t first_ = 0;  // in the first block
  std::size_t size_ = 0;
};

}  // namespace haypile::engine
