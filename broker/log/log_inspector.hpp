// Reads the log of a virtual host as a start does, but completely, and continues behind damage.
// Changes nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "log/catalog.hpp"
#include "log/damage.hpp"
#include "log/file_system.hpp"
#include "log/log_reader.hpp"
#include "log/pile.hpp"
#include "log/piles.hpp"

namespace haypile::log {

// What an inspection has found.
struct InspectionReport {
  struct StoredPile {
    LogPosition file = 0;
    std::uint64_t bytes = 0;
    std::uint32_t count = 0;       // messages that were ever in it
    std::uint32_t live_count = 0;  // as far as known; some may be in damaged blocks
    bool is_damaged = false;
  };
  // The numbers of messages that can be read.
  struct QueueCounts {
    std::uint64_t in_log = 0;
    std::uint64_t in_piles = 0;
  };
  std::vector<LogReader::Segment> segments;
  std::vector<StoredPile> piles;
  std::map<std::string, QueueCounts> queues;
  std::uint64_t record_count = 0;
  // The bytes of messages that are in queues, and the other bytes that segments and piles use.
  std::uint64_t live_bytes = 0;
  std::uint64_t dead_bytes = 0;
  bool clean = true;
  std::uint64_t torn_bytes = 0;
  std::string torn_reason;  // empty if there is no torn tail
  std::vector<Damage> damages;
  // The names given to queues whose declarations are lost.
  std::vector<std::string> adopted_queues;
};

// Finds everything in a log that can be read, and lists all damage. Belongs to one thread.
class LogInspector {
 public:
  using TakeStored =
      std::function<void(engine::QueueId, std::uint8_t priority, const engine::StoredMessage&)>;

  // `files` must outlive the object.
  LogInspector(FileSystem& files, std::string directory, const DirectoryId& id)
      : id_(id), reader_(files, std::move(directory), id, DamagePolicy::note) {}

  // Call this once, before anything else. Throws IoError only if a file has a version that is not
  // known yet.
  void run();

  const InspectionReport& report() const { return report_; }
  bool is_empty() const {
    return reader_.segments().empty() && !reader_.has_checkpoint() && report_.piles.empty();
  }
  // The definitions that are left, and the piles that exist, with what the log says of them.
  Catalog& catalog() { return reader_.checkpoint().catalog; }
  Piles& piles() { return reader_.checkpoint().piles; }
  bool is_damaged(const Pile& pile) const { return damaged_piles_.contains(pile.file); }
  // The size of each segment, 0 if it is not known, and the highest number that a segment has.
  std::uint64_t segment_size() const { return reader_.segment_size(); }
  std::uint64_t last_segment() const { return reader_.last_segment(); }
  // Calls `take` for the messages of a pile that can be read and are in a queue, by rising index.
  void each_stored(const Pile& pile, const TakeStored& take);
  // Calls `take` for the messages of the log that are in queues, by rising position.
  void each_logged(const LogReader::TakeMessage& take);

 private:
  // A part of a pile's file: a block whose header is undamaged, or what is between two such blocks.
  struct Part {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    std::optional<Block> block{};
    // No message of the part has this index or a higher one: it is the first index of the next
    // block.
    std::uint64_t end = 0;
  };

  bool has_damage() const { return !reader_.damages().all().empty(); }
  bool knows_queue(engine::QueueId queue, const engine::MessageView& message);
  void count_logged();
  void check_leftovers();
  // The following functions are in log_inspector_piles.cpp.
  void find_piles();
  void check_pile(Pile& pile);
  bool has_pile(LogPosition file);
  LogPosition pile_in(LogPosition file);
  std::optional<LogReader::FileStart> read_pile_file(const Pile& pile);
  std::vector<Part> parts_of(const Pile& pile, std::string_view bytes) const;
  std::uint64_t live_between(const Pile& pile, std::uint64_t first, std::uint64_t end) const;
  void compare(const Pile& pile, std::string_view bytes);
  void count_stored(const Pile& pile, std::string_view bytes);
  void rebuild(LogPosition number, LogPosition file, bool may_be_open);
  void note_moved(const Part& part, std::string_view bytes, const Pile& pile, bool may_be_open);
  Extent rebuild_block(const Part& part, std::string_view bytes, Pile& pile);
  void add_pile_damage(LogPosition file, Damage damage);
  // Only notes damage if `take` is empty.
  void each_stored(const Pile& pile, std::string_view bytes, const TakeStored& take);
  std::optional<std::uint64_t> read_block(const Pile& pile, const Part& part,
                                          std::string_view bytes, HomeFinder& homes,
                                          const TakeStored& take);

  const DirectoryId id_;
  LogReader reader_;
  // Messages in a pile that may be incomplete, by position and queue. The log may have them too,
  // and others that the pile should have.
  std::set<std::pair<LogPosition, engine::QueueId>> in_open_pile_;
  std::set<LogPosition> damaged_piles_;
  std::set<engine::QueueId> deleted_;
  InspectionReport report_;
};

}  // namespace haypile::log
