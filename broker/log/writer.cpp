#include "log/writer.hpp"

#include <algorithm>
#include <utility>

#include "log/checkpoint.hpp"
#include "log/segment.hpp"

namespace haypile::log {

namespace {
constexpr std::string_view spare_prefix = "spare-";
constexpr const char* reserve_name = "reserve";
constexpr std::uint64_t zero_chunk_size = 1u << 20;
}  // namespace

Writer::Writer(FileSystem& files, std::string directory, const DirectoryId& id,
               std::uint64_t segment_size, std::uint64_t segment, std::uint64_t reserve_size)
    : files_(files),
      directory_(std::move(directory)),
      id_(id),
      segment_size_(segment_size),
      segment_(segment),
      reserve_size_(reserve_size) {
  if (segment_ != 0) file_ = files_.open(path(segment_name(segment_)));
}

void Writer::prepare_directory(Piles& piles) {
  for (const std::string& name : files_.list(directory_)) {
    const auto pile = pile_number(name);
    if (name.starts_with(spare_prefix) || name.ends_with(".tmp") || (pile && !piles.find(*pile))) {
      files_.remove(path(name));
    }
  }
  files_.sync_directory(directory_);
  refill_reserve();
}

void Writer::refill_reserve() {
  if (has_reserve()) return;
  try {
    const bool is_there = files_.exists(path(reserve_name));
    const auto file =
        is_there ? files_.open(path(reserve_name)) : files_.create(path(reserve_name));
    file->allocate(reserve_size_);
    has_reserve_.store(true, std::memory_order_release);
  } catch (const NoSpace&) {
    // What there was room for is no help.
    if (files_.exists(path(reserve_name))) files_.remove(path(reserve_name));
  }
}

template <class Action>
void Writer::with_reserve(Action action) {
  try {
    return action();
  } catch (const NoSpace&) {
    if (!has_reserve()) throw;
  }
  has_reserve_.store(false, std::memory_order_release);
  files_.remove(path(reserve_name));
  files_.sync_directory(directory_);
  action();
}

void Writer::run(const std::vector<Work>& work, const std::function<void()>& on_durable) {
  for (const Work& item : work) {
    if (const auto* batch = std::get_if<WriteBatch>(&item)) {
      write(*batch, on_durable);
      continue;
    }
    sync(on_durable);
    if (const auto* pile = std::get_if<StorePile>(&item)) {
      with_reserve([&] { store(*pile); });
    } else if (const auto* files = std::get_if<Recycle>(&item)) {
      recycle(*files);
    } else {
      refill_reserve();
    }
    if (on_durable) on_durable();
  }
  sync(on_durable);
}

// A segment is synced to its end before the next one comes into being.
void Writer::write(const WriteBatch& batch, const std::function<void()>& on_durable) {
  if (batch.segment != segment_) {
    sync(on_durable);
    open_segment(batch.segment);
  }
  file_->write(batch.offset, batch.bytes);
  used_ = batch.offset + batch.bytes.size();
  written_ = batch.end;
  dirty_ = true;
}

void Writer::sync(const std::function<void()>& on_durable) {
  if (!std::exchange(dirty_, false)) return;
  file_->sync();
  set_durable(written_);
  if (on_durable) on_durable();
}

// The header is on disk before the file has its name.
void Writer::open_segment(std::uint64_t number) {
  if (spares_.empty()) with_reserve([this] { zero(segment_size_); });
  const std::string spare = spares_.back();
  spares_.pop_back();
  file_ = files_.open(path(spare));
  file_->write(0, encode(SegmentHeader{.number = number,
                                       .segment_size = static_cast<std::uint32_t>(segment_size_)},
                         id_));
  file_->sync();
  files_.rename(path(spare), path(segment_name(number)));
  files_.sync_directory(directory_);
  segment_ = number;
  used_ = 0;
}

// The checkpoint that makes it count comes later.
void Writer::store(const StorePile& pile) {
  const auto file = files_.create(path(pile_name(pile.number)));
  file->allocate(pile.bytes->size());
  file->write(0, *pile.bytes);
  file->sync();
  files_.sync_directory(directory_);
}

void Writer::recycle(const Recycle& recycle) {
  with_reserve([&] { replace_file(files_, directory_, checkpoint_name, recycle.checkpoint); });
  checkpoint_count_.fetch_add(1, std::memory_order_release);
  for (const std::uint64_t number : recycle.segments) {
    const std::string from = path(segment_name(number));
    if (spares_.size() < recycle.spare_count_max) {
      spares_.push_back(spare_name());
      files_.rename(from, path(spares_.back()));
    } else {
      files_.remove(from);
    }
  }
  for (const LogPosition number : recycle.piles)
    files_.remove(path(pile_name(number)));
  files_.sync_directory(directory_);
}

std::string Writer::spare_name() {
  return std::string(spare_prefix) + std::to_string(++spare_count_);
}

// Writes up to `size` bytes of zeros to the spare in the making.
void Writer::zero(std::uint64_t size) {
  if (!zeroing_) {
    zeroing_name_ = spare_name();
    zeroing_ = files_.create(path(zeroing_name_));
    zeroed_ = 0;
    try {
      zeroing_->allocate(segment_size_);
    } catch (const NoSpace&) {
      zeroing_.reset();
      files_.remove(path(zeroing_name_));
      throw;
    }
  }
  const std::uint64_t end = std::min(zeroed_ + size, segment_size_);
  while (zeroed_ < end) {
    const std::uint64_t chunk = std::min(zero_chunk_size, end - zeroed_);
    zeroing_->write(zeroed_, std::string(chunk, '\0'));
    zeroed_ += chunk;
  }
  if (zeroed_ < segment_size_) return;
  zeroing_->sync();
  zeroing_.reset();
  spares_.push_back(zeroing_name_);
}

// A log that is hardly used needs no second segment soon. On a full disk it can wait.
bool Writer::prepare() {
  if (!spares_.empty() || used_ < segment_size_ / 4) return false;
  try {
    zero(zero_chunk_size);
  } catch (const NoSpace&) {
    return false;
  }
  return true;
}

}  // namespace haypile::log
