// Reads a vhost's log at the start: what is durable, and where writing goes on.
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
#include "log/newest.hpp"
#include "log/piles.hpp"
#include "log/segments.hpp"

namespace haypile::log {

struct RecoveryReport {
  std::uint64_t segment_count = 0;
  std::uint64_t record_count = 0;
  // By queue name; queues without messages are there too.
  std::map<std::string, std::uint64_t> message_counts;
  std::uint64_t torn_bytes = 0;
  std::string torn_reason;  // empty if nothing was cut off
  bool clean = true;        // the log was closed; true for a new one
  std::chrono::microseconds duration{0};
};

// Where a log goes on.
struct LogState {
  std::uint64_t segment_size = 0;
  std::uint64_t first_segment = 1;
  LogPosition moved = 0;  // messages before are in the piles, or gone
  // For each segment from the first on; never empty.
  std::vector<SegmentUse> segments;
  std::uint64_t offset = 0;                // of the next batch in the last segment
  bool sealed = false;                     // the last segment takes nothing more
  std::uint32_t version = format_version;  // of the last segment
  std::uint32_t epoch = 0;                 // the highest there was
  Catalog catalog;
  Piles piles;          // with what the log says of them; nothing may be left of one
  bool is_new = false;  // there is no segment yet
  bool has_checkpoint = false;
  std::optional<std::uint64_t> newest{};  // what the file of that name says, if there is one
};

// What is called on the way; each may be empty.
struct ReplayCalls {
  // Before anything is handed over.
  std::function<void(const engine::RecoveredClock&)> on_clock{};
  // Between the definitions and the messages.
  std::function<void(LogState&)> before_messages{};
};

// Two passes over the segments, one segment in memory at a time: the first one learns what is left,
// the second one hands it over. Of piles only the headers are looked at. Nothing is changed on
// disk. Throws IoError, naming file, place and reason, for anything that cannot come from a crash.
// `segment_size` is for a new log; an old one keeps its own.
LogState replay(FileSystem& files, const std::string& directory, const DirectoryId& id,
                std::uint64_t segment_size, Newest& newest, engine::Recovery& recovery,
                RecoveryReport& report, const ReplayCalls& calls);

}  // namespace haypile::log
