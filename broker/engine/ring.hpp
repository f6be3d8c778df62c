// A queue in blocks, whose elements have numbers.
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace haypile::engine {

// A queue whose elements never move, so that no push takes long, however many elements there are.
// Used-up blocks are kept for the next elements, up to a quarter of the blocks in use plus two, so
// that a steady flow allocates nothing. `T` must be default-constructible and movable; a popped
// element is destroyed at once. References are valid until their element is popped.
template <class T>
class Ring {
 public:
  static constexpr std::size_t block_size = 32;
  static_assert(std::is_nothrow_default_constructible_v<T>);

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  // How many elements there is room for.
  std::size_t capacity() const { return (blocks_.size() - first_block_) * block_size; }

  T& operator[](std::size_t i) { return slot(first_ + i); }
  const T& operator[](std::size_t i) const { return slot(first_ + i); }
  T& front() { return slot(first_); }

  void push_back(T&& element) { extend() = std::move(element); }
  // Adds a default-constructed element.
  T& extend() {
    if (first_ + size_ == capacity()) blocks_.push_back(std::make_unique<Block>());
    return slot(first_ + size_++);
  }
  void pop_front() {
    assert(size_ > 0);
    std::destroy_at(&front());
    std::construct_at(&front());
    --size_;
    if (++first_ == block_size) drop_block();
  }

 private:
  using Block = std::array<T, block_size>;

  T& slot(std::size_t i) { return (*blocks_[first_block_ + i / block_size])[i % block_size]; }
  const T& slot(std::size_t i) const {
    return (*blocks_[first_block_ + i / block_size])[i % block_size];
  }
  // The first block is used up and becomes the last one.
  void drop_block() {
    std::unique_ptr<Block> spare = std::move(blocks_[first_block_++]);
    blocks_.push_back(std::move(spare));
    first_ = 0;
    const std::size_t used_count = (size_ + block_size - 1) / block_size;
    while (blocks_.size() - first_block_ > used_count + used_count / 4 + 2)
      blocks_.pop_back();
    if (first_block_ <= blocks_.size() / 2) return;
    blocks_.erase(blocks_.begin(), blocks_.begin() + static_cast<std::ptrdiff_t>(first_block_));
    first_block_ = 0;
    if (blocks_.capacity() > 4 * blocks_.size() + block_size) blocks_.shrink_to_fit();
  }

  std::vector<std::unique_ptr<Block>> blocks_;
  std::size_t first_block_ = 0;  // the blocks before it are used up
  std::size_t first_ = 0;        // in the first block
  std::size_t size_ = 0;
};

}  // namespace haypile::engine
