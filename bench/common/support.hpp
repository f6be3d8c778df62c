// What the benchmarks have in common.
#pragma once

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include <unistd.h>

#include <nlohmann/json.hpp>

namespace haypile::bench {

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// A directory below the current one, which is on a real disk where /tmp may not be. It is removed
// with the object.
class ScratchDirectory {
 public:
  ScratchDirectory()
      : path_(std::filesystem::absolute("bench-data-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(path_);
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline void write_json(const std::string& file, const nlohmann::ordered_json& json) {
  if (!file.empty()) std::ofstream(file) << json.dump(2) << '\n';
}

}  // namespace haypile::bench
