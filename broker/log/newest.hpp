// The file that tells which segment of a log is the newest; docs/log-format.md, "The newest
// segment". Without it nobody would miss a segment that was removed from the end.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "log/file_system.hpp"
#include "log/format.hpp"

namespace haypile::log {

inline constexpr const char* newest_name = "newest";

// Two slots, written in turns: what a crash tears, the other one still says, of the segment before.
class Newest {
 public:
  // `files` outlives it.
  Newest(FileSystem& files, std::string directory, const DirectoryId& id);

  // Nothing if there is no such file: no log, or one of version 4 or older. Throws IoError if it
  // cannot be read or is damaged.
  std::optional<std::uint64_t> read();
  // On disk, name and all, when this returns; replaces what was there.
  void create(std::uint64_t number);
  // The segment is there. On disk when this returns; the file has been read or created before.
  void set(std::uint64_t number);

 private:
  FileSystem& files_;
  const std::string directory_;
  const DirectoryId id_;
  std::unique_ptr<File> file_;
};

// No such file is larger.
inline constexpr std::uint64_t newest_size_max = 8192;

std::string encode_newest(std::uint64_t number, const DirectoryId& id);
// Nothing if neither slot is whole.
std::optional<std::uint64_t> decode_newest(std::string_view bytes, const DirectoryId& id);

}  // namespace haypile::log
