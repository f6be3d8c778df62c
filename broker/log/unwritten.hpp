// The parts of a pile that may not be in its file yet.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace haypile::log {

// Keeps parts of a pile in memory until they are in its file, so that they can be read. Belongs to
// the engine's thread. Only written() is shared with the thread that writes the file, from front to
// back.
class Unwritten {
 public:
  using Part = std::shared_ptr<const std::string>;

  // Adds the part that begins at `offset` of the file, where the part before ends.
  Part add(std::uint64_t offset, std::string bytes) {
    size_ += bytes.size();
    parts_.push_back({offset, std::make_shared<const std::string>(std::move(bytes))});
    return parts_.back().bytes;
  }
  // The number of bytes at the beginning of the file that have been written. The writing thread
  // raises it.
  const std::shared_ptr<std::atomic<std::uint64_t>>& written() const { return written_; }
  // Forgets the parts that have been written.
  void trim() {
    const std::uint64_t written = written_->load(std::memory_order_acquire);
    while (!parts_.empty() && parts_.front().offset + parts_.front().bytes->size() <= written) {
      size_ -= parts_.front().bytes->size();
      parts_.pop_front();
    }
  }
  // The size of all parts, in bytes.
  std::uint64_t size() const { return size_; }
  bool has(std::uint64_t offset) const {
    return !parts_.empty() && offset >= parts_.front().offset;
  }
  // Up to `size` bytes at `offset`, but only from one part. Requires has(offset). Valid until
  // trim().
  std::string_view read(std::uint64_t offset, std::size_t size) const {
    for (auto part = parts_.rbegin(); part != parts_.rend(); ++part) {
      if (part->offset > offset) continue;
      const std::uint64_t at = offset - part->offset;
      if (at >= part->bytes->size()) return {};
      return std::string_view(*part->bytes).substr(static_cast<std::size_t>(at), size);
    }
    return {};
  }

 private:
  struct Placed {
    std::uint64_t offset;
    Part bytes;
  };
  std::deque<Placed> parts_;
  std::uint64_t size_ = 0;
  std::shared_ptr<std::atomic<std::uint64_t>> written_ =
      std::make_shared<std::atomic<std::uint64_t>>(0);
};

}  // namespace haypile::log
