// haypile work: runs a command for each message, or prints it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backoff.hpp"
#include "common.hpp"

namespace haypile::cli {

enum class OnFailure { requeue, drop };
enum class Output { lines, null, json };

struct WorkOptions {
  CommonOptions common;
  std::uint16_t prefetch_count = 0;  // 0: as many as jobs
  std::uint16_t job_count = 1;
  std::vector<std::string> command;  // empty: print the messages
  Output output = Output::lines;     // how to print them
  bool reconnect = true;
  std::chrono::milliseconds timeout{0};  // of a command; 0: none

  // What becomes of a message whose command has failed. Without tries it is requeued if nothing is
  // said; with tries it goes to the failed queue after the last one.
  std::optional<OnFailure> on_failure{};
  std::uint64_t try_count = 0;  // 0: no limit, and each try is another delivery
  Backoff backoff{std::chrono::seconds(1), std::chrono::seconds(60)};
  std::string failed_queue{};  // empty: the queue's name with ".failed"
};

// What happens after a command has failed for the attempt-th time.
enum class Outcome { again, requeue, drop, keep };
Outcome after_failure(const WorkOptions& options, std::uint64_t attempt);

// Returns an exit code after SIGINT or SIGTERM, when the running commands have ended. Throws Error.
int work(const WorkOptions& options);

}  // namespace haypile::cli
