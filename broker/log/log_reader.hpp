// Reads the log of a virtual host: `newest`, the checkpoint, the segments and their records. A
// start and an inspection read it in the same way. They differ in what happens at damage.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "log/checkpoint.hpp"
#include "log/damage.hpp"
#include "log/file_system.hpp"
#include "log/format.hpp"
#include "log/live_messages.hpp"
#include "log/records.hpp"
#include "log/segment.hpp"

namespace haypile::log {

// Reads in three steps: the files, the records, and the messages that are left. One segment is in
// memory at a time. Changes nothing on disk. Every step throws IoError, with file and reason, if a
// file has a version that is not known yet; if damage is refused, also for the first damage and for
// a file that cannot be read. Belongs to one thread.
class LogReader {
 public:
  struct Segment {
    std::uint64_t number = 0;
    std::uint64_t used_bytes = 0;  // known when the records have been read
    std::uint32_t version = 0;     // 0: its header is damaged
  };
  // The first bytes of a file, and its size.
  struct FileStart {
    std::string bytes;
    std::uint64_t size = 0;
  };
  // Where the records end.
  struct End {
    bool is_sealed = false;        // the last segment takes nothing more
    std::uint32_t epoch = 0;       // the highest of all batches, torn ones included
    std::uint64_t torn_bytes = 0;  // in the last segment, after the last batch
    std::string torn_reason{};     // empty if nothing is torn
    std::uint64_t record_count = 0;
  };
  // Whether a message that the log still has in that queue counts.
  using IsWanted = std::function<bool(LogPosition position, engine::QueueId queue,
                                      const engine::MessageView& message)>;
  // Takes a message with the queues that it is in. The arguments are valid during the call.
  using TakeMessage = std::function<void(LogPosition position, const engine::MessageView& message,
                                         std::span<const engine::RecoveredRef> refs)>;

  // `files` must outlive the object. If damage is refused, each file is synced before it is read:
  // what a start has built on must not be lost afterwards.
  LogReader(FileSystem& files, std::string directory, const DirectoryId& id, DamagePolicy policy);

  // The first step: finds the files, and reads all but the batches of the segments.
  void find_files();
  // The second step: calls `visit` for all records, after live_messages() and, from the
  // checkpoint's position on, the catalog have taken them in.
  void read_records(const Records::Visit& visit);
  // The third step: calls `take` for the messages of the log that are in queues, by rising
  // position. It may be repeated.
  void each_message(const IsWanted& is_wanted, const TakeMessage& take);

  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  // Returns nothing if the file cannot be read, which is damage. The second form replaces `bytes`
  // and returns the size of the file.
  std::optional<FileStart> read_file(const std::string& name, std::uint64_t size_max);
  std::optional<std::uint64_t> read_file(const std::string& name, std::uint64_t size_max,
                                         std::string& bytes);
  Damages& damages() { return damages_; }
  const Damages& damages() const { return damages_; }

  // What the first step has found.
  const std::vector<std::string>& names() const { return names_; }  // of all files, sorted
  bool has_file(const std::string& name) const;
  bool has_checkpoint() const { return has_checkpoint_; }
  // There must be a checkpoint, but it cannot be read.
  bool is_head_lost() const { return is_head_lost_; }
  std::optional<std::uint64_t> newest() const { return newest_; }
  // The checkpoint; what a new log has if there is none. The steps keep it up to date. Whoever
  // knows more about the piles may add it before the second step.
  Checkpoint& checkpoint() { return checkpoint_; }
  const Checkpoint& checkpoint() const { return checkpoint_; }
  // By rising number. Those that have been given up are left out.
  const std::vector<Segment>& segments() const { return segments_; }
  // The size of each segment, 0 if it is not known, and the highest number that a segment has.
  std::uint64_t segment_size() const { return segment_size_; }
  std::uint64_t last_segment() const { return last_segment_; }

  // What the second step has found.
  LiveMessages& live_messages() { return *live_; }
  const End& end() const { return end_; }

 private:
  // A segment's file, and what its header says.
  struct SegmentHead {
    std::uint64_t number = 0;
    std::uint64_t file_size = 0;
    bool is_read = false;
    SegmentHeaderResult result{};
  };

  void list_names();
  void read_newest();
  void read_checkpoint();
  void find_segments();
  SegmentHead read_segment_head(std::uint64_t number);
  std::uint64_t size_of_segments(const std::vector<SegmentHead>& heads);
  bool add_segment(const SegmentHead& head);
  void add_missing(std::uint64_t first, std::uint64_t end);
  void check_ends(std::uint64_t next);
  void check_head(bool is_version_5);
  void each_record(const Records::Visit& visit);
  void read_batch(const Segment& segment, const Batch& batch, Records& records,
                  const Records::Visit& visit);
  bool skip_damage(const Segment& segment, SegmentReader& reader, Records& records);
  void interrupt(Records& records);
  void check_whole();
  bool is_end_lost() const;
  LogPosition end_position() const {
    return segments_.back().number * segment_size_ + segments_.back().used_bytes;
  }

  FileSystem& files_;
  const std::string directory_;
  const DirectoryId id_;
  Damages damages_;
  std::vector<std::string> names_;
  bool has_checkpoint_ = false;
  bool has_newest_ = false;
  bool is_newest_lost_ = false;
  bool is_head_lost_ = false;
  std::optional<std::uint64_t> newest_;
  Checkpoint checkpoint_;
  std::vector<Segment> segments_;
  std::uint64_t segment_size_ = 0;
  std::uint64_t last_segment_ = 0;
  std::optional<LiveMessages> live_;
  bool is_second_reading_ = false;  // what the first one has found does not change any more
  std::string segment_bytes_;       // of the segment that is being read
  End end_;
};

}  // namespace haypile::log
