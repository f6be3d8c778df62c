#include "log/pile_mover.hpp"

#include <cassert>
#include <utility>

#include "engine/canary.hpp"
#include "log/record.hpp"

namespace haypile::log {

namespace {
// More young piles, and more portions that are not written yet, would only fill the memory.
constexpr std::size_t young_piles_max = 2;
constexpr std::size_t unwritten_portions_max = 8;
// A part is mostly about as large as the one before it: its buffer has this much room more.
constexpr std::size_t part_size_slack = 8u << 10;
}  // namespace

bool PileMover::may_begin() const {
  return !is_moving() && young_.size() < young_piles_max;
}

// The position of the record becomes the pile's number: no other pile will ever have it.
void PileMover::begin(LogPosition boundary) {
  assert(!appender_.is_group_open() && !builder_);
  const LogPosition number = appender_.append_mark(RecordType::move);
  std::string buffer;
  buffer.reserve(part_size_ + part_size_slack);
  builder_.emplace(number, number, id_, std::move(buffer));
  boundary_ = boundary;
  open_pile_ =
      store_.piles().add({.number = number, .file = number, .is_open = true, .is_young = true});
}

bool PileMover::takes_more() const {
  return builder_->part_size() < portion_size_ &&
         store_.unwritten_bytes() < unwritten_portions_max * portion_size_;
}

engine::StoredId PileMover::store(const engine::MessageToStore& message) {
  const std::uint32_t index = builder_->add(message);
  const std::size_t extent = builder_->extents().size() - 1;
  if (portion_.empty() || portion_.back().extent != extent) {
    portion_.push_back({.extent = extent, .first = index});
  }
  QueueBacklog::Part& unread = portion_.back().unread;
  if (!message.stays_in_memory) {
    if (unread.unread++ == 0) {
      unread = {.slot = open_pile_,
                .offset = builder_->block_offset(),
                .first = index,
                .unread = 1,
                .place = message.place};
    }
    unread.end = index + 1;
    *unread.body_bytes += message.message.body.size();
  }
  segments_.note_moved(message.position);
  return Piles::id(open_pile_, index);
}

// From now on the backlogs of the queues have what was stored and does not stay in memory.
void PileMover::end_portion() {
  if (builder_->part_size() == 0 || builder_->count() == 0) return;
  write_part(false);
  store_.piles().grow(open_pile_, builder_->extents(), builder_->count());
  for (const NewMessages& each : portion_) {
    const Extent& extent = builder_->extents()[each.extent];
    store_.backlog(extent.queue, extent.priority).add(open_pile_, each.first, extent, each.unread);
  }
  portion_.clear();
  if (HAYPILE_CANARY(portion_leaves_log)) segments_.release_moved();
}

// Hands over what was put together since the last part. The next part will be about as large, if
// there is one.
void PileMover::write_part(bool is_last) {
  Pile& pile = store_.piles().at(open_pile_);
  const std::uint64_t offset = builder_->size() - builder_->part_size();
  std::string buffer;
  if (!is_last) part_size_ = builder_->part_size();
  if (!is_last && part_size_ >= portion_size_) buffer.reserve(part_size_ + part_size_slack);
  Unwritten::Part part =
      store_.add_unwritten(open_pile_, offset, builder_->take(std::move(buffer)));
  pile.size = builder_->size();
  worker_.perform(
      {WritePilePart{pile.file, offset, std::move(part), pile.unwritten.written(), is_last}, 0});
  if (HAYPILE_CANARY(portion_written_early)) pile.unwritten.written()->store(pile.size);
}

// All that was stored leaves the log at once: the next checkpoint names the pile, and says up to
// where messages have moved.
void PileMover::end() {
  end_portion();
  Pile& pile = store_.piles().at(open_pile_);
  moved_ = boundary_;
  if (builder_->count() == 0) {
    store_.forget(open_pile_);
  } else {
    write_part(true);
    pile.is_open = false;
    pile.checkpoint = checkpoints_.count + 1;
    checkpoints_.is_due = true;
    young_.push_back(open_pile_);
    if (pile.live_count() == 0) store_.note_empty(open_pile_);
  }
  builder_.reset();
  segments_.release_moved();
}

void PileMover::release_written() {
  if (is_moving()) store_.trim_unwritten(open_pile_);
  if (young_.empty()) return;
  const std::uint64_t done = worker_.checkpoint_count();
  std::erase_if(young_, [&](Piles::Slot slot) {
    if (!store_.piles().has(slot)) return true;
    store_.trim_unwritten(slot);
    Pile& pile = store_.piles().at(slot);
    if (pile.checkpoint <= done) pile.is_young = false;
    return !pile.is_young;
  });
}

void PileMover::log_delivered() {
  if (!is_moving()) return;
  const Pile& pile = store_.piles().at(open_pile_);
  for (const Extent& extent : pile.extents) {
    store_.reader().each_in_extent(
        pile, extent, [&](const Block&, std::uint32_t index, const engine::StoredMessage& message) {
          if (message.redelivered && !pile.gone.contains(index)) {
            appender_.append_message_record(RecordType::mark_delivered, extent.queue,
                                            message.position);
          }
          return true;
        });
  }
}

}  // namespace haypile::log
