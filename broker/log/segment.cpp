#include "log/segment.hpp"

#include <algorithm>
#include <cstring>

#include "engine/canary.hpp"
#include "log/numbered_name.hpp"

namespace haypile::log {

namespace {
constexpr std::string_view segment_suffix = ".seg";
}  // namespace

std::string segment_name(std::uint64_t number) {
  return numbered_name(number, segment_suffix);
}

std::optional<std::uint64_t> segment_number(std::string_view name) {
  return number_in(name, segment_suffix);
}

SegmentReader::SegmentReader(std::string_view bytes, std::uint64_t number,
                             std::uint64_t segment_size, std::uint32_t epoch, const DirectoryId& id)
    : bytes_(bytes), base_(number * segment_size), epoch_(epoch), id_(id) {}

std::optional<BatchHeader> SegmentReader::header_at(std::uint64_t offset) const {
  if (offset >= bytes_.size()) return std::nullopt;
  return decode_batch_header(bytes_.substr(offset), id_, base_ + offset);
}

// A batch of an earlier epoch was left by a crash and has been overwritten in part.
bool SegmentReader::next(Batch& batch) {
  const auto header = header_at(offset_);
  if (!header || (header->epoch < epoch_ && !HAYPILE_CANARY(epoch_not_checked))) return false;
  const std::string_view rest = bytes_.substr(offset_ + batch_header_size);
  if (header->records_size > rest.size()) return false;
  const std::string_view records = rest.substr(0, header->records_size);
  if (checksum(records, id_, header->position) != header->records_checksum) return false;
  batch = {header->position + batch_header_size, header->epoch, records};
  epoch_ = header->epoch;
  offset_ = align(offset_ + batch_header_size + records.size());
  return true;
}

// Examines every place behind the end where a batch header could be. A header counts if it was
// written for exactly this place and is not from an earlier epoch. Its `durable` field tells damage
// from a torn tail: if it is beyond the end, everything up to there had been on disk completely.
SegmentReader::Tail SegmentReader::tail() const {
  Tail tail;
  tail.epoch = epoch_;
  for (std::uint64_t at = offset_; at + batch_header_size <= bytes_.size(); at += batch_alignment) {
    // The position field alone rules out nearly all places.
    LogPosition position = 0;
    std::memcpy(&position, bytes_.data() + at + batch_position_at, sizeof position);
    if (position != base_ + at) continue;
    const auto header = header_at(at);
    if (!header || header->epoch < epoch_) continue;
    tail.torn_bytes += batch_header_size + header->records_size;
    if (header->durable > base_ + offset_) tail.was_durable = true;
    tail.epoch = std::max(tail.epoch, header->epoch);
  }
  return tail;
}

bool SegmentReader::skip() {
  const auto is_batch = [this](std::uint64_t at) {
    LogPosition position = 0;
    std::memcpy(&position, bytes_.data() + at + batch_position_at, sizeof position);
    if (position != base_ + at) return false;
    const auto header = header_at(at);
    return header && header->epoch >= epoch_;
  };
  for (std::uint64_t at = offset_ + batch_alignment; at + batch_header_size <= bytes_.size();
       at += batch_alignment) {
    if (!is_batch(at)) continue;
    offset_ = at;
    return true;
  }
  return false;
}

}  // namespace haypile::log
