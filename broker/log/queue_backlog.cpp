#include "log/queue_backlog.hpp"

#include <algorithm>
#include <utility>

#include "engine/canary.hpp"

namespace haypile::log {

std::string_view PileReader::read(const Pile& pile, std::uint64_t offset, std::size_t size) {
  if (pile.bytes) {
    return offset < pile.bytes->size() ? std::string_view(*pile.bytes).substr(offset, size) : "";
  }
  if (open_ != pile.file) {
    file_ = files_.open(directory_ + "/" + pile_name(pile.file));
    open_ = pile.file;
  }
  file_->read(offset, size, buffer_);
  return buffer_;
}

void PileReader::refuse(const Pile& pile, std::uint64_t offset, const char* why) const {
  throw DamageError("'" + directory_ + "/" + pile_name(pile.file) + "' is damaged at offset " +
                    std::to_string(offset) + ": " + why);
}

Block PileReader::block(const Pile& pile, std::uint64_t offset, std::string_view& bytes) {
  constexpr std::size_t size_mostly = block_header_size + block_size + 1024;
  bytes = read(pile, offset, size_mostly);
  Block block;
  if (!decode_block_header(bytes, pile.file, offset, id_, block)) {
    refuse(pile, offset, "there is no block");
  }
  const std::size_t size = block_header_size + block.records_size;
  if (bytes.size() < size) bytes = read(pile, offset, size);
  if (bytes.size() < size) refuse(pile, offset, "the block is not whole");
  return block;
}

void QueueBacklog::note(Piles::Slot slot, const Extent& extent) {
  std::erase_if(ranges_, [this](const Range& range) { return !piles_.has(range.slot); });
  ranges_.push_back({slot, extent.first, extent.count});
  last_place_ = std::max(last_place_, extent.last_place);
  is_timed_ = is_timed_ || extent.is_timed;
}

void QueueBacklog::add(Piles::Slot slot, const Extent& extent, std::uint32_t first_unread,
                       std::size_t unread_bytes) {
  note(slot, extent);
  const std::uint32_t end = extent.first + extent.count;
  if (first_unread == end) return;
  parts_.push_back({slot, extent.offset, first_unread, end, end - first_unread});
  unread_count_ += end - first_unread;
  if (unread_bytes_) *unread_bytes_ += unread_bytes;
}

void QueueBacklog::restore(Piles::Slot slot, std::size_t number) {
  const Extent& extent = piles_.at(slot).extents[number];
  const std::uint32_t unread = piles_.at(slot).live_count_in(number);
  if (unread == 0) return;
  note(slot, extent);
  parts_.push_back({slot, extent.offset, extent.first, extent.first + extent.count, unread});
  unread_count_ += unread;
  if (unread != extent.stored) {
    unread_bytes_.reset();
  } else if (unread_bytes_) {
    *unread_bytes_ += extent.body_bytes;
  }
}

void QueueBacklog::thinned(Piles::Slot slot, std::uint64_t offset) {
  for (Part& part : parts_) {
    if (part.slot == slot && !HAYPILE_CANARY(old_offset_kept)) part.offset = offset;
  }
}

template <class Visit>
std::uint64_t QueueBacklog::each_unread(const Part& part, std::uint64_t offset, Visit visit) {
  Pile& pile = piles_.at(part.slot);
  std::string_view bytes;
  const Block block = reader_.block(pile, offset, bytes);
  BlockReader reader(block, bytes, pile.file, offset, reader_.id());
  engine::StoredMessage message;
  std::uint32_t index = 0;
  while (reader.next(message, index)) {
    if (index < part.first || index >= part.end || pile.gone.contains(index)) continue;
    message.id = Piles::id(part.slot, index);
    message.redelivered = message.redelivered || pile.redelivered;
    const auto count = pile.delivery_counts.find(index);
    if (count != pile.delivery_counts.end()) {
      message.redelivered = true;
      if (count->second != 0) message.delivery_count = count->second;
    }
    visit(message);
  }
  if (!reader.ok()) reader_.refuse(pile, offset, "the checksum of its block does not match");
  return offset + block.size();
}

void QueueBacklog::read(const Take& take) {
  try {
    for (const std::size_t before = unread_count_; unread_count_ > 0 && unread_count_ == before;)
      read_block(take);
  } catch (const IoError& error) {
    parts_.clear();
    unread_count_ = 0;
    unread_bytes_ = 0;
    host_.fail(error);
  }
}

void QueueBacklog::read_block(const Take& take) {
  Part& part = parts_.front();
  part.offset = each_unread(part, part.offset, [&](const engine::StoredMessage& message) {
    --unread_count_;
    --part.unread;
    if (unread_bytes_) *unread_bytes_ -= message.message.body.size();
    part.first = Piles::index_of(message.id) + 1;
    take(message);
  });
  if (part.unread == 0) parts_.pop_front();
}

std::size_t QueueBacklog::unread_bytes() {
  if (!unread_bytes_) {
    std::size_t bytes = 0;
    look_at([&](const engine::StoredMessage& message) { bytes += message.message.body.size(); });
    unread_bytes_ = bytes;
  }
  return *unread_bytes_;
}

void QueueBacklog::look_at(const Take& visit) {
  try {
    for (const Part& part : parts_) {
      std::uint32_t left = part.unread;
      for (std::uint64_t offset = part.offset; left > 0;) {
        offset = each_unread(part, offset, [&](const engine::StoredMessage& message) {
          visit(message);
          --left;
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
    host_.drop_unread(part.slot, part.first, part.end - part.first);
  }
  unread_count_ = 0;
  unread_bytes_ = 0;
}

}  // namespace haypile::log
