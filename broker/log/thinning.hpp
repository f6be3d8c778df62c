// A pile of which little is left gets a new file with that; docs/log-format.md, "Piles".
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "log/file_system.hpp"
#include "log/piles.hpp"

namespace haypile::log {

// One pile's: made by the engine's thread, carried out by the maintenance thread, and then put in
// place.
struct Thinning {
  Piles::Slot slot = 0;
  LogPosition pile = 0;
  LogPosition old_file = 0;
  LogPosition new_file = 0;
  std::uint64_t old_size = 0;
  IndexSet gone{};
  std::uint32_t live_count = 0;  // of those that are not gone
  // What is not smaller than this has not been worth it.
  std::uint64_t size_max = 0;

  // The result. Without one there was no room for it, or the old file is damaged somewhere, or the
  // new one would have been too large.
  bool is_done = false;
  bool is_damaged = false;
  bool is_too_large = false;
  std::uint64_t size = 0;
  std::uint32_t count = 0;
  std::vector<Extent> extents{};
};

// Writes the new file and syncs it, but not its name; memory is needed for a part of it only.
// Throws IoError: NoSpace and DamageError leave no file; anything else is final, as ever.
void write_thinned(Thinning& thinning, FileSystem& files, const std::string& directory,
                   const DirectoryId& id);

}  // namespace haypile::log
