#include "log/disk_reserve.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "log/segment.hpp"

namespace haypile::log {

namespace {
constexpr std::string_view spare_prefix = "spare-";
constexpr std::string_view temporary_suffix = ".tmp";
constexpr const char* reserve_name = "reserve";

// Files that a later run does not know by their names.
bool is_forgotten(std::string_view name) {
  return name.starts_with(spare_prefix) || name.ends_with(temporary_suffix);
}
constexpr std::uint64_t zero_chunk_size = 1u << 20;
}  // namespace

DiskReserve::DiskReserve(FileSystem& files, std::string directory, std::uint64_t segment_size,
                         std::uint64_t reserve_size)
    : files_(files),
      directory_(std::move(directory)),
      segment_size_(segment_size),
      reserve_size_(reserve_size) {}

bool DiskReserve::is_scratch(std::string_view name) {
  return is_forgotten(name) || name == reserve_name;
}

void DiskReserve::prepare(Piles& piles, std::uint64_t first_segment) {
  std::set<LogPosition> known;
  piles.each([&](Piles::Slot, const Pile& pile) { known.insert(pile.file); });
  for (const std::string& name : files_.list(directory_)) {
    const auto file = pile_number(name);
    const auto segment = segment_number(name);
    if (is_forgotten(name) || (file && !known.contains(*file)) ||
        (segment && *segment < first_segment)) {
      files_.remove(path(name));
    }
  }
  files_.sync_directory(directory_);
  refill_reserve();
}

// The disk can be full at any of three moments: when a spare segment is made for the writer, when a
// part of a pile is written, when a checkpoint is written. with_reserve() then removes the
// reserve's file and tries again. From then on has_reserve() is false, publishers are kept out, and
// refill_reserve() is tried from time to time. Spares that are only made ahead of time
// (zero_some()) and thinnings never use the reserve.
void DiskReserve::refill_reserve() {
  const std::lock_guard lock(reserve_mutex_);
  if (has_reserve()) return;
  try {
    const bool is_there = files_.exists(path(reserve_name));
    const auto file =
        is_there ? files_.open(path(reserve_name)) : files_.create(path(reserve_name));
    file->allocate(reserve_size_);
    has_reserve_.store(true, std::memory_order_release);
  } catch (const NoSpace&) {
    // What was allocated until then is of no use.
    if (files_.exists(path(reserve_name))) files_.remove(path(reserve_name));
  }
}

bool DiskReserve::release_reserve() {
  const std::lock_guard lock(reserve_mutex_);
  if (!has_reserve()) return false;
  has_reserve_.store(false, std::memory_order_release);
  files_.remove(path(reserve_name));
  files_.sync_directory(directory_);
  return true;
}

std::string DiskReserve::spare_name() {
  return std::string(spare_prefix) + std::to_string(++spare_count_);
}

std::string DiskReserve::take_spare() {
  {
    const std::lock_guard lock(mutex_);
    if (!spares_.empty()) {
      std::string name = std::move(spares_.back());
      spares_.pop_back();
      return name;
    }
  }
  Zeroing zeroing;
  with_reserve([&] { zero(zeroing, segment_size_); });
  return zeroing.name;
}

void DiskReserve::give_back(const std::string& name, std::size_t spare_count_max) {
  {
    const std::lock_guard lock(mutex_);
    spare_count_max -= std::min(spare_count_max, spares_.size());
  }
  if (spare_count_max == 0) return files_.remove(path(name));
  std::string spare = spare_name();
  files_.rename(path(name), path(spare));
  const std::lock_guard lock(mutex_);
  spares_.push_back(std::move(spare));
}

void DiskReserve::zero_some() {
  {
    const std::lock_guard lock(mutex_);
    if (!spares_.empty()) return wanted_.store(false, std::memory_order_release);
  }
  try {
    if (!zero(zeroing_, zero_chunk_size)) return;
  } catch (const NoSpace&) {
    return wanted_.store(false, std::memory_order_release);
  }
  wanted_.store(false, std::memory_order_release);
  const std::lock_guard lock(mutex_);
  spares_.push_back(std::exchange(zeroing_, {}).name);
}

bool DiskReserve::zero(Zeroing& zeroing, std::uint64_t size) {
  if (!zeroing.file) {
    zeroing = {spare_name(), nullptr, 0};
    zeroing.file = files_.create(path(zeroing.name));
    try {
      zeroing.file->allocate(segment_size_);
    } catch (const NoSpace&) {
      zeroing.file.reset();
      files_.remove(path(zeroing.name));
      throw;
    }
  }
  const std::uint64_t end = std::min(zeroing.size + size, segment_size_);
  while (zeroing.size < end) {
    const std::uint64_t chunk = std::min(zero_chunk_size, end - zeroing.size);
    zeroing.file->write(zeroing.size, std::string(chunk, '\0'));
    zeroing.size += chunk;
  }
  if (zeroing.size < segment_size_) return false;
  zeroing.file->sync();
  zeroing.file.reset();
  return true;
}

}  // namespace haypile::log
