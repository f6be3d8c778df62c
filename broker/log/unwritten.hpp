// The parts of a pile that are not known to be in its file yet.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace haypile::log {

// Belongs to the engine's thread; only `written()` is shared with whoever writes the file, front
// to back.
class Unwritten {
 public:
  using Part = std::shared_ptr<const std::string>;

  // The part that begins at `offset` of the file, where the one before ends.
  Part add(std::uint64_t offset, std::string bytes) {
    size_ += bytes.size();
    parts_.push_back({offset, std::make_shared<const std::string>(std::move(bytes))});
    return parts_.back().bytes;
  }
  // Of the file, from its beginning: raised when so much has been written.
  const std::shared_ptr<std::atomic<std::uint64_t>>& written() const { return written_; }
  // Forgets what has been written since.
  void trim() {
    const std::uint64_t written = written_->load(std::memory_order_acquire);
    while (!parts_.empty() && parts_.front().offset + parts_.front().bytes->size() <= written) {
      size_ -= parts_.front().bytes->size();
      parts_.pop_front();
    }
  }
  // In bytes.
  std::uint64_t size() const { return size_; }
  bool has(std::uint64_t offset) const {
    return !parts_.empty() && offset >= parts_.front().offset;
  }
  // Up to `size` bytes, no more than the part has that `offset` is in. Only if has(offset); valid
  // until it is trimmed.
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
