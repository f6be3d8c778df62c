#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common.hpp"

namespace haypile::cli {

enum class OnFailure { requeue, drop };

struct WorkOptions {
  CommonOptions common;
  std::uint16_t prefetch_count = 0;  // 0: as many as jobs
  std::uint16_t job_count = 1;
  OnFailure on_failure = OnFailure::requeue;
  std::vector<std::string> command;  // empty: print the messages
};

// Returns after SIGINT or SIGTERM, when the running commands have ended.
int work(const WorkOptions& options);

}  // namespace haypile::cli
