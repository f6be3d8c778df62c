// What the records of a log leave: which queues hold which messages, and what is known of each.
#pragma once

#include <functional>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "engine/journal.hpp"
#include "log/format.hpp"
#include "log/record.hpp"

namespace haypile::log {

class Copies {
 public:
  // Records come in the order of the log. `position` is that of the record, of its first fragment
  // if it came in several.
  void apply(LogPosition position, const Record& record);

  // How the message at `message` is in `queue`, after all records; nothing if it is not.
  std::optional<engine::RecoveredCopy> find(LogPosition message, engine::QueueId queue) const;
  // The last record is that of a clean stop; true if there was none at all.
  bool clean() const { return clean_; }

 private:
  // One message in one queue.
  struct Copy {
    LogPosition message;
    engine::QueueId queue;
    bool operator==(const Copy&) const = default;
  };
  struct Hash {
    std::size_t operator()(const Copy& copy) const {
      return std::hash<std::uint64_t>{}(copy.message * 0x9E3779B97F4A7C15u ^ copy.queue);
    }
  };

  // It came to its queue, or left it.
  struct Change {
    Copy copy;
    bool is_held;
  };
  void apply(const MarkRecord& mark);
  void change(const Change& change);
  void perform(const Change& change);

  std::unordered_set<Copy, Hash> held_;
  std::unordered_set<Copy, Hash> delivered_;
  std::unordered_map<Copy, std::uint32_t, Hash> delivery_counts_;
  bool in_group_ = false;
  std::vector<Change> group_;  // of the open group: in effect once it has ended
  bool clean_ = true;
};

}  // namespace haypile::log
