// Thinning: a pile of which little is left gets a new file; docs/log-format.md, "Piles".
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "log/file_system.hpp"
#include "log/piles.hpp"

namespace haypile::log {

// The thinning of one pile. The engine's thread makes it, the maintenance thread carries it out,
// and then the engine's thread puts the result in place.
struct Thinning {
  Piles::Slot slot = 0;
  LogPosition pile = 0;
  LogPosition old_file = 0;
  LogPosition new_file = 0;
  std::uint64_t old_size = 0;
  IndexSet gone{};
  std::uint32_t live_count = 0;  // messages that are not gone
  // A new file of this size or more is not worth it.
  std::uint64_t size_max = 0;

  // The result. If it is not done, there was no space, the old file is damaged, or the new file
  // would be too large.
  bool is_done = false;
  bool is_damaged = false;
  bool is_too_large = false;
  std::uint64_t size = 0;
  std::uint32_t count = 0;
  std::vector<Extent> extents{};
};

// Writes the new file and syncs it, but not its name. Only needs memory for a part of it. Throws
// IoError. After NoSpace and DamageError the new file is removed; other errors are final.
void write_thinned(Thinning& thinning, FileSystem& files, const std::string& directory,
                   const DirectoryId& id);

}  // namespace haypile::log
