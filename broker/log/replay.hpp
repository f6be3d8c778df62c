// Reads the log of a virtual host at the start: what is durable, and where writing continues.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/journal.hpp"
#include "log/catalog.hpp"
#include "log/file_system.hpp"
#include "log/format.hpp"
#include "log/piles.hpp"
#include "log/segments.hpp"

namespace haypile::log {

// What a start reports about the log of one virtual host.
struct RecoveryReport {
  std::uint64_t segment_count = 0;
  std::uint64_t record_count = 0;
  // The counts by queue name, also for queues without messages.
  std::map<std::string, std::uint64_t> message_counts;
  std::uint64_t torn_bytes = 0;
  std::string torn_reason;  // empty if nothing was cut off
  bool clean = true;        // the log was closed, or is new
  std::chrono::microseconds duration{0};
};

// The state in which a log continues.
struct LogState {
  std::uint64_t segment_size = 0;
  std::uint64_t first_segment = 1;
  LogPosition moved = 0;  // messages before this are in piles or gone
  // One element for each segment from the first one on; never empty.
  std::vector<SegmentUse> segments;
  std::uint64_t offset = 0;                // of the next batch in the last segment
  bool sealed = false;                     // the last segment takes nothing more
  std::uint32_t version = format_version;  // of the last segment
  std::uint32_t epoch = 0;                 // the highest of all batches
  Catalog catalog;
  Piles piles;          // as the log says; piles without messages included
  bool is_new = false;  // there is no segment yet
  bool has_checkpoint = false;
  std::optional<std::uint64_t> newest{};  // what the file `newest` says, if it exists
};

// Functions that replay() calls; each may be empty.
struct ReplayCalls {
  // Called before anything is handed over.
  std::function<void(const engine::RecoveredClock&)> on_clock{};
  // Called between the definitions and the messages.
  std::function<void(LogState&)> before_messages{};
};

// Hands what the log has to `recovery`. Only the headers of piles are read. Changes nothing on
// disk. Throws IoError, with file, place and reason, for anything that a crash cannot have caused.
// `segment_size` is for a new log; an old one keeps its own.
LogState replay(FileSystem& files, const std::string& directory, const DirectoryId& id,
                std::uint64_t segment_size, engine::Recovery& recovery, RecoveryReport& report,
                const ReplayCalls& calls);

}  // namespace haypile::log
