// The checkpoint file: what stood in segments that have been given up.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "log/catalog.hpp"
#include "log/file_system.hpp"
#include "log/format.hpp"
#include "log/piles.hpp"

namespace haypile::log {

inline constexpr const char* checkpoint_name = "checkpoint";

struct CheckpointHead {
  std::uint64_t first_segment = 1;  // the oldest one that is needed
  LogPosition position = 0;         // what was logged before is in the catalog and the piles
  LogPosition moved = 0;            // messages before are in the piles, or gone
};
struct Checkpoint : CheckpointHead {
  std::uint32_t version = format_version;
  Catalog catalog;
  Piles piles;
};

std::string encode_checkpoint(const CheckpointHead& head, const Catalog& catalog, Piles& piles,
                              const DirectoryId& id);
// The same of what Catalog::encode() and encode_piles() gave.
std::string encode_checkpoint(const CheckpointHead& head, std::string_view definitions,
                              std::string_view piles, const DirectoryId& id);
std::string encode_piles(Piles& piles);

// No checkpoint is larger: a file that is cannot have been written by a log.
inline constexpr std::uint64_t checkpoint_size_max = std::uint64_t{4} << 30;

// Nothing if there is no such file yet; throws IoError if it cannot be read or is damaged.
std::optional<Checkpoint> read_checkpoint(FileSystem& files, const std::string& directory,
                                          const DirectoryId& id);
// The bytes of such a file; throws DamageError, in which `path` is named.
Checkpoint decode_checkpoint(std::string_view bytes, const std::string& path,
                             const DirectoryId& id);
// Of a damaged one: the definitions up to the first record that is malformed. None is certain.
Catalog read_definitions(std::string_view bytes);

}  // namespace haypile::log
