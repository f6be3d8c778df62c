// Repairs a damaged log: everything that can be read of it becomes a new log.
#pragma once

#include <cstdint>
#include <string>

#include "log/file_system.hpp"
#include "log/log_inspector.hpp"

namespace haypile::log {

// Writes what `inspector` found in `from` as a log to the directory `to`, which must exist and be
// empty: the definitions, the messages in piles, the messages in segments. Piles without damage are
// copied. The new log was not closed, so that all messages count as delivered before. Everything is
// synced when this returns, except the name of `to` itself. Changes nothing in `from`.
// `segment_size_if_unknown` is for the case that the old segments do not tell their size. Throws
// IoError.
void write_salvaged(LogInspector& inspector, FileSystem& files, const std::string& from,
                    const std::string& to, const DirectoryId& id,
                    std::uint32_t segment_size_if_unknown = 8u << 20);

}  // namespace haypile::log
