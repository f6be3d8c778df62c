// Reads the records of batches, and joins records that come in fragments.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "log/record.hpp"

namespace haypile::log {

// Decodes the records of a log, batch by batch.
class Records {
 public:
  // `position` is the position of the record, or of its first fragment.
  using Visit = std::function<void(LogPosition position, const Record& record)>;

  // Calls `visit` for all records of a batch, with full times instead of distances. Batches must
  // come in the order of the log. Returns an empty text, or a phrase that says what is wrong; what
  // follows in the batch was not visited then.
  std::string read(std::string_view records, LogPosition position, const Visit& visit);
  // Something is missing here: fragments that were begun will not be completed.
  void forget_fragments() { fragments_position_ = 0; }
  // A new segment begins.
  void unseal() { sealed_ = false; }
  // Whether the segment takes nothing more.
  bool sealed() const { return sealed_; }
  std::uint64_t count() const { return count_; }

 private:
  // Makes a relative time a full one. Returns false if the batch has no time yet.
  bool complete(Record& record) const;
  bool add_fragment(LogPosition position, const FragmentRecord& fragment, const Visit& visit);

  std::string fragments_;
  LogPosition fragments_position_ = 0;  // 0: not within a fragmented record
  bool sealed_ = false;
  std::uint64_t count_ = 0;
  engine::TimeMs time_ = 0;  // of the batch; 0: none yet
};

}  // namespace haypile::log
