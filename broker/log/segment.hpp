// Segment files: their names, and reading what is in one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "log/format.hpp"

namespace haypile::log {

// "0000000000000001.seg": the number in 16 hexadecimal digits.
std::string segment_name(std::uint64_t number);
// Nothing for any other name.
std::optional<std::uint64_t> segment_number(std::string_view name);

// `records` lies in the segment's bytes; `position` is that of the first record.
struct Batch {
  LogPosition position = 0;
  std::uint32_t epoch = 0;
  std::string_view records;
};

// Goes over the batches of one segment, front to back.
class SegmentReader {
 public:
  // `bytes` is the whole file, its header already checked; `epoch` that of the batch before it.
  SegmentReader(std::string_view bytes, std::uint64_t number, std::uint64_t segment_size,
                std::uint32_t epoch, const DirectoryId& id);

  // False at the first place where there is no batch.
  bool next(Batch& batch);

  // Where that place is: the offset for the next batch, and what is in the way.
  std::uint64_t offset() const { return offset_; }
  std::uint32_t epoch() const { return epoch_; }
  // What is behind that place.
  struct Tail {
    // Of batches that are not whole, or behind one that is not.
    std::uint64_t torn_bytes = 0;
    // A batch further on says that the log was durable beyond offset(): what is missing there had
    // been whole.
    bool was_durable = false;
    // The highest of those batches; epoch() if there is none.
    std::uint32_t epoch = 0;
  };
  Tail tail() const;
  // Leaves out what stands at offset(), and goes on at the next batch whose header is whole. False
  // if there is none.
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
