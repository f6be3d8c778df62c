// A hash table of ids that takes eight bytes a place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace haypile::engine {

// Open addressing with linear probing. What an id stands for, only the user knows: it hands in the
// hash, and says whether an id is the one looked for. Ids begin at 1. Room is given back when the
// table has become mostly empty.
class FlatIndex {
 public:
  using Id = std::uint32_t;

  // 0 if there is none. `same(id)` is asked only about ids with that very hash.
  template <class Same>
  Id find(std::uint32_t hash, Same same) const {
    if (slots_.empty()) return 0;
    for (std::size_t i = hash & mask();; i = (i + 1) & mask()) {
      const Slot& slot = slots_[i];
      if (slot.id == 0) return 0;
      if (slot.hash == hash && same(slot.id)) return slot.id;
    }
  }

  // An id that is not in it yet.
  void insert(std::uint32_t hash, Id id) {
    if (2 * (count_ + 1) > slots_.size()) resize(slots_.empty() ? size_min : 2 * slots_.size());
    ++count_;
    place({hash, id});
  }

  // An id that is in it, with the hash it was inserted with.
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

  // Moves up what would not be found any more behind an empty place.
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

  std::vector<Slot> slots_;  // their number is a power of two, at most half of them are taken
  std::size_t count_ = 0;
};

}  // namespace haypile::engine
