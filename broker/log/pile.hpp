// Pile files: messages that have left the log; docs/log-format.md, "Piles". A file is written once,
// from front to back. The messages of a pile have indices, from 0. A message that is in several
// queues is in the file once, and the other queues refer to it. When little of a pile is left, that
// is written to a new file (log/thinning.hpp): the pile's number and the indices stay the same.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/backlog.hpp"
#include "log/format.hpp"

namespace haypile::log {

inline constexpr std::size_t pile_header_size = 64;
inline constexpr std::size_t block_header_size = 48;
// The messages of a block take at most this much memory, unless it has only one.
inline constexpr std::size_t block_size = 64u << 10;

// About how much memory a message takes, for the size of blocks.
std::size_t weight_of(const engine::MessageView& message);

// "0000000000001010.pile": the number in 16 hexadecimal digits.
std::string pile_name(LogPosition file);
// Returns nothing for any other name.
std::optional<LogPosition> pile_number(std::string_view name);

// A run of blocks of one queue and priority, by rising place.
struct Extent {
  engine::QueueId queue = 0;
  std::uint8_t priority = 0;
  bool is_timed = false;  // some of them need the time when they were published
  std::uint32_t first = 0;
  std::uint32_t count = 0;   // indices
  std::uint32_t stored = 0;  // messages: fewer than indices in a thinned pile
  std::uint64_t offset = 0;  // of its first block
  std::uint64_t size = 0;
  std::uint64_t body_bytes = 0;  // also of messages that are elsewhere in the file
  std::uint64_t first_place = 0;
  std::uint64_t last_place = 0;
  std::uint32_t shared = 0;      // messages that other queues may have as well
  std::uint32_t homes = 0;       // shared messages that are here
  std::uint64_t home_bytes = 0;  // their part of `size`
  bool operator==(const Extent&) const = default;
};

// The place in the file of a message that a queue refers to.
struct Home {
  std::uint64_t block = 0;  // offset of its block in the file
  std::uint64_t at = 0;     // offset of its record in the block's records
};

// Makes the file of a pile, which is taken part by part. It only keeps the part at hand in memory,
// and the places of shared messages.
class PileBuilder {
 public:
  // `file` is the number of the file. It is also the number of the pile, unless the pile is
  // thinned.
  PileBuilder(LogPosition pile, LogPosition file, const DirectoryId& id, std::string buffer = {});

  // Adds a message and returns its index.
  std::uint32_t add(const engine::MessageToStore& entry);
  // Gives the next message that index, which must not be below count().
  void pass_to(std::uint32_t index) { count_ = index; }
  // The number of indices so far.
  std::uint32_t count() const { return count_; }
  LogPosition file() const { return file_; }
  // The size of the whole file, and of the part that has not been taken yet, in bytes.
  std::uint64_t size() const { return taken_ + bytes_.size(); }
  std::size_t part_size() const { return bytes_.size(); }
  // The offset of the open block, which has the message that was added last.
  std::uint64_t block_offset() const { return block_; }
  // Takes the next part of the file. Continues in `buffer`, whose contents do not matter.
  std::string take(std::string buffer = {});
  const std::vector<Extent>& extents() const { return extents_; }

 private:
  bool continues_extent(const engine::MessageToStore& entry) const;
  void open_block(const engine::MessageToStore& entry);
  void close_block();
  const Home* home_of(const engine::MessageToStore& entry) const;
  void append(const engine::MessageToStore& entry, std::uint8_t flags, const Home* home);

  const LogPosition file_;
  const DirectoryId id_;
  std::string bytes_;        // the file from `taken_` on
  std::uint64_t taken_ = 0;  // bytes of the file
  std::vector<Extent> extents_;
  std::unordered_map<LogPosition, Home> homes_;  // by the messages' positions
  std::uint32_t count_ = 0;
  std::uint64_t block_ = 0;  // offset of the open block; 0: none
  std::uint32_t block_first_ = 0;
  std::uint32_t block_count_ = 0;
  std::size_t block_weight_ = 0;  // about what its messages take in memory
  std::uint32_t next_ = 0;        // the index behind the last message
  std::uint64_t first_place_ = 0;
  std::uint64_t last_place_ = 0;
};

// About how many bytes a message takes in a pile, at most, with a reference for each further queue.
std::size_t pile_size_max(const engine::MessageView& message, std::size_t queue_count);

// Says what is wrong with the header of the pile file with that number; empty if nothing is.
std::string check_pile_header(std::string_view bytes, LogPosition file, const DirectoryId& id);
// The number of the pile in a file whose header has been checked.
LogPosition pile_of(std::string_view header);

// The header of a block.
struct Block {
  engine::QueueId queue = 0;
  std::uint8_t priority = 0;
  std::uint32_t first = 0;
  std::uint32_t count = 0;  // messages
  std::uint64_t first_place = 0;
  std::uint32_t records_size = 0;
  std::uint64_t records_checksum = 0;

  std::uint64_t size() const { return align(block_header_size + records_size); }
};
// `bytes` begin at `offset` of the file. Returns false unless they are a header that was written
// for this place.
bool decode_block_header(std::string_view bytes, LogPosition file, std::uint64_t offset,
                         const DirectoryId& id, Block& block);

// A message as a block has it: completely, or with the place where the rest of it is.
struct PileRecord {
  std::uint32_t index = 0;
  std::size_t size = 0;  // of the record in bytes
  std::optional<Home> home{};
  engine::StoredMessage message{};  // if there is a home: without what read_home() adds
};

// Reads the records of a block whose header was decoded.
class BlockReader {
 public:
  // `bytes` are the block with its header, and must stay valid. Call ok() first: it is false if the
  // checksum does not match.
  BlockReader(const Block& block, std::string_view bytes, LogPosition file, std::uint64_t offset,
              const DirectoryId& id);
  // Returns false at the end, or at a malformed record; then ok() is false. The id is not set.
  bool next(PileRecord& record);
  bool ok() const { return ok_; }
  // The bytes of all records.
  std::string_view records() const { return all_; }

 private:
  LogPosition file_;
  std::uint64_t offset_;
  std::string_view all_;
  std::string_view records_;
  std::uint64_t next_;
  std::uint32_t left_;
  std::uint64_t place_;
  bool ok_;
};

// Adds what the record's home has. `records` are the records of the block there, whose checksum has
// been verified. Returns false if no such message is there.
bool read_home(std::string_view records, LogPosition file, PileRecord& record);

// Reads homes in a file that is completely in memory and may be damaged.
class HomeFinder {
 public:
  // `bytes` must stay valid.
  HomeFinder(std::string_view bytes, LogPosition file, const DirectoryId& id)
      : bytes_(bytes), file_(file), id_(id) {}
  // Returns false if the block there is damaged or has no such message.
  bool fill_in(PileRecord& record);

 private:
  const std::string_view bytes_;
  const LogPosition file_;
  const DirectoryId id_;
  std::uint64_t offset_ = 0;  // of the last block
  std::string_view records_;  // empty if that block is damaged
};

}  // namespace haypile::log
