#include "log/queue_backlog.hpp"

#include <algorithm>
#include <utility>

#include "engine/canary.hpp"
#include "log/damage.hpp"

namespace haypile::log {

std::string_view PileReader::read(const Pile& pile, std::uint64_t offset, std::size_t size,
                                  std::string& buffer) {
  if (pile.unwritten.has(offset)) return pile.unwritten.read(offset, size);
  if (open_ != pile.file) {
    file_ = files_.open(directory_ + "/" + pile_name(pile.file));
    open_ = pile.file;
  }
  file_->read(offset, size, buffer);
  return buffer;
}

void PileReader::refuse(const Pile& pile, std::uint64_t offset, const char* why) const {
  throw DamageError(refusal_text({.file = directory_ + "/" + pile_name(pile.file),
                                  .offset = offset,
                                  .what = std::string("is damaged: ") + why}));
}

Block PileReader::block(const Pile& pile, std::uint64_t offset, std::string_view& bytes) {
  return block(pile, offset, bytes, buffer_);
}

Block PileReader::block(const Pile& pile, std::uint64_t offset, std::string_view& bytes,
                        std::string& buffer) {
  constexpr std::size_t size_mostly = block_header_size + block_size + 1024;
  bytes = read(pile, offset, size_mostly, buffer);
  Block block;
  if (!decode_block_header(bytes, pile.file, offset, id_, block)) {
    refuse(pile, offset, "there is no block");
  }
  const std::size_t size = block_header_size + block.records_size;
  if (bytes.size() < size) bytes = read(pile, offset, size, buffer);
  if (bytes.size() < size) refuse(pile, offset, "the block is not whole");
  return block;
}

void PileReader::go_home(const Pile& pile, std::uint64_t offset, PileRecord& record) {
  if (!read_home(home_records(pile, record.home->block), pile.file, record)) {
    refuse(pile, offset, "it refers to a message that is not there");
  }
}

// References to the same block mostly come one after the other, so that one block is kept.
std::string_view PileReader::home_records(const Pile& pile, std::uint64_t offset) {
  const bool is_known = home_.file == pile.file && home_.offset == offset;
  if (is_known && home_.is_in_buffer) {
    return std::string_view(home_buffer_).substr(block_header_size, home_.records_size);
  }
  if (is_known && pile.unwritten.has(offset)) {
    return pile.unwritten.read(offset, home_.size).substr(block_header_size);
  }
  home_ = {};
  std::string_view bytes;
  const Block block = this->block(pile, offset, bytes, home_buffer_);
  if (HAYPILE_CANARY(home_goes_with_first) &&
      pile.gone.count(block.first, block.first + block.count) == block.count) {
    refuse(pile, offset, "nothing is left of the block");
  }
  const BlockReader reader(block, bytes, pile.file, offset, id_);
  if (!reader.ok()) refuse(pile, offset, "the checksum of its block does not match");
  home_ = {pile.file, offset, block_header_size + block.records_size, block.records_size,
           !pile.unwritten.has(offset)};
  return reader.records();
}

// Block headers are read once, and only as far as needed.
std::uint64_t PileReader::offset_of(Pile& pile, std::uint32_t index) {
  const auto number = pile.extent_of(index);
  if (!number) refuse(pile, 0, "a message is missing");
  const Extent& extent = pile.extents[*number];
  std::vector<BlockPlace>& places = pile.block_places[extent.first];
  std::uint64_t end = places.empty() ? extent.offset : places.back().offset + places.back().size;
  while (end < extent.offset + extent.size && (places.empty() || places.back().first <= index)) {
    const std::string_view bytes = read(pile, end, block_header_size, buffer_);
    Block block;
    if (!decode_block_header(bytes, pile.file, end, id_, block)) {
      refuse(pile, end, "there is no block");
    }
    places.push_back({.first = block.first, .size = block.size(), .offset = end});
    end += block.size();
  }
  const auto next = std::ranges::upper_bound(places, index, {}, &BlockPlace::first);
  if (next == places.begin()) refuse(pile, extent.offset, "a message is missing");
  return std::prev(next)->offset;
}

void PileReader::open_last(const Pile& pile, std::uint64_t offset) {
  last_ = {};
  std::string_view bytes;
  const Block block = this->block(pile, offset, bytes, last_buffer_);
  // Bytes that are not in the file yet may be freed when they are, so they are copied.
  if (bytes.data() != last_buffer_.data()) bytes = last_buffer_.assign(bytes);
  last_ = {.file = pile.file,
           .offset = offset,
           .reader = BlockReader(block, bytes, pile.file, offset, id_)};
  if (!last_.reader->ok()) refuse(pile, offset, "the checksum of its block does not match");
}

void QueueBacklog::note(const Range& range, const Extent& extent) {
  std::erase_if(ranges_, [this](const Range& each) { return !piles_.has(each.slot); });
  if (!ranges_.empty() && ranges_.back().slot == range.slot && ranges_.back().end == range.first) {
    ranges_.back().end = range.end;
  } else {
    ranges_.push_back(range);
  }
  last_place_ = std::max(last_place_, extent.last_place);
  is_timed_ = is_timed_ || extent.is_timed;
}

namespace {

void add_to(std::optional<std::uint64_t>& sum, std::optional<std::uint64_t> more) {
  sum = sum && more ? std::optional(*sum + *more) : std::nullopt;
}

void take_from(std::optional<std::uint64_t>& sum, std::uint64_t less) {
  if (sum) *sum -= std::min(*sum, less);
}

}  // namespace

// Parts are sorted by their places, which are lower bounds for the places of their unread messages.
// A read takes messages from the first part, as many as wanted, and then puts the part back in its
// order. So places rise within one read, but another part may have lower ones than those that were
// read; next_place() tells the user of the backlog.
void QueueBacklog::insert(const Part& part, bool is_behind) {
  unread_count_ += part.unread;
  add_to(unread_bytes_, part.body_bytes);
  Part* last = parts_.empty() ? nullptr : &parts_.back();
  // Indices without a gap mean blocks without a gap.
  if (is_behind && last && last->slot == part.slot && last->end == part.first) {
    last->end = part.end;
    last->unread += part.unread;
    return add_to(last->body_bytes, part.body_bytes);
  }
  parts_.insert(std::ranges::upper_bound(parts_, part.place, {}, &Part::place), part);
}

void QueueBacklog::add(Piles::Slot slot, std::uint32_t first, const Extent& extent,
                       const Part& unread) {
  const bool is_behind = unread.place > last_place_;
  note({slot, first, extent.first + extent.count}, extent);
  if (unread.unread > 0) insert(unread, is_behind);
}

void QueueBacklog::restore(Piles::Slot slot, std::size_t number) {
  const Pile& pile = piles_.at(slot);
  const Extent& extent = pile.extents[number];
  if (pile.live_count_in(number) == 0) return;
  // Before version 5 the first place of an extent is not known, but it is behind those before it.
  const std::uint64_t place = extent.first_place != 0 ? extent.first_place : last_place_ + 1;
  const std::uint32_t end = extent.first + extent.count;
  note({slot, extent.first, end}, extent);
  insert({.slot = slot,
          .offset = extent.offset,
          .first = extent.first,
          .end = end,
          .unread = pile.live_count_in(number),
          .place = place,
          .body_bytes = pile.left[number].bodies},
         false);
}

void QueueBacklog::thinned(Piles::Slot slot, const Extent& extent) {
  for (Part& part : parts_) {
    if (part.slot != slot || HAYPILE_CANARY(old_offset_kept)) continue;
    // The part may begin with messages that have gone and are not in the new file.
    const std::uint32_t end = extent.first + extent.count;
    if (part.first < end && extent.first < part.end) part.offset = extent.offset;
  }
}

template <class Visit>
std::uint64_t QueueBacklog::each_unread(const Part& part, Visit visit) {
  Pile& pile = piles_.at(part.slot);
  bool goes_on = true;
  const Block block = reader_.each_in_block(
      pile, part.offset, [&](const Block&, std::uint32_t index, engine::StoredMessage& message) {
        if (index < part.first || pile.gone.contains(index)) return true;
        if (index >= part.end) {
          if (part.unread > 0) reader_.refuse(pile, part.offset, "messages are missing before it");
          return goes_on = false;
        }
        message.id = Piles::id(part.slot, index);
        pile.complete(index, message);
        return goes_on = visit(message);
      });
  return goes_on ? part.offset + block.size() : part.offset;
}

void QueueBacklog::give_up(const IoError& error) {
  parts_.clear();
  unread_count_ = 0;
  unread_bytes_ = 0;
  host_.fail(error);
}

void QueueBacklog::read(const Take& take, std::size_t bytes_max) {
  try {
    for (const std::size_t before = unread_count_; unread_count_ > 0 && unread_count_ == before;)
      read_block(take, bytes_max);
  } catch (const IoError& error) {
    give_up(error);
  }
}

void QueueBacklog::read_block(const Take& take, std::size_t bytes_max) {
  Part part = parts_.front();
  std::size_t bytes = 0;
  // The part in parts_ stays unchanged until the block has been read without an error.
  const std::uint64_t offset = each_unread(part, [&](const engine::StoredMessage& message) {
    if (bytes >= bytes_max || part.unread == 0) return false;
    const std::size_t body_size = message.message.body.size();
    bytes += weight_of(message.message);
    --unread_count_;
    --part.unread;
    take_from(part.body_bytes, body_size);
    take_from(unread_bytes_, body_size);
    part.first = Piles::index_of(message.id) + 1;
    part.place = message.place + 1;
    take(message);
    return true;
  });
  part.offset = offset;
  parts_.pop_front();
  if (part.unread == 0) return;
  parts_.insert(std::ranges::lower_bound(parts_, part.place, {}, &Part::place), part);
}

void QueueBacklog::peek(const Take& visit) {
  try {
    while (!parts_.empty() && !peek_at_first(visit)) {
    }
  } catch (const IoError& error) {
    give_up(error);
  }
}

// Returns false if the call has to be repeated: the first block has no unread message, or the first
// part turned out not to come first. In both cases the part is sorted in again.
bool QueueBacklog::peek_at_first(const Take& visit) {
  Part part = parts_.front();
  bool is_found = false;
  bool is_first = false;
  part.offset = each_unread(part, [&](const engine::StoredMessage& message) {
    is_found = true;
    is_first = parts_.size() == 1 || message.place <= parts_[1].place;
    part.place = message.place;
    if (is_first) visit(message);
    return false;
  });
  parts_.pop_front();
  parts_.insert(std::ranges::lower_bound(parts_, part.place, {}, &Part::place), part);
  return is_found && is_first;
}

// Sizes of bodies are unknown only where an older version stored the messages, or did not count
// what left.
void QueueBacklog::count_body_bytes(Part& part) {
  std::uint64_t bytes = 0;
  Part rest = part;
  while (rest.unread > 0) {
    rest.offset = each_unread(rest, [&](const engine::StoredMessage& message) {
      bytes += message.message.body.size();
      --rest.unread;
      return true;
    });
  }
  part.body_bytes = bytes;
}

std::size_t QueueBacklog::unread_bytes() {
  if (unread_bytes_) return static_cast<std::size_t>(*unread_bytes_);
  std::uint64_t bytes = 0;
  try {
    for (Part& part : parts_) {
      if (!part.body_bytes) count_body_bytes(part);
      bytes += *part.body_bytes;
    }
    unread_bytes_ = bytes;
  } catch (const IoError& error) {
    give_up(error);
  }
  return static_cast<std::size_t>(*unread_bytes_);
}

void QueueBacklog::look_at(const Take& visit) {
  try {
    for (Part part : parts_) {
      while (part.unread > 0) {
        part.offset = each_unread(part, [&](const engine::StoredMessage& message) {
          visit(message);
          --part.unread;
          return true;
        });
      }
    }
  } catch (const IoError& error) {
    host_.fail(error);
  }
}

void QueueBacklog::drop_unread() {
  for (const Part& part : std::exchange(parts_, {})) {
    if (HAYPILE_CANARY(purge_forgets_backlog)) continue;
    host_.drop_unread(part.slot, part.first, part.end, part.body_bytes);
  }
  unread_count_ = 0;
  unread_bytes_ = 0;
}

const char* QueueBacklog::broken_invariant() const {
  std::size_t unread = 0;
  std::optional<std::uint64_t> bytes = 0;
  std::uint64_t place = 0;
  for (const Part& part : parts_) {
    const Pile& pile = piles_.at(part.slot);
    // A thinned pile has no indices behind the last message that was left.
    const std::uint32_t end = std::min(part.end, pile.count);
    if (part.first >= end) return "range of a part";
    const std::uint32_t gone = pile.gone.count(part.first, end);
    if (part.unread == 0 || part.unread > end - part.first - gone) return "unread in a part";
    if (part.place < place) return "order of parts";
    place = part.place;
    unread += part.unread;
    add_to(bytes, part.body_bytes);
  }
  if (unread != unread_count_) return "count of what is unread";
  if (unread_bytes_ && bytes && *unread_bytes_ != *bytes) return "bytes of what is unread";
  return nullptr;
}

}  // namespace haypile::log
