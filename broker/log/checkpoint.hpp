// The checkpoint file: what is left of segments that have been given up; docs/log-format.md, "The
// checkpoint".
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
  LogPosition position = 0;         // the catalog and the piles have what was logged before
  LogPosition moved = 0;            // messages before this are in piles or gone
};
struct Checkpoint : CheckpointHead {
  std::uint32_t version = format_version;
  Catalog catalog;
  Piles piles;
};

std::string encode_checkpoint(const CheckpointHead& head, const Catalog& catalog, Piles& piles,
                              const DirectoryId& id);
// The same, from the results of Catalog::encode() and encode_piles().
std::string encode_checkpoint(const CheckpointHead& head, std::string_view definitions,
                              std::string_view piles, const DirectoryId& id);
std::string encode_piles(Piles& piles);

// The largest size of a checkpoint that is believed.
inline constexpr std::uint64_t checkpoint_size_max = std::uint64_t{4} << 30;

// Decodes the bytes of a checkpoint. Throws DamageError, with `path` in its text.
Checkpoint decode_checkpoint(std::string_view bytes, const std::string& path,
                             const DirectoryId& id);
// The definitions of a damaged checkpoint, up to the first malformed record. None of them is
// certain.
Catalog read_definitions(std::string_view bytes);

}  // namespace haypile::log
