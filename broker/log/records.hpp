// Goes over the records of batches, and puts together what came in fragments.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "log/record.hpp"

namespace haypile::log {

class Records {
 public:
  // `position` is that of the record, of its first fragment if it came in several.
  using Visit = std::function<void(LogPosition position, const Record& record)>;

  // Times of messages are visited as what they are, never as distances.
  //
  // All records of a batch; batches come in the order of the log. Says what is wrong: empty if
  // nothing is, or else a phrase, and what follows in the batch was not visited.
  std::string read(std::string_view records, LogPosition position, const Visit& visit);
  // Something is missing here: what has begun will not be finished.
  void forget_fragments() { fragments_position_ = 0; }
  // A new segment begins.
  void unseal() { sealed_ = false; }
  // The segment takes nothing more.
  bool sealed() const { return sealed_; }
  std::uint64_t count() const { return count_; }

 private:
  // Gives a relative time its base; false if there is none.
  bool complete(Record& record) const;
  bool add_fragment(LogPosition position, const FragmentRecord& fragment, const Visit& visit);

  std::string fragments_;
  LogPosition fragments_position_ = 0;  // 0: not within a fragmented record
  bool sealed_ = false;
  std::uint64_t count_ = 0;
  engine::TimeMs time_ = 0;  // noted in the batch; 0: none yet
};

}  // namespace haypile::log
