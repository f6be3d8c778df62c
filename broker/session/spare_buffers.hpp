// Large buffers to be used again.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace haypile::session {

// Clean memory from the system costs more than what is put in it, so what one output does not need
// any more is for the next one that grows. Belongs to one thread.
class SpareBuffers {
 public:
  SpareBuffers() { buffers_.reserve(count_max); }
  // Takes the buffer's memory, or frees it where there is enough already. The buffer is empty
  // afterwards. Takes no memory itself: it is called where there may be none.
  void keep(std::string& buffer) {
    std::string taken = std::exchange(buffer, {});
    if (buffers_.size() == count_max || bytes_ + taken.capacity() > bytes_max) return;
    taken.clear();
    bytes_ += taken.capacity();
    buffers_.push_back(std::move(taken));
  }
  // Moves what is in the buffer to a larger one, if there is any.
  void enlarge(std::string& buffer) {
    if (buffers_.empty() || buffers_.back().capacity() <= buffer.capacity()) return;
    std::string larger = std::move(buffers_.back());
    buffers_.pop_back();
    bytes_ -= larger.capacity();
    larger = buffer;
    buffer = std::move(larger);
  }
  // What they take in memory.
  std::size_t bytes() const { return bytes_; }

  static constexpr std::size_t bytes_max = 4u << 20;

 private:
  static constexpr std::size_t count_max = 64;

  std::vector<std::string> buffers_;
  std::size_t bytes_ = 0;
};

}  // namespace haypile::session
