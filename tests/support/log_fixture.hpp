// A log on a file system in memory, without a thread.
#pragma once

#include <optional>
#include <string>

#include "log/log.hpp"
#include "log/segment.hpp"
#include "support/mem_file_system.hpp"
#include "support/recovered.hpp"

namespace haypile::test {

inline constexpr log::DirectoryId directory_id{0, 1, 2,  3,  4,  5,  6,  7,
                                               8, 9, 10, 11, 12, 13, 14, 15};

inline engine::QueueDefinition queue_definition(engine::QueueId id) {
  return {.id = id,
          .name = "q" + std::to_string(id),
          .durable = true,
          .auto_delete = false,
          .arguments = {}};
}

struct LogFixture {
  explicit LogFixture(std::uint32_t segment_size = 4096) { options.segment_size = segment_size; }

  // Ends the log that was there, without closing it, and recovers a new one.
  log::RecoveryReport open() {
    log.reset();
    recovered = {};
    options.threaded = false;
    log.emplace(files, "log", directory_id, options);
    return log->recover(recovered);
  }
  // The text with which a start is refused; empty if it succeeds.
  std::string refusal() {
    try {
      open();
    } catch (const log::IoError& error) {
      return error.what();
    }
    return "";
  }
  // Opens the log as after a kill: what was written is there, synced or not.
  log::RecoveryReport reopen() { return open(); }
  log::RecoveryReport close_and_open() {
    log->close_clean();
    return open();
  }
  engine::LogPosition publish(std::string_view body, std::vector<engine::QueueId> queues = {1},
                              engine::TimeMs published_at = 0) {
    return log->publish({.exchange = "e",
                         .routing_key = "k",
                         .properties = "p",
                         .body = body,
                         .published_at = published_at},
                        queues);
  }
  void sync() {
    log->flush();
    log->step();
  }
  std::string segment_path(std::uint64_t number) const {
    return "log/" + log::segment_name(number);
  }

  MemFileSystem files;
  log::LogOptions options;
  Recovered recovered;
  std::optional<log::Log> log;
};

}  // namespace haypile::test
