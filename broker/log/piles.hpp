// What is known of the pile files: which messages are in them, and which of those are left.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "log/pile.hpp"

namespace haypile::log {

// Numbers indices from 0; grows with the highest one that was set.
class IndexSet {
 public:
  bool contains(std::uint32_t index) const {
    return index / 64 < words_.size() && (words_[index / 64] >> (index % 64) & 1) != 0;
  }
  void insert(std::uint32_t index) {
    if (index / 64 >= words_.size()) words_.resize(index / 64 + 1);
    words_[index / 64] |= std::uint64_t{1} << (index % 64);
  }
  const std::vector<std::uint64_t>& words() const { return words_; }
  IndexSet() = default;
  explicit IndexSet(std::vector<std::uint64_t> words) : words_(std::move(words)) {}

 private:
  std::vector<std::uint64_t> words_;
};

struct Pile {
  LogPosition number = 0;  // where the log says that it was made
  std::uint64_t size = 0;  // of the file
  std::vector<Extent> extents;
  std::uint32_t count = 0;
  // Was there at an unclean start: all that is in it may have been delivered.
  bool redelivered = false;
  IndexSet gone{};
  std::uint32_t gone_count = 0;
  // Messages that were delivered since, and how often they came back; 0: as it says in the pile.
  std::map<std::uint32_t, std::uint32_t> delivery_counts{};

  // Not on disk, or not in a checkpoint yet; then these are its bytes.
  std::shared_ptr<std::string> bytes;
  std::uint64_t checkpoint = 0;  // counts checkpoints: from this one on it is known

  std::uint32_t live_count() const { return count - gone_count; }
  std::uint32_t live_count_in(const Extent& extent) const;
  // False if it was gone before.
  bool drop(std::uint32_t index) {
    if (gone.contains(index)) return false;
    gone.insert(index);
    ++gone_count;
    delivery_counts.erase(index);
    return true;
  }
};

// As a record of a checkpoint.
void append_pile(std::string& out, const Pile& pile);

// Slots are given out in the order of the numbers, and never twice in a run.
class Piles {
 public:
  using Slot = std::uint32_t;

  // Numbers rise.
  Slot add(Pile pile) {
    piles_.push_back(std::make_unique<Pile>(std::move(pile)));
    return base_ + static_cast<Slot>(piles_.size()) - 1;
  }
  Pile& at(Slot slot) { return *piles_[slot - base_]; }
  bool has(Slot slot) const { return slot >= base_ && piles_[slot - base_]; }
  Slot end() const { return base_ + static_cast<Slot>(piles_.size()); }
  // Null if there is none; it may be gone already.
  Pile* find(LogPosition number);
  // Forgets it: nothing is left of it.
  void erase(Slot slot) {
    piles_[slot - base_].reset();
    last_found_ = nullptr;
    while (!piles_.empty() && !piles_.front()) {
      piles_.pop_front();
      ++base_;
    }
  }
  template <class Visit>
  void each(Visit visit) {
    for (Slot slot = base_; slot != end(); ++slot) {
      if (piles_[slot - base_]) visit(slot, *piles_[slot - base_]);
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
};

// Reads what append_pile() wrote, behind its type. False if it is malformed.
class Reader;
bool read_pile(Reader& in, Pile& pile);

}  // namespace haypile::log
