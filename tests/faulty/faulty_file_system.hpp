// A file system that fails, or kills the process, at a point with a name.
//
// The environment variable HAYPILE_FAULTS is a list of faults, with commas between them:
//
//   ACTION:OPERATION:PART:N     the N-th time (from 1) that OPERATION is asked for a path with PART
//                               in it; a rename counts if either of its two paths has it
//
//   ACTION      kill        SIGKILL to the process, before the operation
//               kill_after  the same, behind it
//               torn        of a write the first half, then SIGKILL
//               eio         fails, with nothing done
//               enospc      the same, for another reason
//               skip        pretends: nothing is done and nothing said. No disk does that; it is
//                           how a test shows that it would notice
//   OPERATION   write, read, sync, open, create, allocate, rename, remove or sync_directory
//
// A fault happens once: when the operation is tried again, it succeeds. It is reported on standard
// error.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "log/file_system.hpp"

namespace haypile::faulty {

struct Fault {
  std::string action;
  std::string operation;
  std::string part;
  std::uint64_t count = 0;
  std::atomic<std::uint64_t> seen{0};
};

// Returns an empty list for an empty text. Throws std::invalid_argument.
std::deque<Fault> parse_faults(std::string_view text);

class FaultyFile;

// Calls another file system, and makes faults happen. May be called from several threads.
class FaultyFileSystem final : public log::FileSystem {
 public:
  // `files` must outlive this object.
  FaultyFileSystem(log::FileSystem& files, std::deque<Fault> faults);

  void create_directory(const std::string& path) override;
  std::vector<std::string> list(const std::string& directory) override;
  bool exists(const std::string& path) override;
  std::unique_ptr<log::File> open(const std::string& path) override;
  std::unique_ptr<log::File> create(const std::string& path) override;
  void rename(const std::string& from, const std::string& to) override;
  void remove(const std::string& path) override;
  void sync_directory(const std::string& path) override;
  std::uint64_t free_bytes(const std::string& path) override { return files_.free_bytes(path); }

  // Calls `action`, or does what a fault says instead. `half` is for torn writes.
  void perform(std::string_view operation, const std::string& path,
               const std::function<void()>& action, const std::function<void()>& half = {});
  // Open files, which are known by their current name.
  void add(FaultyFile& file);
  void remove(FaultyFile& file);
  std::string path_of(const FaultyFile& file);

 private:
  log::FileSystem& files_;
  std::deque<Fault> faults_;
  std::mutex mutex_;  // protects open_ and the files' paths
  std::set<FaultyFile*> open_;
};

}  // namespace haypile::faulty
