// Segment files: their names, and the reading of batches.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "log/format.hpp"

namespace haypile::log {

// "0000000000000001.seg": the number in 16 hexadecimal digits.
std::string segment_name(std::uint64_t number);
// Returns nothing for any other name.
std::optional<std::uint64_t> segment_number(std::string_view name);

// A batch. `records` is a view into the segment's bytes; `position` is the position of its first
// record.
struct Batch {
  LogPosition position = 0;
  std::uint32_t epoch = 0;
  std::string_view records;
};

// Reads the batches of one segment, from front to back.
class SegmentReader {
 public:
  // `bytes` is the whole file, whose header has been checked. `epoch` is the epoch of the batch
  // before.
  SegmentReader(std::string_view bytes, std::uint64_t number, std::uint64_t segment_size,
                std::uint32_t epoch, const DirectoryId& id);

  // Returns false at the first place where there is no batch.
  bool next(Batch& batch);

  // The offset of that place, where the next batch would begin, and the epoch of the last batch.
  std::uint64_t offset() const { return offset_; }
  std::uint32_t epoch() const { return epoch_; }
  // What is behind that place.
  struct Tail {
    // The size of batches that are incomplete, or behind an incomplete one.
    std::uint64_t torn_bytes = 0;
    // A later batch says that the log was durable beyond offset(), so that what is missing there
    // had been complete.
    bool was_durable = false;
    // The highest epoch of those batches; epoch() if there is none.
    std::uint32_t epoch = 0;
  };
  Tail tail() const;
  // Skips what is at offset() and continues at the next batch whose header is undamaged. Returns
  // false if there is none.
  bool skip();

 private:
  std::optional<BatchHeader> header_at(std::uint64_t offset) const;

  std::string_view bytes_;
  std::uint64_t base_;  // position of the first byte
  std::uint32_t epoch_;
  DirectoryId id_;
  std::uint64_t offset_ = segment_header_size;
};

}  // namespace haypile::log
