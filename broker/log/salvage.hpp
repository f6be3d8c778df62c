// Puts a damaged log right: what can be read of it becomes a log of its own.
#pragma once

#include <cstdint>
#include <string>

#include "log/file_system.hpp"
#include "log/log_inspector.hpp"

namespace haypile::log {

// Writes to the directory `to`, which exists and is empty, a log that has what `inspector` found in
// `from`: the definitions, the messages in piles, those in segments. Piles without damage are
// copied. It is a log that was not closed: all messages count as delivered before. All of it is
// synced when this returns, but for the name of `to` itself. Changes nothing in `from`. Segments
// have that size if the old ones do not tell theirs. Throws IoError.
void write_salvaged(LogInspector& inspector, FileSystem& files, const std::string& from,
                    const std::string& to, const DirectoryId& id,
                    std::uint32_t segment_size_if_unknown = 8u << 20);

}  // namespace haypile::log
