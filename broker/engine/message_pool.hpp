// Memory for messages: a freed message's memory is used for the next message of about its size.
#pragma once

#include <array>
#include <cstddef>
#include <new>
#include <utility>

namespace haypile::engine {

// Allocates memory for messages and keeps some of what is freed. Messages above 4 KiB come from the
// system and go back to it. Belongs to one thread, and must outlive what was taken from it. Under
// AddressSanitizer nothing is kept, so that use after free is still found.
class MessagePool {
 public:
  MessagePool() = default;
  ~MessagePool();
  MessagePool(const MessagePool&) = delete;
  MessagePool& operator=(const MessagePool&) = delete;

  // Memory aligned like that of operator new. Throws std::bad_alloc.
  void* take(std::size_t size) {
    if (!pooled(size)) return ::operator new(size);
    Free*& first = free_[size_class(size)];
    if (!first) return ::operator new(rounded(size));
    kept_bytes_ -= rounded(size);
    return std::exchange(first, first->next);
  }
  // Frees memory that was taken with the same `size`.
  void give(void* memory, std::size_t size) {
    if (!pooled(size) || kept_bytes_ + rounded(size) > kept_max_bytes) {
      return ::operator delete(memory);
    }
    Free*& first = free_[size_class(size)];
    first = new (memory) Free{first};
    kept_bytes_ += rounded(size);
  }
  // Bytes that are free and kept.
  std::size_t kept_bytes() const { return kept_bytes_; }

  static constexpr std::size_t pooled_size_max = 4096;
  static constexpr std::size_t kept_max_bytes = 4u << 20;
#if defined(__SANITIZE_ADDRESS__)
  static constexpr bool keeps = false;
#elif defined(__has_feature)
  static constexpr bool keeps = !__has_feature(address_sanitizer);
#else
  static constexpr bool keeps = true;
#endif

 private:
  struct Free {
    Free* next;
  };
  static constexpr std::size_t step = 64;

  static bool pooled(std::size_t size) {
    return keeps && size <= pooled_size_max;
  }
  static std::size_t size_class(std::size_t size) {
    return (size + step - 1) / step;
  }
  static std::size_t rounded(std::size_t size) {
    return size_class(size) * step;
  }

  std::array<Free*, pooled_size_max / step + 1> free_{};  // by size, in steps
  std::size_t kept_bytes_ = 0;
};

}  // namespace haypile::engine
