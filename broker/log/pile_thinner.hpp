// Gives the space back that messages leave unused in pile files.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "log/appender.hpp"
#include "log/log_worker.hpp"
#include "log/pile_store.hpp"
#include "log/segments.hpp"
#include "log/thinning.hpp"

namespace haypile::log {

// A pile of which little is left gets a new file with what is left. The worker writes the file; the
// next checkpoint names it, and only then the old file is removed. Belongs to the engine's thread.
class PileThinner {
 public:
  // All outlive the thinner.
  PileThinner(PileStore& store, Appender& appender, const Segments& segments, LogWorker& worker,
              CheckpointSchedule& checkpoints)
      : store_(store),
        appender_(appender),
        segments_(segments),
        worker_(worker),
        checkpoints_(checkpoints) {}

  // Takes over what the worker has finished, and hands it the next pile if one is worth it. Call it
  // in each turn in which no group is open.
  void run();

 private:
  std::optional<Piles::Slot> pile_to_thin();
  bool has_less_left(const Pile& pile, const std::optional<Piles::Slot>& than) const;
  void begin(Piles::Slot slot);
  void install(const Thinning& thinning);

  PileStore& store_;
  Appender& appender_;
  const Segments& segments_;
  LogWorker& worker_;
  CheckpointSchedule& checkpoints_;
  std::shared_ptr<Thinning> thinning_;  // while the worker has it
  std::uint64_t thinning_count_ = 0;    // of those that were handed over
  std::uint64_t looked_at_ = 0;         // checkpoints there were when pile_to_thin() ran last
};

}  // namespace haypile::log
