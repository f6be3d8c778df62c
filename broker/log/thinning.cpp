#include "log/thinning.hpp"

#include "engine/canary.hpp"
#include "log/pile.hpp"
#include "log/queue_backlog.hpp"

namespace haypile::log {

namespace {

// About how many bytes are written at once.
constexpr std::size_t part_size = 1u << 20;

class Thinner {
 public:
  Thinner(Thinning& thinning, FileSystem& files, const std::string& directory,
          const DirectoryId& id)
      : thinning_(thinning),
        builder_(thinning.pile, thinning.new_file, id),
        reader_(files, directory, id) {
    old_.file = thinning.old_file;
  }

  // Writes what is left of the old file.
  void write(File& file) {
    std::uint32_t count = 0;
    for (std::uint64_t offset = pile_header_size; offset < thinning_.old_size;) {
      offset += add_block(offset, count);
      if (builder_.size() >= thinning_.size_max) break;
      if (builder_.part_size() >= part_size) write_part(file);
    }
    thinning_.is_too_large = builder_.size() >= thinning_.size_max;
    if (thinning_.is_too_large) return;
    if (count != thinning_.live_count) {
      reader_.refuse(old_, thinning_.old_size, "messages are missing");
    }
    write_part(file);
    thinning_.size = builder_.size();
    thinning_.count = builder_.count();
    thinning_.extents = builder_.extents();
  }

 private:
  // Returns the size of the block.
  std::uint64_t add_block(std::uint64_t offset, std::uint32_t& count) {
    return reader_
        .each_in_block(
            old_, offset,
            [&](const Block& block, std::uint32_t index, const engine::StoredMessage& stored) {
              if (thinning_.gone.contains(index)) return true;
              ++count;
              builder_.pass_to(index);
              builder_.add(
                  {.queue = block.queue,
                   .position = stored.position,
                   .priority = block.priority,
                   .place = stored.place,
                   .delivery_count = stored.delivery_count,
                   .redelivered = stored.redelivered && !HAYPILE_CANARY(thinned_marks_lost),
                   .is_timed = stored.is_timed,
                   .is_shared = stored.is_shared,
                   .message = stored.message});
              return true;
            })
        .size();
  }

  void write_part(File& file) {
    const std::uint64_t offset = builder_.size() - builder_.part_size();
    const std::string part = builder_.take();
    file.allocate(builder_.size());
    file.write(offset, part);
  }

  Thinning& thinning_;
  PileBuilder builder_;
  PileReader reader_;
  Pile old_;
};

}  // namespace

void write_thinned(Thinning& thinning, FileSystem& files, const std::string& directory,
                   const DirectoryId& id) {
  const std::string path = directory + "/" + pile_name(thinning.new_file);
  const auto file = files.create(path);
  try {
    Thinner(thinning, files, directory, id).write(*file);
  } catch (const NoSpace&) {
    files.remove(path);
    throw;
  } catch (const DamageError&) {
    files.remove(path);
    throw;
  }
  if (thinning.is_too_large) return files.remove(path);
  if (!HAYPILE_CANARY(pile_not_synced)) file->sync();
  thinning.is_done = true;
}

}  // namespace haypile::log
