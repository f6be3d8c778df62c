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

  // The block at `offset`, and its bytes, which are valid until the next call.
  Block block(const Pile& pile, std::uint64_t offset, std::string_view& bytes);
  const DirectoryId& id() const { return id_; }
  // Files are not kept open beyond this: they may have been removed.
  void close() {
    file_.reset();
    open_ = 0;
  }
  [[noreturn]] void refuse(const Pile& pile, std::uint64_t offset, const char* why) const;

 private:
  std::string_view read(const Pile& pile, std::uint64_t offset, std::size_t size);

  FileSystem& files_;
  const std::string directory_;
  const DirectoryId id_;
  std::unique_ptr<File> file_;  // the one that was read last
  LogPosition open_ = 0;
  std::string buffer_;
};

class QueueBacklog final : public engine::Backlog {
 public:
  class Host {
   public:
    virtual ~Host() = default;
    // Those with that index and the following have left the queue, unread.
    virtual void drop_unread(Piles::Slot slot, std::uint32_t first, std::uint32_t count) = 0;
    // What is stored cannot be read: the end of the log.
    virtual void fail(const IoError& error) = 0;
  };
  // All outlive it.
  QueueBacklog(Piles& piles, PileReader& reader, Host& host)
      : piles_(piles), reader_(reader), host_(host) {}

  // What has been stored of the queue since. Those from `first_unread` on are not in memory.
  void add(Piles::Slot slot, const Extent& extent, std::uint32_t first_unread,
           std::size_t unread_bytes);
  // What recovery found of it.
  void restore(Piles::Slot slot, std::size_t extent);
  // The pile has a new file, in which the queue's blocks begin at `offset`.
  void thinned(Piles::Slot slot, std::uint64_t offset);
  // All that is left of the queue in any pile, read or not: `drop(slot, first, count)`.
  template <class Drop>
  void each_range(Drop drop) const {
    for (const Range& range : ranges_)
      drop(range.slot, range.first, range.count);
  }

  std::size_t unread_count() const override { return unread_count_; }
  std::size_t unread_bytes() override;
  std::uint64_t last_place() const override { return last_place_; }
  bool is_timed() const override { return is_timed_; }
  void read(const Take& take) override;
  void look_at(const Take& visit) override;
  void drop_unread() override;

 private:
  struct Range {
    Piles::Slot slot;
    std::uint32_t first;
    std::uint32_t count;
  };
  // Of an extent: what has not been read.
  struct Part {
    Piles::Slot slot;
    std::uint64_t offset;  // of the next block
    std::uint32_t first;
    std::uint32_t end;
    std::uint32_t unread;  // the others have gone
  };
  void note(Piles::Slot slot, const Extent& extent);
  void read_block(const Take& take);
  // Of one block of a part: visits what is unread, returns the offset of the next one.
  template <class Visit>
  std::uint64_t each_unread(const Part& part, std::uint64_t offset, Visit visit);

  Piles& piles_;
  PileReader& reader_;
  Host& host_;
  std::vector<Range> ranges_;
  std::deque<Part> parts_;
  std::size_t unread_count_ = 0;
  std::optional<std::size_t> unread_bytes_ = 0;  // nothing: not known
  std::uint64_t last_place_ = 0;
  bool is_timed_ = false;
};

}  // namespace haypile::log
