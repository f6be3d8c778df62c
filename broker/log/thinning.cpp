#include "log/thinning.hpp"

#include "engine/canary.hpp"
#include "log/pile.hpp"
#include "log/queue_backlog.hpp"

namespace haypile::log {

namespace {

// What is left of the old file.
std::string collect(Thinning& thinning, FileSystem& files, const std::string& directory,
                    const DirectoryId& id) {
  PileBuilder builder(thinning.pile, thinning.new_file, id);
  PileReader reader(files, directory, id);
  Pile old;
  old.file = thinning.old_file;
  std::uint32_t count = 0;
  for (std::uint64_t offset = pile_header_size; offset < thinning.old_size;) {
    std::string_view bytes;
    const Block block = reader.block(old, offset, bytes);
    BlockReader records(block, bytes, old.file, offset, id);
    engine::StoredMessage stored;
    std::uint32_t index = 0;
    while (records.next(stored, index)) {
      if (thinning.gone.contains(index)) continue;
      ++count;
      builder.pass_to(index);
      builder.add({.queue = block.queue,
                   .position = stored.position,
                   .priority = block.priority,
                   .place = stored.place,
                   .delivery_count = stored.delivery_count,
                   .redelivered = stored.redelivered && !HAYPILE_CANARY(thinned_marks_lost),
                   .is_timed = stored.is_timed,
                   .message = stored.message});
    }
    if (!records.ok()) reader.refuse(old, offset, "the checksum of its block does not match");
    offset += block.size();
  }
  if (count != thinning.live_count) reader.refuse(old, thinning.old_size, "messages are missing");
  std::string bytes = builder.finish();
  thinning.size = bytes.size();
  thinning.count = builder.count();
  thinning.extents = builder.extents();
  return bytes;
}

}  // namespace

void write_thinned(Thinning& thinning, FileSystem& files, const std::string& directory,
                   const DirectoryId& id) {
  const std::string bytes = collect(thinning, files, directory, id);
  const std::string path = directory + "/" + pile_name(thinning.new_file);
  const auto file = files.create(path);
  try {
    file->allocate(bytes.size());
  } catch (const NoSpace&) {
    files.remove(path);
    throw;
  }
  file->write(0, bytes);
  if (!HAYPILE_CANARY(pile_not_synced)) file->sync();
  thinning.is_done = true;
}

}  // namespace haypile::log
