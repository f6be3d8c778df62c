// Starts a log with the files that are there.
#pragma once

#include <memory>
#include <string>

#include "fuzz/log_program.hpp"
#include "fuzz/support.hpp"

namespace haypile::fuzz {

struct Opened {
  std::unique_ptr<log::Log> log;
  test::Recovered recovered;
  log::RecoveryReport report;
};

// Returns null if the start is refused.
inline std::unique_ptr<Opened> open(test::MemFileSystem& files,
                                    const std::string& path = directory) {
  auto opened = std::make_unique<Opened>();
  log::LogOptions options;
  options.segment_size = 4096;
  options.ring_size = std::uint64_t{16} * 4096;
  options.threaded = false;
  options.on_failure = [](const std::string&) { expect(false, "the log can be written to"); };
  opened->log = std::make_unique<log::Log>(files, path, directory_id, options);
  try {
    opened->report = opened->log->recover(opened->recovered);
  } catch (const log::IoError& error) {
    expect(*error.what() != '\0', "a refusal has a reason");
    return nullptr;
  }
  return opened;
}

}  // namespace haypile::fuzz
