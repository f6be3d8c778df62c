// Large buffers that are kept for reuse.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace haypile::session {

// A pool of large buffers. Fresh memory from the system costs more than writing to it, so a buffer
// that one output no longer needs is used for the next output that grows. Belongs to one thread.
class SpareBuffers {
 public:
  SpareBuffers() { buffers_.reserve(count_max); }
  // Takes the buffer's memory, or frees it if there is enough already. The buffer is empty
  // afterwards. Allocates nothing, because it is called where there may be no memory.
  void keep(std::string& buffer) {
    std::string taken = std::exchange(buffer, {});
    if (buffers_.size() == count_max || bytes_ + taken.capacity() > bytes_max) return;
    taken.clear();
    bytes_ += taken.capacity();
    buffers_.push_back(std::move(taken));
  }
  // Moves the buffer's content to a larger buffer, if there is one.
  void enlarge(std::string& buffer) {
    if (buffers_.empty() || buffers_.back().capacity() <= buffer.capacity()) return;
    std::string larger = std::move(buffers_.back());
    buffers_.pop_back();
    bytes_ -= larger.capacity();
    larger = buffer;
    buffer = std::move(larger);
  }
  // The memory of all kept buffers.
  std::size_t bytes() const { return bytes_; }

  static constexpr std::size_t bytes_max = 4u << 20;

 private:
  static constexpr std::size_t count_max = 64;

  std::vector<std::string> buffers_;
  std::size_t bytes_ = 0;
};

}  // namespace haypile::session
