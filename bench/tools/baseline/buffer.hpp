// A byte queue that is written at its end and read from its front, and numbers in network byte
// order. The caller of the number functions has checked the bounds.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

namespace haypile::bench::baseline {

static_assert(std::endian::native == std::endian::little);

inline std::uint16_t load16(const char* from) {
  std::uint16_t value = 0;
  std::memcpy(&value, from, sizeof value);
  return __builtin_bswap16(value);
}
inline std::uint32_t load32(const char* from) {
  std::uint32_t value = 0;
  std::memcpy(&value, from, sizeof value);
  return __builtin_bswap32(value);
}
inline std::uint64_t load64(const char* from) {
  std::uint64_t value = 0;
  std::memcpy(&value, from, sizeof value);
  return __builtin_bswap64(value);
}
inline void store32(char* to, std::uint32_t value) {
  value = __builtin_bswap32(value);
  std::memcpy(to, &value, sizeof value);
}
inline void store64(char* to, std::uint64_t value) {
  value = __builtin_bswap64(value);
  std::memcpy(to, &value, sizeof value);
}

// A byte queue. It keeps its memory when it is emptied, so it allocates nothing when it has reached
// its final size.
class Buffer {
 public:
  Buffer() = default;
  ~Buffer() { std::free(data_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  bool empty() const { return begin_ == end_; }
  std::size_t size() const { return end_ - begin_; }
  // Valid until the next room() or append().
  std::string_view view() const { return {data_ + begin_, size()}; }

  // Returns the place for `size` more bytes. Call grew() when they are written.
  char* room(std::size_t size) {
    if (capacity_ - end_ < size) make_room(size);
    return data_ + end_;
  }
  void grew(std::size_t size) { end_ += size; }
  void append(std::string_view bytes) {
    if (bytes.empty()) return;
    std::memcpy(room(bytes.size()), bytes.data(), bytes.size());
    grew(bytes.size());
  }

  void consume(std::size_t size) {
    begin_ += size;
    if (begin_ == end_) clear();
  }
  void clear() { begin_ = end_ = 0; }
  void swap(Buffer& other) {
    std::swap(data_, other.data_);
    std::swap(begin_, other.begin_);
    std::swap(end_, other.end_);
    std::swap(capacity_, other.capacity_);
  }

 private:
  void make_room(std::size_t size) {
    const std::size_t used = end_ - begin_;
    // Moving to the front is useful only if it frees at least as much as it moves.
    if (begin_ < used || capacity_ - used < size) {
      std::size_t capacity = capacity_ == 0 ? 4096 : capacity_;
      while (capacity - used < size)
        capacity *= 2;
      if (capacity == capacity_) capacity *= 2;
      char* data = static_cast<char*>(std::realloc(data_, capacity));
      if (data == nullptr) throw std::bad_alloc();
      data_ = data;
      capacity_ = capacity;
    }
    if (begin_ != 0) std::memmove(data_, data_ + begin_, used);
    begin_ = 0;
    end_ = used;
  }

  char* data_ = nullptr;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace haypile::bench::baseline
