#include "log/writer.hpp"

#include <utility>

#include "engine/canary.hpp"
#include "log/segment.hpp"

namespace haypile::log {

Writer::Writer(FileSystem& files, std::string directory, const DirectoryId& id,
               std::uint64_t segment_size, std::uint64_t segment, DiskReserve& space,
               Newest& newest)
    : files_(files),
      directory_(std::move(directory)),
      id_(id),
      segment_size_(segment_size),
      segment_(segment),
      space_(space),
      newest_(newest) {
  if (segment_ != 0) file_ = files_.open(path(segment_name(segment_)));
}

void Writer::run(const std::vector<WriteBatch>& batches, const std::function<void()>& on_durable) {
  for (const WriteBatch& batch : batches)
    write(batch, on_durable);
  sync(on_durable);
}

// The order of a segment's change: the old segment is synced to its end, then the new one gets its
// header and its name, and only then batches are written to it. So a recovery that finds a segment
// knows that the one before is complete. A spare for the next change is only wanted when a quarter
// of the segment is used.
void Writer::write(const WriteBatch& batch, const std::function<void()>& on_durable) {
  if (batch.segment != segment_) {
    if (!HAYPILE_CANARY(full_segment_not_synced)) sync(on_durable);
    open_segment(batch.segment);
  }
  file_->write(batch.offset, batch.bytes);
  if (batch.offset + batch.bytes.size() >= segment_size_ / 4) space_.want_spare();
  written_ = batch.end;
  dirty_ = true;
}

// One fdatasync covers all batches that were written to the segment since the last one. durable_
// rises only after it, and only to the `end` of the last batch, which the appender never sets to a
// position within a group. A segment has its full size from the beginning, so that its metadata
// needs no sync.
void Writer::sync(const std::function<void()>& on_durable) {
  if (!std::exchange(dirty_, false)) return;
  if (HAYPILE_CANARY(confirm_before_sync)) set_durable(written_);
  if (!HAYPILE_CANARY(sync_skipped)) file_->sync();
  set_durable(written_);
  if (on_durable) on_durable();
}

// The header is on disk before the file has its name, and the name before `newest` says that the
// segment exists.
void Writer::open_segment(std::uint64_t number) {
  const std::string spare = space_.take_spare();
  file_ = files_.open(path(spare));
  file_->write(0, encode(SegmentHeader{.number = number,
                                       .segment_size = static_cast<std::uint32_t>(segment_size_)},
                         id_));
  file_->sync();
  files_.rename(path(spare), path(segment_name(number)));
  if (!HAYPILE_CANARY(directory_not_synced)) files_.sync_directory(directory_);
  newest_.set(number);
  segment_ = number;
}

}  // namespace haypile::log
