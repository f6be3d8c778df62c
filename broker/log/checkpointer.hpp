// Writes checkpoints, so that segments and piles can be given up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "log/appender.hpp"
#include "log/catalog.hpp"
#include "log/log_worker.hpp"
#include "log/pile_mover.hpp"
#include "log/pile_store.hpp"
#include "log/segments.hpp"

namespace haypile::log {

// A checkpoint has what stood in the segments before it: the definitions, and what is known of the
// piles. Belongs to the engine's thread; the worker writes the file.
class Checkpointer {
 public:
  // All outlive the checkpointer.
  Checkpointer(const Catalog& catalog, Segments& segments, PileStore& piles, const PileMover& mover,
               const Appender& appender, LogWorker& worker, CheckpointSchedule& schedule)
      : catalog_(catalog),
        segments_(segments),
        piles_(piles),
        mover_(mover),
        appender_(appender),
        worker_(worker),
        schedule_(schedule) {}

  // Gives up segments and piles that are not needed, if that is worth a checkpoint now. All that
  // was appended has been handed over before. `segments_max` is how many segments the ring has.
  void run(std::size_t segments_max);
  // The log is being closed: the next checkpoint does not wait for anything.
  void set_closing() { is_closing_ = true; }

 private:
  bool may_write(std::size_t segments_max) const;
  bool are_definitions_known() const {
    return definitions_ && definitions_change_count_ == catalog_.change_count();
  }
  const std::shared_ptr<const std::string>& definitions();

  const Catalog& catalog_;
  Segments& segments_;
  PileStore& piles_;
  const PileMover& mover_;
  const Appender& appender_;
  LogWorker& worker_;
  CheckpointSchedule& schedule_;
  std::shared_ptr<const std::string> definitions_;  // the catalog, encoded at that count of changes
  std::uint64_t definitions_change_count_ = 0;
  bool is_closing_ = false;
};

}  // namespace haypile::log
