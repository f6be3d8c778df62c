// A queue's backlog in pile files.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/backlog.hpp"
#include "log/file_system.hpp"
#include "log/piles.hpp"

namespace haypile::log {

// Reads from pile files, or from memory what is not in them yet. Throws IoError.
class PileReader {
 public:
  // `files` outlives it.
  PileReader(FileSystem& files, std::string directory, const DirectoryId& id)
      : files_(files), directory_(std::move(directory)), id_(id) {}

  // Goes over the messages of the block at `offset`, in their order: `visit(block, index, message)`
  // returns false to go no further. Returns the block; its messages are valid during the call only.
  template <class Visit>
  Block each_in_block(const Pile& pile, std::uint64_t offset, Visit visit) {
    std::string_view bytes;
    const Block block = this->block(pile, offset, bytes);
    BlockReader reader(block, bytes, pile.file, offset, id_);
    PileRecord record;
    while (reader.next(record)) {
      if (record.home) go_home(pile, offset, record);
      if (!visit(block, record.index, record.message)) return block;
    }
    if (!reader.ok()) refuse(pile, offset, "the checksum of its block does not match");
    return block;
  }
  // The same for all blocks of an extent, each of them up to where `visit` goes no further.
  template <class Visit>
  void each_in_extent(const Pile& pile, const Extent& extent, Visit visit) {
    const std::uint64_t end = extent.offset + extent.size;
    for (std::uint64_t offset = extent.offset; offset < end;)
      offset += each_in_block(pile, offset, visit).size();
  }
  // Visits the message with that index, which is in the pile.
  template <class Visit>
  void visit(Pile& pile, std::uint32_t index, Visit visit) {
    const std::uint64_t offset = offset_of(pile, index);
    if (!last_.is_before(pile.file, offset, index)) open_last(pile, offset);
    PileRecord record;
    while (last_.next(record) && record.index <= index) {
      if (record.index < index) continue;
      if (record.home) go_home(pile, offset, record);
      return visit(record.message);
    }
    refuse(pile, offset, "a message is missing in its block");
  }
  // Files are not kept open beyond this: they may have been removed.
  void close() {
    file_.reset();
    open_ = 0;
    home_ = {};
    last_ = {};
  }
  [[noreturn]] void refuse(const Pile& pile, std::uint64_t offset, const char* why) const;

 private:
  // A block that messages stand in that others refer to. Its checksum has been verified.
  struct HomeBlock {
    LogPosition file = 0;
    std::uint64_t offset = 0;
    std::size_t size = 0;
    std::size_t records_size = 0;
    bool is_in_buffer = false;  // or else it has not been written yet
  };
  // The block that a single message was looked for in last, and how far: the next one is mostly
  // behind it.
  struct LastBlock {
    LogPosition file = 0;
    std::uint64_t offset = 0;
    std::uint64_t index = 0;  // it has read so far
    std::optional<BlockReader> reader{};
    bool is_before(LogPosition other_file, std::uint64_t other_offset, std::uint32_t other) const {
      return file == other_file && offset == other_offset && index <= other;
    }
    bool next(PileRecord& record) {
      if (!reader->next(record)) return false;
      index = record.index + 1u;
      return true;
    }
  };
  // Of the block that the message is in.
  std::uint64_t offset_of(Pile& pile, std::uint32_t index);
  void open_last(const Pile& pile, std::uint64_t offset);
  // The block at `offset`, and its bytes, which are valid until the next call.
  Block block(const Pile& pile, std::uint64_t offset, std::string_view& bytes);
  Block block(const Pile& pile, std::uint64_t offset, std::string_view& bytes, std::string& buffer);
  void go_home(const Pile& pile, std::uint64_t offset, PileRecord& record);
  std::string_view home_records(const Pile& pile, std::uint64_t offset);
  std::string_view read(const Pile& pile, std::uint64_t offset, std::size_t size,
                        std::string& buffer);

  FileSystem& files_;
  const std::string directory_;
  const DirectoryId id_;
  std::unique_ptr<File> file_;  // the one that was read last
  LogPosition open_ = 0;
  std::string buffer_;
  HomeBlock home_{};  // the one that was looked at last
  std::string home_buffer_;
  LastBlock last_{};
  std::string last_buffer_;
};

class QueueBacklog final : public engine::Backlog {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // `count` of those with that index and the following have left the queue, unread: the others
    // had left it before. Nothing is known of the bodies' size if it is not given.
    virtual void drop_unread(Piles::Slot slot, std::uint32_t first, std::uint32_t end,
                             std::optional<std::uint64_t> body_bytes) = 0;
    // What is stored cannot be read: the end of the log.
    virtual void fail(const IoError& error) = 0;
  };
  // All outlive it.
  QueueBacklog(Piles& piles, PileReader& reader, Owner& host)
      : piles_(piles), reader_(reader), host_(host) {}

  // Of an extent: what has not been read.
  struct Part {
    Piles::Slot slot = 0;
    std::uint64_t offset = 0;  // of the next block
    std::uint32_t first = 0;
    std::uint32_t end = 0;
    std::uint32_t unread = 0;                     // the others have gone
    std::uint64_t place = 0;                      // none of them has a lower one
    std::optional<std::uint64_t> body_bytes = 0;  // nothing: not known
  };
  // Messages that have been stored of the queue since, with those indices; `unread` says which of
  // them are not in memory.
  void add(Piles::Slot slot, std::uint32_t first, const Extent& extent, const Part& unread);
  // What recovery found of it.
  void restore(Piles::Slot slot, std::size_t extent);
  // The pile has a new file; the queue's extent is there now.
  void thinned(Piles::Slot slot, const Extent& extent);
  // All that is left of the queue in any pile, read or not: `drop(slot, first, count)`.
  template <class Drop>
  void each_range(Drop drop) const {
    for (const Range& range : ranges_)
      drop(range.slot, range.first, range.end - range.first);
  }

  std::size_t unread_count() const override { return unread_count_; }
  std::size_t unread_bytes() override;
  std::uint64_t next_place() const override {
    return parts_.empty() ? no_place : parts_.front().place;
  }
  std::uint64_t last_place() const override { return last_place_; }
  bool is_timed() const override { return is_timed_; }
  void read(const Take& take, std::size_t bytes_max) override;
  void peek(const Take& visit) override;
  void look_at(const Take& visit) override;
  void drop_unread() override;
  const char* broken_invariant() const override;

 private:
  // Of indices.
  struct Range {
    Piles::Slot slot;
    std::uint32_t first;
    std::uint32_t end;
  };
  void note(const Range& range, const Extent& extent);
  // `is_behind`: its messages come after all that there were.
  void insert(const Part& part, bool is_behind);
  void read_block(const Take& take, std::size_t bytes_max);
  bool peek_at_first(const Take& visit);
  // Of the block that comes next in a part: visits what is unread, until `visit` returns false.
  // Returns the offset of the next one, or of the same one if there is more in it.
  template <class Visit>
  std::uint64_t each_unread(const Part& part, Visit visit);
  void count_body_bytes(Part& part);
  void give_up(const IoError& error);

  Piles& piles_;
  PileReader& reader_;
  Owner& host_;
  std::vector<Range> ranges_;
  std::deque<Part> parts_;  // by their next places
  std::size_t unread_count_ = 0;
  std::optional<std::uint64_t> unread_bytes_ = 0;  // of all parts; nothing: of one it is not known
  std::uint64_t last_place_ = 0;
  bool is_timed_ = false;
};

}  // namespace haypile::log
