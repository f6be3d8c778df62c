// The file that says which segment of a log is the newest; docs/log-format.md, "The newest
// segment". Without it, nobody would notice that a segment was removed from the end.
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

// Writes two slots in turns. If a crash tears one, the other one still names the segment before.
class Newest {
 public:
  // `files` must outlive the object.
  Newest(FileSystem& files, std::string directory, const DirectoryId& id);

  // Uses the file that exists.
  void open();
  // Replaces the file. The new one is on disk, with its name, when this returns.
  void create(std::uint64_t number);
  // The segment exists now. The change is on disk when this returns. Call open() or create()
  // before.
  void set(std::uint64_t number);

 private:
  FileSystem& files_;
  const std::string directory_;
  const DirectoryId id_;
  std::unique_ptr<File> file_;
};

// The largest size of such a file that is believed.
inline constexpr std::uint64_t newest_size_max = 8192;

std::string encode_newest(std::uint64_t number, const DirectoryId& id);
// Returns nothing if neither slot is undamaged.
std::optional<std::uint64_t> decode_newest(std::string_view bytes, const DirectoryId& id);

}  // namespace haypile::log
