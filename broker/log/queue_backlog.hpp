// The backlog of a queue, in pile files.
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

// Reads messages from pile files, or from memory if they are not in the file yet. Throws IoError.
// Each object belongs to one thread.
class PileReader {
 public:
  // `files` must outlive the reader.
  PileReader(FileSystem& files, std::string directory, const DirectoryId& id)
      : files_(files), directory_(std::move(directory)), id_(id) {}

  // Calls `visit(block, index, message)` for the messages of the block at `offset`, in order, until
  // it returns false. Messages are valid during the call only. Returns the block.
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
  // Does the same for all blocks of an extent. If `visit` returns false, it continues with the next
  // block.
  template <class Visit>
  void each_in_extent(const Pile& pile, const Extent& extent, Visit visit) {
    const std::uint64_t end = extent.offset + extent.size;
    for (std::uint64_t offset = extent.offset; offset < end;)
      offset += each_in_block(pile, offset, visit).size();
  }
  // Calls `visit(message)` for the message with that index, which must be in the pile.
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
  // Closes the file and forgets all blocks. Files are not kept open longer, since they may be
  // removed.
  void close() {
    file_.reset();
    open_ = 0;
    home_ = {};
    last_ = {};
  }
  [[noreturn]] void refuse(const Pile& pile, std::uint64_t offset, const char* why) const;

 private:
  // A block with messages that others refer to. Its checksum has been verified.
  struct HomeBlock {
    LogPosition file = 0;
    std::uint64_t offset = 0;
    std::size_t size = 0;
    std::size_t records_size = 0;
    bool is_in_buffer = false;  // otherwise it has not been written yet
  };
  // The block in which a single message was read last, and how far it was read. The next single
  // message is mostly behind that one.
  struct LastBlock {
    LogPosition file = 0;
    std::uint64_t offset = 0;
    std::uint64_t index = 0;  // behind the last message that was read
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
  // The offset of the block that has the message.
  std::uint64_t offset_of(Pile& pile, std::uint32_t index);
  void open_last(const Pile& pile, std::uint64_t offset);
  // The block at `offset`. Its bytes are valid until the next call.
  Block block(const Pile& pile, std::uint64_t offset, std::string_view& bytes);
  Block block(const Pile& pile, std::uint64_t offset, std::string_view& bytes, std::string& buffer);
  void go_home(const Pile& pile, std::uint64_t offset, PileRecord& record);
  std::string_view home_records(const Pile& pile, std::uint64_t offset);
  std::string_view read(const Pile& pile, std::uint64_t offset, std::size_t size,
                        std::string& buffer);

  FileSystem& files_;
  const std::string directory_;
  const DirectoryId id_;
  std::unique_ptr<File> file_;  // the file that was read last
  LogPosition open_ = 0;
  std::string buffer_;
  HomeBlock home_{};  // the home that was read last
  std::string home_buffer_;
  LastBlock last_{};
  std::string last_buffer_;
};

// The messages of one queue and priority that are in piles. What is unread is known as parts, not
// as single messages, so that a backlog takes no memory per message. Belongs to the engine's
// thread.
class QueueBacklog final : public engine::Backlog {
 public:
  // The owner is told when messages leave the backlog without having been read, and of failures.
  class Owner {
   public:
    virtual ~Owner() = default;
    // The unread messages with indices from `first` on and below `end` have left the queue; others
    // in this range had left it before. Without `body_bytes` the size of their bodies is not known.
    virtual void drop_unread(Piles::Slot slot, std::uint32_t first, std::uint32_t end,
                             std::optional<std::uint64_t> body_bytes) = 0;
    // A stored message cannot be read. The log has failed.
    virtual void fail(const IoError& error) = 0;
  };
  // All parameters must outlive the object.
  QueueBacklog(Piles& piles, PileReader& reader, Owner& host)
      : piles_(piles), reader_(reader), host_(host) {}

  // The unread part of one or more extents that follow each other.
  struct Part {
    Piles::Slot slot = 0;
    std::uint64_t offset = 0;  // of the next block
    std::uint32_t first = 0;
    std::uint32_t end = 0;
    std::uint32_t unread = 0;                     // messages; the others in the range have gone
    std::uint64_t place = 0;                      // none of them has a lower place
    std::optional<std::uint64_t> body_bytes = 0;  // nothing: not known
  };
  // Adds messages that were stored: those from the index `first` to the end of `extent`. `unread`
  // has those of them that are not in memory.
  void add(Piles::Slot slot, std::uint32_t first, const Extent& extent, const Part& unread);
  // Adds an extent that recovery found.
  void restore(Piles::Slot slot, std::size_t extent);
  // The pile has a new file, and `extent` is the queue's extent there.
  void thinned(Piles::Slot slot, const Extent& extent);
  // Calls `drop(slot, first, count)` for all ranges of indices in which the queue has messages
  // left, read or unread.
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
  // A range of indices.
  struct Range {
    Piles::Slot slot;
    std::uint32_t first;
    std::uint32_t end;
  };
  void note(const Range& range, const Extent& extent);
  // `is_behind`: the messages come after all that were added before.
  void insert(const Part& part, bool is_behind);
  void read_block(const Take& take, std::size_t bytes_max);
  bool peek_at_first(const Take& visit);
  // Visits the unread messages in the next block of a part, until `visit` returns false. Returns
  // the offset of the block after it, or of the same block if there may be more in it.
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
  std::optional<std::uint64_t> unread_bytes_ = 0;  // of all parts; nothing: not known
  std::uint64_t last_place_ = 0;
  bool is_timed_ = false;
};

}  // namespace haypile::log
