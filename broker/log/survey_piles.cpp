// The part of a survey that reads piles.
#include <algorithm>
#include <map>
#include <utility>

#include "log/survey.hpp"

namespace haypile::log {

void Survey::add_pile_damage(LogPosition file, Damage damage) {
  damage.file = path(pile_name(file));
  add_damage(std::move(damage));
  damaged_piles_.insert(file);
}

// Without the checkpoint, all piles count that are there.
void Survey::find_piles() {
  const bool is_lost =
      is_head_lost_ || (!has_checkpoint_ && !numbers_.empty() && numbers_.front() > 1);
  if (!is_lost) return;
  std::vector<LogPosition> numbers;
  for (const std::string& name : files_.list(directory_)) {
    if (const auto number = pile_number(name)) numbers.push_back(*number);
  }
  std::ranges::sort(numbers);
  // Of a pile that was being thinned there are two files, and only the older one is certain.
  std::map<LogPosition, LogPosition> file_of_pile;
  for (const LogPosition file : numbers)
    file_of_pile.emplace(pile_in(file), file);
  for (const auto& [pile, file] : file_of_pile)
    rebuild(pile, file);
}

// As its header says, if it can be read.
LogPosition Survey::pile_in(LogPosition file) const {
  const std::string header = files_.open(path(pile_name(file)))->read(0, pile_header_size);
  return check_pile_header(header, file, id_).empty() ? pile_of(header) : file;
}

std::string Survey::read_pile_file(LogPosition file) const {
  const auto opened = files_.open(path(pile_name(file)));
  return opened->read(0, opened->size());
}

// As if nothing had left it yet but what its file does not have; what is in piles has left the log.
void Survey::rebuild(LogPosition number, LogPosition file) {
  const std::string bytes = read_pile_file(file);
  Pile pile;
  pile.number = number;
  pile.file = file;
  pile.size = bytes.size();
  const auto drop_up_to = [&](std::uint32_t end) {
    for (; pile.count < end; ++pile.count, ++pile.gone_count)
      pile.gone.insert(pile.count);
  };
  is_noting_ = false;  // check_pile() comes to it again
  each_block(pile, bytes, [&](const Block& block, std::uint64_t offset, std::string_view rest) {
    BlockReader reader(block, rest, file, offset, id_);
    drop_up_to(block.first);
    for (PileRecord record; reader.next(record);) {
      drop_up_to(record.index);
      pile.count = record.index + 1;
      moved_ = std::max(moved_, record.message.position + 1);
    }
    if (!reader.ok()) pile.count = std::max(pile.count, block.first + block.count);
    return pile.count;
  });
  is_noting_ = true;
  if (pile.count == 0) {
    const std::string error = check_pile_header(bytes, file, id_);
    return add_pile_damage(file, {.what = error.empty() ? "has no block" : error});
  }
  damaged_piles_.insert(file);
  piles_.add(std::move(pile));
}

void Survey::check_pile(Pile& pile) {
  SurveyReport::StoredPile found{.file = pile.file, .count = pile.count};
  for (const Extent& extent : pile.extents) {
    // Queues that were deleted have left nothing.
    const bool is_there = catalog_.has_queue(extent.queue) ||
                          (!report_.damages.empty() && !deleted_.contains(extent.queue));
    for (std::uint32_t i = extent.first; i < extent.first + extent.count && !is_there; ++i)
      pile.drop(i);
  }
  if (!files_.exists(path(pile_name(pile.file)))) {
    add_pile_damage(pile.file, {.what = "is missing", .message_count = pile.live_count()});
  } else {
    const std::string bytes = read_pile_file(pile.file);
    found.bytes = bytes.size();
    const std::string error = check_pile_header(bytes, pile.file, id_);
    if (!error.empty()) add_pile_damage(pile.file, {.what = error, .message_count = 0});
    std::vector<Extent> extents;
    const std::size_t before = report_.damages.size();
    each_stored(pile, [this](engine::QueueId queue, std::uint8_t,
                             const engine::StoredMessage& message) {
      ++report_.queues[catalog_.queue(queue).name].in_piles;
      report_.live_bytes += message.message.exchange.size() + message.message.routing_key.size() +
                            message.message.properties.size() + message.message.body.size();
    });
    if (bytes.size() != pile.size) {
      add_pile_damage(pile.file, {.offset = std::min<std::uint64_t>(bytes.size(), pile.size),
                                  .what = "has " + std::to_string(bytes.size()) +
                                          " bytes, expected " + std::to_string(pile.size),
                                  .message_count = 0});
    }
    if (report_.damages.size() == before && !pile.extents.empty()) compare(pile, bytes);
  }
  found.live_count = pile.live_count();
  found.is_damaged = is_damaged(pile);
  report_.piles.push_back(found);
}

namespace {

// A block that goes on where the one before ended is of the same extent.
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
  extent.is_timed = extent.is_timed || message.message.published_at != 0;
  extent.body_bytes += message.message.body.size();
  extent.last_place = message.place;
  if (!message.is_shared) return;
  ++extent.shared;
  if (record.home) return;
  ++extent.homes;
  extent.home_bytes += record.size;
}

}  // namespace

// What the blocks say of themselves is what the checkpoint says of them.
void Survey::compare(const Pile& pile, std::string_view bytes) {
  std::vector<Extent> found;
  HomeFinder homes(bytes, pile.file, id_);
  each_block(pile, bytes, [&](const Block& block, std::uint64_t offset, std::string_view rest) {
    Extent& extent = extent_of(found, block, offset);
    BlockReader reader(block, rest, pile.file, offset, id_);
    for (PileRecord record; reader.next(record);) {
      if (record.home && !homes.fill_in(record)) continue;
      add_to(extent, record);
    }
    extent.size = offset + block.size() - extent.offset;
    return extent.first + extent.count;
  });
  // Before version 5 the checkpoint did not say where an extent begins.
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

std::uint64_t Survey::live_between(const Pile& pile, std::uint32_t first, std::uint64_t end) const {
  std::uint64_t live = 0;
  for (std::uint64_t index = first; index < std::min<std::uint64_t>(end, pile.count); ++index)
    live += pile.gone.contains(static_cast<std::uint32_t>(index)) ? 0 : 1;
  return live;
}

// No block begins at `offset`: goes on at the next one, and returns its first index.
std::uint32_t Survey::pass_block(const Pile& pile, std::string_view bytes, std::uint32_t index,
                                 std::uint64_t& offset) {
  const std::uint64_t begin = offset;
  Block block;
  bool is_found = false;
  while (!is_found && (offset += batch_alignment) < bytes.size())
    is_found = decode_block_header(bytes.substr(offset), pile.file, offset, id_, block);
  offset = std::min<std::uint64_t>(offset, bytes.size());
  const std::uint32_t next = is_found ? block.first : pile.count;
  add_pile_damage(pile.file, {.offset = begin,
                              .what = "is damaged: there is no block",
                              .bytes = offset - begin,
                              .message_count = live_between(pile, index, next)});
  return next;
}

void Survey::each_block(const Pile& pile, std::string_view bytes, const VisitBlock& visit) {
  std::uint32_t index = 0;
  std::uint64_t offset = pile_header_size;
  while (offset < bytes.size()) {
    Block block;
    if (!decode_block_header(bytes.substr(offset), pile.file, offset, id_, block)) {
      index = pass_block(pile, bytes, index, offset);
      continue;
    }
    index = visit(block, offset, bytes.substr(offset));
    offset += block.size();
  }
  if (index < pile.count && bytes.size() < pile.size) {
    add_pile_damage(pile.file, {.offset = bytes.size(),
                                .what = "ends too early",
                                .message_count = live_between(pile, index, pile.count)});
  }
}

// The index behind its last message. Nothing if it is damaged: then what comes before the first bad
// record may have been taken.
std::optional<std::uint32_t> Survey::read_block(const Pile& pile, const Block& block,
                                                std::string_view bytes, std::uint64_t offset,
                                                HomeFinder& homes, const TakeStored& take) {
  BlockReader reader(block, bytes, pile.file, offset, id_);
  std::uint32_t end = block.first;
  std::uint64_t lost = 0;
  for (PileRecord record; reader.next(record);) {
    end = record.index + 1;
    if (record.index >= pile.count || pile.gone.contains(record.index)) continue;
    if (record.home && !homes.fill_in(record)) {
      ++lost;
      continue;
    }
    engine::StoredMessage& message = record.message;
    message.redelivered = message.redelivered || pile.redelivered;
    const auto count = pile.delivery_counts.find(record.index);
    if (count != pile.delivery_counts.end()) {
      message.redelivered = true;
      if (count->second != 0) message.delivery_count = count->second;
    }
    take(block.queue, block.priority, message);
  }
  if (lost > 0) {
    add_pile_damage(
        pile.file,
        {.offset = offset, .what = "refers to messages in a damaged block", .message_count = lost});
  }
  return reader.ok() ? std::optional(end) : std::nullopt;
}

void Survey::each_stored(const Pile& pile, const TakeStored& take) {
  if (!files_.exists(path(pile_name(pile.file)))) return;
  const std::string bytes = read_pile_file(pile.file);
  HomeFinder homes(bytes, pile.file, id_);
  each_block(pile, bytes, [&](const Block& block, std::uint64_t offset, std::string_view rest) {
    const auto end = read_block(
        pile, block, rest, offset, homes,
        [&](engine::QueueId queue, std::uint8_t priority, const engine::StoredMessage& message) {
          if (knows_queue(queue, message.message)) take(queue, priority, message);
        });
    if (end) return *end;
    // As far as can be known, if the pile is a thinned one.
    const std::uint32_t behind = block.first + block.count;
    add_pile_damage(pile.file, {.offset = offset,
                                .what = "is damaged: the checksum of its block does not match",
                                .bytes = block.size(),
                                .message_count = live_between(pile, block.first, behind)});
    return behind;
  });
}

}  // namespace haypile::log
