// The checkpoint file: what stood in segments that have been given up.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "log/catalog.hpp"
#include "log/file_system.hpp"
#include "log/format.hpp"

namespace haypile::log {

inline constexpr const char* checkpoint_name = "checkpoint";

struct Checkpoint {
  std::uint64_t first_segment = 1;  // the oldest one that is needed
  LogPosition position = 0;         // definitions logged before are in the catalog
  Catalog catalog;
};

std::string encode_checkpoint(std::uint64_t first_segment, LogPosition position,
                              const Catalog& catalog, const DirectoryId& id);

// Nothing if there is no such file yet; throws IoError if it is damaged.
std::optional<Checkpoint> read_checkpoint(FileSystem& files, const std::string& directory,
                                          const DirectoryId& id);

}  // namespace haypile::log
