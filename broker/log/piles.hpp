// What is known of the piles: which messages are in them, and which of these are left.
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/canary.hpp"
#include "log/pile.hpp"
#include "log/unwritten.hpp"

namespace haypile::log {

// A set of indices with one bit for each. Usually it has all indices up to some number, and few
// others.
class IndexSet {
 public:
  IndexSet() = default;
  // The set begins with `full` words of ones, and continues with `words`.
  IndexSet(std::uint64_t full, std::vector<std::uint64_t> words)
      : full_(full), words_(std::move(words)) {}

  bool contains(std::uint32_t index) const {
    const std::uint64_t word = index / 64;
    if (word < full_) return true;
    return word - full_ < words_.size() && (words_[word - full_] >> (index % 64) & 1) != 0;
  }
  void insert(std::uint32_t index) {
    const std::uint64_t word = index / 64;
    if (word < full_) return;
    if (word - full_ >= words_.size()) words_.resize(word - full_ + 1);
    words_[word - full_] |= std::uint64_t{1} << (index % 64);
  }
  // How many indices from `first` on and below `end` are in the set.
  std::uint32_t count(std::uint32_t first, std::uint32_t end) const;
  // The number of words of ones at the beginning, and the words after them.
  std::uint64_t full() const;
  std::span<const std::uint64_t> others() const {
    return std::span(words_).subspan(static_cast<std::size_t>(full() - full_));
  }
  // A set with the same indices below `end`; indices from `end` on do not matter. It takes no more
  // memory than it needs.
  IndexSet up_to(std::uint32_t end) const;

 private:
  std::uint64_t full_ = 0;
  std::vector<std::uint64_t> words_;
};

// The place of a block in the file.
struct BlockPlace {
  std::uint32_t first = 0;  // index
  std::uint64_t size = 0;
  std::uint64_t offset = 0;
};

// What is known of one pile.
struct Pile {
  LogPosition number = 0;  // the position of the record that began it
  LogPosition file = 0;    // the same, or the position of the record that thinned it
  std::uint64_t size = 0;  // of the file
  std::vector<Extent> extents{};
  std::uint32_t count = 0;  // indices
  // It existed at an unclean start: all of its messages may have been delivered.
  bool redelivered = false;
  IndexSet gone{};
  std::uint32_t gone_count = 0;
  // The messages that were delivered since they were stored, and how often they came back; 0: as
  // often as the pile says.
  std::map<std::uint32_t, std::uint32_t> delivery_counts{};

  // Messages are still moved to it. No checkpoint names it.
  bool is_open = false;
  // No checkpoint on disk names it: a recovery finds its messages in the log.
  bool is_young = false;
  Unwritten unwritten{};
  std::uint64_t checkpoint = 0;  // number of the first checkpoint that names it
  std::uint64_t last_drop = 0;   // the number of checkpoints at that time
  bool is_damaged = false;       // damaged somewhere, so that it cannot be thinned

  // The blocks of extents, by the extents' first indices. Only where single messages were looked
  // up.
  std::map<std::uint32_t, std::vector<BlockPlace>> block_places{};

  // A new file is only tried when no more messages than this are left, since an earlier one was not
  // worth it.
  std::uint32_t thin_below = std::numeric_limits<std::uint32_t>::max();

  // Adds to a message that was read from the file what happened since it was stored.
  void complete(std::uint32_t index, engine::StoredMessage& message) const;

  std::uint32_t live_count() const { return count - gone_count; }
  std::uint32_t live_count_in(std::size_t extent) const { return left[extent].count; }
  // The number of the extent that has the index, or else of the last extent before it. Nothing if
  // all extents are behind it.
  std::optional<std::size_t> extent_of(std::uint32_t index) const;
  // About how many bytes of the file are messages that are left.
  std::uint64_t live_bytes() const;
  // The message with that index has left its queue. Returns about how many bytes of the file that
  // leaves unused; 0 if it had left before. A `message_size` of 0 stands for the average size. Call
  // lose_bodies() too.
  std::uint64_t drop(std::uint32_t index, std::size_t message_size = 0);
  // Bodies of that size have left the extent with that index. Nothing: the size is not known.
  void lose_bodies(std::uint32_t index, std::optional<std::uint64_t> bytes);
  // Messages have been added. `all` begins with the extents that are known; the last of these may
  // be longer now.
  void grow(const std::vector<Extent>& all, std::uint32_t indices);
  // A new file has these extents. Their indices are below `count`.
  void replace_extents(const std::vector<Extent>& with);
  // Computes `left`. Call this when all other members are complete, and before drop().
  void count_what_is_left();

  // Names an invariant that does not hold between two calls; null if all hold.
  const char* broken_invariant() const;

  // What is left of an extent.
  struct Left {
    std::uint32_t count = 0;
    std::uint64_t bytes = 0;                  // in the file, without shared messages; about
    std::optional<std::uint64_t> bodies = 0;  // nothing: not known
  };
  std::vector<Left> left{};

 private:
  Left* left_of(std::uint32_t index);
  static Left all_of(const Extent& extent);
};

// Appends the pile as a record of a checkpoint.
void append_pile(std::string& out, const Pile& pile);

// Holds all piles of a log by their slots. Slots are given out in the order of the piles' numbers,
// and never twice in a run. Belongs to the engine's thread.
class Piles {
 public:
  using Slot = std::uint32_t;

  // Adds a pile. Its number must be above those of all others.
  Slot add(Pile pile) {
    if (pile.left.size() != pile.extents.size()) pile.count_what_is_left();
    extent_count_ += pile.extents.size();
    piles_.push_back(std::make_unique<Pile>(std::move(pile)));
    return base_ + static_cast<Slot>(piles_.size()) - 1;
  }
  Pile& at(Slot slot) { return *piles_[slot - base_]; }
  const Pile& at(Slot slot) const { return *piles_[slot - base_]; }
  bool has(Slot slot) const { return slot >= base_ && piles_[slot - base_]; }
  // The number of the newest pile; 0 if there are none.
  LogPosition last_number() const {
    for (auto pile = piles_.rbegin(); pile != piles_.rend(); ++pile) {
      if (*pile) return (*pile)->number;
    }
    return 0;
  }
  // The slots are in this range; has() says which of them have a pile.
  Slot begin() const { return base_; }
  Slot end() const { return base_ + static_cast<Slot>(piles_.size()); }
  // The pile with that number; null if there is none, or if it has been erased.
  Pile* find(LogPosition number);
  // Messages have been added to the pile.
  void grow(Slot slot, const std::vector<Extent>& all, std::uint32_t indices) {
    extent_count_ -= at(slot).extents.size();
    at(slot).grow(all, indices);
    extent_count_ += at(slot).extents.size();
  }
  // The pile has a new file.
  void replace_extents(Slot slot, const std::vector<Extent>& with) {
    extent_count_ -= at(slot).extents.size();
    at(slot).replace_extents(with);
    extent_count_ += at(slot).extents.size();
  }
  // The number of extents of all piles. Each takes some memory, here and in the backlog of its
  // queue.
  std::size_t extent_count() const { return extent_count_; }
  // Forgets a pile of which nothing is left.
  void erase(Slot slot) {
    if (!HAYPILE_CANARY(extents_stay_counted)) extent_count_ -= at(slot).extents.size();
    piles_[slot - base_].reset();
    last_found_ = nullptr;
    while (!piles_.empty() && !piles_.front()) {
      piles_.pop_front();
      ++base_;
    }
  }
  // Calls `visit(slot, pile)` for all piles except the open one.
  template <class Visit>
  void each(Visit visit) {
    for (Slot slot = base_; slot != end(); ++slot) {
      const auto& pile = piles_[slot - base_];
      if (pile && !pile->is_open) visit(slot, *pile);
    }
  }

  // The id of a stored message consists of slot and index.
  static engine::StoredId id(Slot slot, std::uint32_t index) {
    return (std::uint64_t{slot} + 1) << 32 | index;
  }
  static Slot slot_of(engine::StoredId id) { return static_cast<Slot>((id >> 32) - 1); }
  static std::uint32_t index_of(engine::StoredId id) { return static_cast<std::uint32_t>(id); }

 private:
  std::deque<std::unique_ptr<Pile>> piles_;
  Slot base_ = 0;
  Pile* last_found_ = nullptr;
  std::size_t extent_count_ = 0;
};

// Reads what append_pile() wrote, without the type byte, or what an older version wrote. Returns
// false if it is malformed.
class Reader;
bool read_pile(Reader& in, std::uint32_t version, Pile& pile);

}  // namespace haypile::log
