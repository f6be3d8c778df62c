// What is known of the pile files: which messages are in them, and which of those are left.
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

// A set of indices, as a bit each. Mostly it has all up to some index, and few behind it.
class IndexSet {
 public:
  IndexSet() = default;
  // `full` words of ones, and then `words`.
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
  // Of those from `first` on, up to `end`.
  std::uint32_t count(std::uint32_t first, std::uint32_t end) const;
  // Words of ones at the beginning, and those that follow.
  std::uint64_t full() const;
  std::span<const std::uint64_t> others() const {
    return std::span(words_).subspan(static_cast<std::size_t>(full() - full_));
  }
  // The same, but whether those from `end` on are in it does not matter; takes no more memory than
  // it needs.
  IndexSet up_to(std::uint32_t end) const;

 private:
  std::uint64_t full_ = 0;
  std::vector<std::uint64_t> words_;
};

// Where a block stands in the file.
struct BlockPlace {
  std::uint32_t first = 0;  // index
  std::uint64_t size = 0;
  std::uint64_t offset = 0;
};

struct Pile {
  LogPosition number = 0;  // where the log says that it was made
  LogPosition file = 0;    // the same, or where the log says that it was thinned
  std::uint64_t size = 0;  // of the file
  std::vector<Extent> extents{};
  std::uint32_t count = 0;  // of indices
  // Was there at an unclean start: all that is in it may have been delivered.
  bool redelivered = false;
  IndexSet gone{};
  std::uint32_t gone_count = 0;
  // Messages that were delivered since, and how often they came back; 0: as it says in the pile.
  std::map<std::uint32_t, std::uint32_t> delivery_counts{};

  // Messages are still moved to it: no checkpoint names it.
  bool is_open = false;
  // No checkpoint on disk names it: a recovery finds its messages in the log.
  bool is_young = false;
  Unwritten unwritten{};
  std::uint64_t checkpoint = 0;  // counts checkpoints: from this one on it is known
  std::uint64_t last_drop = 0;   // the number of checkpoints that there were then
  bool is_damaged = false;       // somewhere: it cannot be thinned

  // Of extents, by their first indices, in which single messages have been looked for.
  std::map<std::uint32_t, std::vector<BlockPlace>> block_places{};

  // It has not been worth a new file when no more than twice as many messages were left.
  std::uint32_t thin_below = std::numeric_limits<std::uint32_t>::max();

  std::uint32_t live_count() const { return count - gone_count; }
  std::uint32_t live_count_in(std::size_t extent) const { return left[extent].count; }
  // The number of the extent that an index is in, or behind; nothing if it is before all of them.
  std::optional<std::size_t> extent_of(std::uint32_t index) const;
  // About what there is of it in the file.
  std::uint64_t live_bytes() const;
  // Returns about what that leaves unused in the file; 0 if it was gone before. `message_size`
  // is 0 for one of average size. Call lose_bodies() for what goes.
  std::uint64_t drop(std::uint32_t index, std::size_t message_size = 0);
  // So many bytes of bodies have gone of the extent that has that index; nothing: it is not known.
  void lose_bodies(std::uint32_t index, std::optional<std::uint64_t> bytes);
  // More has been added: `all` begins with the extents that there are, the last one maybe longer.
  void grow(const std::vector<Extent>& all, std::uint32_t indices);
  // A new file has these, up to the `count` that there is.
  void replace_extents(const std::vector<Extent>& with);
  // To be called when all the rest is there, and before drop().
  void count_what_is_left();

  // What has to hold between two calls, and does not; null if all is well.
  const char* broken_invariant() const;

  // Of each extent.
  struct Left {
    std::uint32_t count = 0;
    std::uint64_t bytes = 0;                  // in the file, but for shared messages: about
    std::optional<std::uint64_t> bodies = 0;  // nothing: not known
  };
  std::vector<Left> left{};

 private:
  Left* left_of(std::uint32_t index);
  static Left all_of(const Extent& extent);
};

// As a record of a checkpoint.
void append_pile(std::string& out, const Pile& pile);

// Slots are given out in the order of the numbers, and never twice in a run.
class Piles {
 public:
  using Slot = std::uint32_t;

  // Numbers rise.
  Slot add(Pile pile) {
    if (pile.left.size() != pile.extents.size()) pile.count_what_is_left();
    extent_count_ += pile.extents.size();
    piles_.push_back(std::make_unique<Pile>(std::move(pile)));
    return base_ + static_cast<Slot>(piles_.size()) - 1;
  }
  Pile& at(Slot slot) { return *piles_[slot - base_]; }
  const Pile& at(Slot slot) const { return *piles_[slot - base_]; }
  bool has(Slot slot) const { return slot >= base_ && piles_[slot - base_]; }
  // 0 if there are none.
  LogPosition last_number() const {
    for (auto pile = piles_.rbegin(); pile != piles_.rend(); ++pile) {
      if (*pile) return (*pile)->number;
    }
    return 0;
  }
  // Of those between, has() says which there are.
  Slot begin() const { return base_; }
  Slot end() const { return base_ + static_cast<Slot>(piles_.size()); }
  // Null if there is none; it may be gone already.
  Pile* find(LogPosition number);
  // More has been added to it.
  void grow(Slot slot, const std::vector<Extent>& all, std::uint32_t indices) {
    extent_count_ -= at(slot).extents.size();
    at(slot).grow(all, indices);
    extent_count_ += at(slot).extents.size();
  }
  // It has a new file.
  void replace_extents(Slot slot, const std::vector<Extent>& with) {
    extent_count_ -= at(slot).extents.size();
    at(slot).replace_extents(with);
    extent_count_ += at(slot).extents.size();
  }
  // Of all piles: each takes some memory, here and in the backlog of its queue.
  std::size_t extent_count() const { return extent_count_; }
  // Forgets it: nothing is left of it.
  void erase(Slot slot) {
    if (!HAYPILE_CANARY(extents_stay_counted)) extent_count_ -= at(slot).extents.size();
    piles_[slot - base_].reset();
    last_found_ = nullptr;
    while (!piles_.empty() && !piles_.front()) {
      piles_.pop_front();
      ++base_;
    }
  }
  // All but the one that is open.
  template <class Visit>
  void each(Visit visit) {
    for (Slot slot = base_; slot != end(); ++slot) {
      const auto& pile = piles_[slot - base_];
      if (pile && !pile->is_open) visit(slot, *pile);
    }
  }

  // A stored message's id is made of slot and index.
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

// Reads what append_pile() wrote, behind its type, or that of an older version did. False if it is
// malformed.
class Reader;
bool read_pile(Reader& in, std::uint32_t version, Pile& pile);

}  // namespace haypile::log
