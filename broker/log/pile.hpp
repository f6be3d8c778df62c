// Pile files: messages that have left the log; docs/log-format.md, "Piles". A file is written once,
// as a whole. A pile's messages are told by their index, from 0; those of one queue and priority
// stand together, in the order of their places. When little of a pile is left it gets a new file
// with that (log/thinning.hpp): number and indices stay.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/backlog.hpp"
#include "log/format.hpp"

namespace haypile::log {

inline constexpr std::size_t pile_header_size = 64;
inline constexpr std::size_t block_header_size = 48;
// A block is closed when its records reach this.
inline constexpr std::size_t block_size = 64u << 10;

// "0000000000001010.pile": the number in 16 hexadecimal digits.
std::string pile_name(LogPosition file);
// Nothing for any other name.
std::optional<LogPosition> pile_number(std::string_view name);

// The messages of one queue and priority in a pile.
struct Extent {
  engine::QueueId queue = 0;
  std::uint8_t priority = 0;
  bool is_timed = false;  // for some of them it matters when they came
  std::uint32_t first = 0;
  std::uint32_t count = 0;   // of indices
  std::uint32_t stored = 0;  // of messages: fewer than indices in a thinned pile
  std::uint64_t offset = 0;  // of its first block
  std::uint64_t size = 0;
  std::uint64_t body_bytes = 0;
  std::uint64_t last_place = 0;
  bool operator==(const Extent&) const = default;
};

class PileBuilder {
 public:
  // Writes into `buffer`, whatever it holds. `file` is the number of the file, that of the pile too
  // unless it is thinned.
  PileBuilder(LogPosition pile, LogPosition file, const DirectoryId& id, std::string buffer = {});

  // Copies of one queue and priority come together, by rising place. Returns the index.
  std::uint32_t add(const engine::CopyToStore& copy);
  // The next one to be added has this index, which is not below count().
  void pass_to(std::uint32_t index) { count_ = index; }
  // Of indices.
  std::uint32_t count() const { return count_; }
  LogPosition file() const { return file_; }
  // The whole file, and what is in it. Nothing may be added afterwards.
  std::string finish();
  const std::vector<Extent>& extents() const { return extents_; }

 private:
  void open_block(const engine::CopyToStore& copy);
  void close_block();

  const LogPosition file_;
  const DirectoryId id_;
  std::string bytes_;
  std::vector<Extent> extents_;
  std::uint32_t count_ = 0;
  std::size_t block_ = 0;  // offset of the open one; 0: none
  std::uint32_t block_first_ = 0;
  std::uint32_t block_count_ = 0;
  std::uint32_t next_ = 0;  // index behind the last one that was added
  std::uint64_t first_place_ = 0;
  std::uint64_t last_place_ = 0;
};

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

// Goes over the records of a block whose header was decoded.
class BlockReader {
 public:
  // `bytes`: the block with its header; stay valid. Check ok() first: the checksum may not match.
  BlockReader(const Block& block, std::string_view bytes, LogPosition file, std::uint64_t offset,
              const DirectoryId& id);
  // False at the end, or at a malformed record: then ok() is false. The id is not set.
  bool next(engine::StoredMessage& message, std::uint32_t& index);
  bool ok() const { return ok_; }

 private:
  const LogPosition file_;
  std::string_view records_;
  std::uint64_t next_;
  std::uint32_t left_;
  std::uint64_t place_;
  bool ok_;
};

}  // namespace haypile::log
