// The part of an inspection that reads piles.
#include <algorithm>
#include <map>
#include <utility>

#include "engine/canary.hpp"
#include "log/checkpoint.hpp"
#include "log/log_inspector.hpp"

namespace haypile::log {

namespace {

// The most that is read of a pile whose size is not known.
constexpr std::uint64_t file_size_max = std::uint64_t{4} << 30;
// If only a block says so, a longer run of indices without messages is not believed.
constexpr std::uint64_t gap_max = std::uint64_t{1} << 26;

}  // namespace

void LogInspector::add_pile_damage(LogPosition file, Damage damage) {
  damage.file = reader_.path(pile_name(file));
  reader_.damages().add(std::move(damage));
  damaged_piles_.insert(file);
}

bool LogInspector::has_pile(LogPosition file) {
  bool is_known = false;
  piles().each([&](Piles::Slot, const Pile& pile) { is_known = is_known || pile.file == file; });
  return is_known;
}

// If the checkpoint is lost, all piles that exist count.
void LogInspector::find_piles() {
  if (!reader_.is_head_lost()) return;
  std::vector<LogPosition> numbers;
  for (const std::string& name : reader_.names()) {
    const auto number = pile_number(name);
    if (!number) continue;
    if (*number <= position_max) {
      numbers.push_back(*number);
    } else {
      add_pile_damage(*number, {.what = "has an impossible number"});
    }
  }
  std::ranges::sort(numbers);
  // A pile that was being thinned has two files, and only the older one is certain to be complete.
  std::map<LogPosition, LogPosition> file_of_pile;
  for (const LogPosition file : numbers)
    file_of_pile.emplace(pile_in(file), file);
  for (const auto& [pile, file] : file_of_pile)
    rebuild(pile, file, pile == file && pile == file_of_pile.rbegin()->first);
}

// The number of the pile, as the file's header says; the file's own number if the header cannot be
// read.
LogPosition LogInspector::pile_in(LogPosition file) {
  const Damages::Known known(reader_.damages());
  const auto header = reader_.read_file(pile_name(file), pile_header_size);
  if (!header || !check_pile_header(header->bytes, file, id_).empty()) return file;
  return std::min(pile_of(header->bytes), file);
}

std::optional<LogReader::FileStart> LogInspector::read_pile_file(const Pile& pile) {
  return reader_.read_file(pile_name(pile.file), pile.size != 0 ? pile.size : file_size_max);
}

// Blocks come by rising index. A header that would go back to a lower index is not a block.
std::vector<LogInspector::Part> LogInspector::parts_of(const Pile& pile,
                                                       std::string_view bytes) const {
  std::vector<Part> parts;
  std::uint64_t index = 0;
  bool is_between = false;
  for (std::uint64_t offset = pile_header_size; offset < bytes.size();) {
    Block block;
    const bool is_block = decode_block_header(bytes.substr(offset), pile.file, offset, id_, block);
    if (is_block && block.first >= index) {
      parts.push_back({.offset = offset, .size = block.size(), .block = block});
      index = std::uint64_t{block.first} + 1;
      is_between = false;
    } else if (!std::exchange(is_between, true)) {
      parts.push_back({.offset = offset});
    }
    if (is_between) parts.back().size += batch_alignment;
    offset = parts.back().offset + parts.back().size;
  }
  std::uint64_t end = pile.count;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    part->end = end;
    if (part->block) end = std::min<std::uint64_t>(end, part->block->first);
    part->size = std::min(part->size, bytes.size() - part->offset);
  }
  return parts;
}

// Makes a pile that the checkpoint does not describe from its blocks. All messages in the file
// count as left. Messages that are in piles have left the log, and so have all before them. But the
// last pile may be incomplete; then the log still has the messages that are missing.
void LogInspector::rebuild(LogPosition number, LogPosition file, bool may_be_open) {
  Pile pile;
  pile.number = number;
  pile.file = file;
  const auto read = read_pile_file(pile);
  if (!read) return;
  pile.size = read->bytes.size();
  pile.count = UINT32_MAX;
  const std::vector<Part> parts = parts_of(pile, read->bytes);
  pile.count = 0;
  for (const Part& part : parts) {
    if (!part.block) continue;
    const Extent extent = rebuild_block(part, read->bytes, pile);
    if (extent.count == 0) continue;
    note_moved(part, read->bytes, pile, may_be_open);
    pile.extents.push_back(extent);
    pile.count = extent.first + extent.count;
  }
  const std::string error = check_pile_header(read->bytes, file, id_);
  if (pile.count == 0) {
    return add_pile_damage(file, {.what = error.empty() ? "has no block" : error});
  }
  pile.gone_count = pile.gone.count(0, pile.count);
  damaged_piles_.insert(file);
  piles().add(std::move(pile));
}

// Makes an extent of one block. If the block cannot be read, each of its messages counts as one
// index, without gaps.
Extent LogInspector::rebuild_block(const Part& part, std::string_view bytes, Pile& pile) {
  const Block& block = *part.block;
  Extent extent{.queue = block.queue,
                .priority = block.priority,
                .first = block.first,
                .offset = part.offset,
                .size = part.size};
  std::uint64_t next = pile.count;
  const auto drop_up_to = [&](std::uint64_t end) {
    if (end > next + gap_max) return false;
    for (; next < end; ++next)
      pile.gone.insert(static_cast<std::uint32_t>(next));
    return true;
  };
  if (!drop_up_to(block.first)) return extent;
  BlockReader reader(block, bytes.substr(part.offset), pile.file, part.offset, id_);
  PileRecord record;
  while (reader.next(record) && record.index < part.end && drop_up_to(record.index)) {
    next = std::uint64_t{record.index} + 1;
    extent.count = static_cast<std::uint32_t>(next - extent.first);
    ++extent.stored;
  }
  if (!reader.ok()) {
    const std::uint64_t end = std::min(part.end, std::uint64_t{block.first} + block.count);
    extent.count = std::max(extent.count, static_cast<std::uint32_t>(end - block.first));
    extent.stored = std::max(extent.stored, extent.count);
  }
  return extent;
}

void LogInspector::note_moved(const Part& part, std::string_view bytes, const Pile& pile,
                              bool may_be_open) {
  BlockReader reader(*part.block, bytes.substr(part.offset), pile.file, part.offset, id_);
  HomeFinder homes(bytes, pile.file, id_);
  for (PileRecord record; reader.next(record) && record.index < part.end;) {
    if (record.home && !homes.fill_in(record)) continue;
    if (may_be_open && !HAYPILE_CANARY(open_pile_taken_for_whole)) {
      if (HAYPILE_CANARY(open_pile_taken_twice)) continue;
      in_open_pile_.emplace(record.message.position, part.block->queue);
    } else {
      LogPosition& moved = reader_.checkpoint().moved;
      moved = std::max(moved, record.message.position + 1);
    }
  }
}

void LogInspector::check_pile(Pile& pile) {
  InspectionReport::StoredPile found{.file = pile.file, .count = pile.count};
  for (const Extent& extent : pile.extents) {
    // A deleted queue has no messages left in piles.
    const bool is_there =
        catalog().has_queue(extent.queue) || (has_damage() && !deleted_.contains(extent.queue));
    for (std::uint64_t i = 0; i < extent.count && !is_there; ++i)
      pile.drop(static_cast<std::uint32_t>(extent.first + i));
  }
  const std::string name = pile_name(pile.file);
  if (!reader_.has_file(name)) {
    if (HAYPILE_CANARY(missing_pile_not_listed)) return;
    add_pile_damage(pile.file, {.what = "is missing", .message_count = pile.live_count()});
  } else if (const auto read = read_pile_file(pile)) {
    found.bytes = read->size;
    const std::string error = check_pile_header(read->bytes, pile.file, id_);
    if (!error.empty()) add_pile_damage(pile.file, {.what = error, .message_count = 0});
    const std::size_t before = reader_.damages().all().size();
    each_stored(pile, read->bytes, {});
    if (read->size != pile.size) {
      add_pile_damage(pile.file, {.offset = std::min(read->size, pile.size),
                                  .what = "has " + std::to_string(read->size) +
                                          " bytes, expected " + std::to_string(pile.size),
                                  .message_count = 0});
    }
    if (reader_.damages().all().size() == before && !is_damaged(pile)) compare(pile, read->bytes);
    count_stored(pile, read->bytes);
  } else {
    reader_.damages().all().back().message_count = pile.live_count();
    damaged_piles_.insert(pile.file);
  }
  found.live_count = pile.live_count();
  found.is_damaged = is_damaged(pile);
  report_.piles.push_back(found);
}

// Called when all damage is known: only then it is known whether declarations of queues may be
// lost.
void LogInspector::count_stored(const Pile& pile, std::string_view bytes) {
  const Damages::Known known(reader_.damages());
  each_stored(pile, bytes,
              [this](engine::QueueId queue, std::uint8_t, const engine::StoredMessage& message) {
                ++report_.queues[catalog().queue(queue).name].in_piles;
                report_.live_bytes += message.message.size();
              });
}

namespace {

// A block that continues where the one before ended belongs to the same extent.
Extent& extent_of(std::vector<Extent>& extents, const Block& block, std::uint64_t offset) {
  if (extents.empty() || extents.back().queue != block.queue ||
      extents.back().priority != block.priority || extents.back().last_place >= block.first_place) {
    extents.push_back({.queue = block.queue,
                       .priority = block.priority,
                       .first = block.first,
                       .offset = offset,
                       .first_place = block.first_place});
  }
  return extents.back();
}

void add_to(Extent& extent, const PileRecord& record) {
  const engine::StoredMessage& message = record.message;
  ++extent.stored;
  extent.count = record.index + 1 - extent.first;
  extent.is_timed = extent.is_timed || message.is_timed;
  extent.body_bytes += message.message.body.size();
  extent.last_place = message.place;
  if (!message.is_shared) return;
  ++extent.shared;
  if (record.home) return;
  ++extent.homes;
  extent.home_bytes += record.size;
}

}  // namespace

// Compares what the blocks say with what the checkpoint says of them.
void LogInspector::compare(const Pile& pile, std::string_view bytes) {
  std::vector<Extent> found;
  HomeFinder homes(bytes, pile.file, id_);
  for (const Part& part : parts_of(pile, bytes)) {
    const Block& block = *part.block;
    Extent& extent = extent_of(found, block, part.offset);
    BlockReader reader(block, bytes.substr(part.offset), pile.file, part.offset, id_);
    for (PileRecord record; reader.next(record);) {
      if (record.home && !homes.fill_in(record)) continue;
      add_to(extent, record);
    }
    extent.size = part.offset + block.size() - extent.offset;
  }
  // Before version 5 the checkpoint does not have the first place of an extent.
  for (std::size_t i = 0; i < std::min(found.size(), pile.extents.size()); ++i) {
    if (pile.extents[i].first_place == 0) found[i].first_place = 0;
  }
  const auto [expected, actual] = std::ranges::mismatch(pile.extents, found);
  if (expected == pile.extents.end() && actual == found.end()) return;
  const std::uint64_t offset = expected != pile.extents.end() ? expected->offset : actual->offset;
  add_pile_damage(
      pile.file,
      {.offset = offset, .what = "is not what the checkpoint says of it", .message_count = 0});
}

std::uint64_t LogInspector::live_between(const Pile& pile, std::uint64_t first,
                                         std::uint64_t end) const {
  end = std::min<std::uint64_t>(end, pile.count);
  if (first >= end) return 0;
  return end - first -
         pile.gone.count(static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(end));
}

// Returns the index behind the block's last message. Returns nothing if the block is damaged; then
// none of its messages was taken.
std::optional<std::uint64_t> LogInspector::read_block(const Pile& pile, const Part& part,
                                                      std::string_view bytes, HomeFinder& homes,
                                                      const TakeStored& take) {
  const std::string_view rest = bytes.substr(part.offset);
  BlockReader checker(*part.block, rest, pile.file, part.offset, id_);
  PileRecord record;
  std::uint64_t end = part.block->first;
  while (checker.next(record))
    end = std::uint64_t{record.index} + 1;
  if (!checker.ok() || end > part.end) return std::nullopt;
  BlockReader reader(*part.block, rest, pile.file, part.offset, id_);
  std::uint64_t lost = 0;
  while (reader.next(record)) {
    if (pile.gone.contains(record.index)) continue;
    if (record.home && !homes.fill_in(record)) {
      ++lost;
      continue;
    }
    engine::StoredMessage& message = record.message;
    pile.complete(record.index, message);
    if (take && knows_queue(part.block->queue, message.message)) {
      take(part.block->queue, part.block->priority, message);
    }
  }
  if (lost > 0 && !HAYPILE_CANARY(lost_home_not_listed)) {
    add_pile_damage(pile.file, {.offset = part.offset,
                                .what = "refers to messages in a damaged block",
                                .message_count = lost});
  }
  return end;
}

void LogInspector::each_stored(const Pile& pile, std::string_view bytes, const TakeStored& take) {
  std::uint64_t index = 0;
  bool is_next_lost = false;
  HomeFinder homes(bytes, pile.file, id_);
  const auto lost_between = [&](const Part& part, const char* what) {
    add_pile_damage(pile.file, {.offset = part.offset,
                                .what = what,
                                .bytes = part.size,
                                .message_count = live_between(pile, index, part.end)});
    index = std::max(index, part.end);
    is_next_lost = HAYPILE_CANARY(inspector_loses_next_block);
  };
  for (const Part& part : parts_of(pile, bytes)) {
    if (!part.block) {
      lost_between(part, "is damaged: there is no block");
      continue;
    }
    if (std::exchange(is_next_lost, false)) continue;
    if (const auto end = read_block(pile, part, bytes, homes, take)) {
      index = *end;
    } else {
      lost_between(part, "is damaged: the checksum of its block does not match");
    }
  }
  if (live_between(pile, index, pile.count) == 0) return;
  add_pile_damage(pile.file, {.offset = bytes.size(),
                              .what = "ends too early",
                              .message_count = live_between(pile, index, pile.count)});
}

void LogInspector::each_stored(const Pile& pile, const TakeStored& take) {
  const Damages::Known known(reader_.damages());
  if (!reader_.has_file(pile_name(pile.file))) return;
  if (const auto read = read_pile_file(pile)) each_stored(pile, read->bytes, take);
}

}  // namespace haypile::log
