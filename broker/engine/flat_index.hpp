// A hash table of ids that takes eight bytes for each slot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace haypile::engine {

// Finds ids by hashes, with open addressing and linear probing. Only the user knows what an id
// stands for: it passes the hash, and says whether an id is the right one. Ids begin at 1. Memory
// is given back when the table has become mostly empty.
class FlatIndex {
 public:
  using Id = std::uint32_t;

  // Returns 0 if there is none. `same(id)` is called only for ids with the same hash.
  template <class Same>
  Id find(std::uint32_t hash, Same same) const {
    if (slots_.empty()) return 0;
    for (std::size_t i = hash & mask();; i = (i + 1) & mask()) {
      const Slot& slot = slots_[i];
      if (slot.id == 0) return 0;
      if (slot.hash == hash && same(slot.id)) return slot.id;
    }
  }

  // Adds an id that is not in the table.
  void insert(std::uint32_t hash, Id id) {
    if (2 * (count_ + 1) > slots_.size()) resize(slots_.empty() ? size_min : 2 * slots_.size());
    ++count_;
    place({hash, id});
  }

  // Removes an id that is in the table. `hash` must be the one it was inserted with.
  void erase(std::uint32_t hash, Id id) {
    std::size_t gap = hash & mask();
    while (slots_[gap].id != id)
      gap = (gap + 1) & mask();
    close(gap);
    --count_;
    if (8 * count_ < slots_.size() && slots_.size() > size_min) resize(slots_.size() / 2);
  }

  std::size_t size() const { return count_; }
  std::size_t capacity() const { return slots_.size(); }
  std::size_t memory_bytes() const { return slots_.capacity() * sizeof(Slot); }

 private:
  static constexpr std::size_t size_min = 8;
  struct Slot {
    std::uint32_t hash = 0;
    Id id = 0;
  };

  std::size_t mask() const { return slots_.size() - 1; }

  void place(Slot slot) {
    std::size_t i = slot.hash & mask();
    while (slots_[i].id != 0)
      i = (i + 1) & mask();
    slots_[i] = slot;
  }

  // Empties a slot. Moves entries into it that would otherwise no longer be found behind it.
  void close(std::size_t gap) {
    for (std::size_t i = (gap + 1) & mask(); slots_[i].id != 0; i = (i + 1) & mask()) {
      const std::size_t home = slots_[i].hash & mask();
      if (((i - home) & mask()) < ((i - gap) & mask())) continue;
      slots_[gap] = slots_[i];
      gap = i;
    }
    slots_[gap] = {};
  }

  void resize(std::size_t size) {
    std::vector<Slot> old(size);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.id != 0) place(slot);
    }
  }

  std::vector<Slot> slots_;  // a power of two, at most half of them taken
  std::size_t count_ = 0;
};

}  // namespace haypile::engine
