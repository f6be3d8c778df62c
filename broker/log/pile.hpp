// Pile files: messages that have left the log; docs/log-format.md, "Piles". A file is written once,
// front to back. What a queue has in a pile is told by its index, from 0. A message that is in
// several queues stands there once, and the other queues refer to it. When little of a pile is left
// it gets a new file with that (log/thinning.hpp): number and indices stay.
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
// The messages of a block take no more than this in memory, unless it has only one.
inline constexpr std::size_t block_size = 64u << 10;

// About what a message takes in memory, as far as blocks are concerned.
std::size_t weight_of(const engine::MessageView& message);

// "0000000000001010.pile": the number in 16 hexadecimal digits.
std::string pile_name(LogPosition file);
// Nothing for any other name.
std::optional<LogPosition> pile_number(std::string_view name);

// Blocks of one queue and priority that stand together, by rising place.
struct Extent {
  engine::QueueId queue = 0;
  std::uint8_t priority = 0;
  bool is_timed = false;  // for some of them it matters when they came
  std::uint32_t first = 0;
  std::uint32_t count = 0;   // of indices
  std::uint32_t stored = 0;  // of messages: fewer than indices in a thinned pile
  std::uint64_t offset = 0;  // of its first block
  std::uint64_t size = 0;
  std::uint64_t body_bytes = 0;  // also of what stands elsewhere
  std::uint64_t first_place = 0;
  std::uint64_t last_place = 0;
  std::uint32_t shared = 0;      // of the messages, those that other queues may have as well
  std::uint32_t homes = 0;       // and of those the ones that stand here
  std::uint64_t home_bytes = 0;  // which take so much of `size`
  bool operator==(const Extent&) const = default;
};

// Where in the file a message stands that a queue refers to.
struct Home {
  std::uint64_t block = 0;  // offset of its block in the file
  std::uint64_t at = 0;     // of its record in the block's records
};

// Puts a pile's file together, which is taken part by part: memory is needed for a part and for
// where the shared messages stand.
class PileBuilder {
 public:
  // `file` is the number of the file, that of the pile too unless it is thinned.
  PileBuilder(LogPosition pile, LogPosition file, const DirectoryId& id, std::string buffer = {});

  // Returns the index.
  std::uint32_t add(const engine::MessageToStore& copy);
  // The next one to be added has this index, which is not below count().
  void pass_to(std::uint32_t index) { count_ = index; }
  // Of indices.
  std::uint32_t count() const { return count_; }
  LogPosition file() const { return file_; }
  // Of the file, and of what has not been taken yet.
  std::uint64_t size() const { return taken_ + bytes_.size(); }
  std::size_t part_size() const { return bytes_.size(); }
  // Where the open block begins; of the message that was added last.
  std::uint64_t block_offset() const { return block_; }
  // The next part of the file, and what is in it. Continues with `buffer`, whatever it holds.
  std::string take(std::string buffer = {});
  const std::vector<Extent>& extents() const { return extents_; }

 private:
  bool continues_extent(const engine::MessageToStore& copy) const;
  void open_block(const engine::MessageToStore& copy);
  void close_block();
  const Home* home_of(const engine::MessageToStore& copy) const;
  void append(const engine::MessageToStore& copy, std::uint8_t flags, const Home* home);

  const LogPosition file_;
  const DirectoryId id_;
  std::string bytes_;        // from `taken_` on
  std::uint64_t taken_ = 0;  // bytes of the file
  std::vector<Extent> extents_;
  std::unordered_map<LogPosition, Home> homes_;  // by the messages' positions
  std::uint32_t count_ = 0;
  std::uint64_t block_ = 0;  // offset of the open one; 0: none
  std::uint32_t block_first_ = 0;
  std::uint32_t block_count_ = 0;
  std::size_t block_weight_ = 0;  // what its messages take in memory, about
  std::uint32_t next_ = 0;        // index behind the last one that was added
  std::uint64_t first_place_ = 0;
  std::uint64_t last_place_ = 0;
};

// About what a message takes in a pile, at most: where it stands, and for each further queue.
std::size_t pile_size_max(const engine::MessageView& message, std::size_t queue_count);

// What is wrong with the header of a pile file with that number; empty if nothing is.
std::string check_pile_header(std::string_view bytes, LogPosition file, const DirectoryId& id);
// The pile of a file whose header is fine.
LogPosition pile_of(std::string_view header);

struct Block {
  engine::QueueId queue = 0;
  std::uint8_t priority = 0;
  std::uint32_t first = 0;
  std::uint32_t count = 0;  // of messages
  std::uint64_t first_place = 0;
  std::uint32_t records_size = 0;
  std::uint64_t records_checksum = 0;

  std::uint64_t size() const { return align(block_header_size + records_size); }
};
// `bytes` begin at `offset` of the file. False unless it is a header written for this very place.
bool decode_block_header(std::string_view bytes, LogPosition file, std::uint64_t offset,
                         const DirectoryId& id, Block& block);

// What a block has of a message: all of it, or where the rest of it stands.
struct PileRecord {
  std::uint32_t index = 0;
  std::size_t size = 0;  // of the record
  std::optional<Home> home{};
  engine::StoredMessage message{};  // with a home: without what read_home() fills in
};

// Goes over the records of a block whose header was decoded.
class BlockReader {
 public:
  // `bytes`: the block with its header; stay valid. Check ok() first: the checksum may not match.
  BlockReader(const Block& block, std::string_view bytes, LogPosition file, std::uint64_t offset,
              const DirectoryId& id);
  // False at the end, or at a malformed record: then ok() is false. The id is not set.
  bool next(PileRecord& record);
  bool ok() const { return ok_; }
  // All of them.
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

// Fills in what stands at the record's home; `records` are those of the block there, whose
// checksum matched. False if there is no such message.
bool read_home(std::string_view records, LogPosition file, PileRecord& record);

// The same for a file that is in memory as a whole, whatever has become of it.
class HomeFinder {
 public:
  // `bytes` stay valid.
  HomeFinder(std::string_view bytes, LogPosition file, const DirectoryId& id)
      : bytes_(bytes), file_(file), id_(id) {}
  // False if the block there is damaged, or has no such message.
  bool fill_in(PileRecord& record);

 private:
  const std::string_view bytes_;
  const LogPosition file_;
  const DirectoryId id_;
  std::uint64_t offset_ = 0;  // of the block that was looked at last
  std::string_view records_;  // empty if it is damaged
};

}  // namespace haypile::log
