// Files that cost nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "log/file_system.hpp"

namespace haypile::bench {

// Knows which files exist, but stores nothing that is written to them.
class NullFileSystem final : public log::FileSystem {
 public:
  void create_directory(const std::string&) override {}
  std::vector<std::string> list(const std::string&) override { return {}; }
  bool exists(const std::string& path) override { return paths_.contains(path); }
  std::unique_ptr<log::File> open(const std::string& path) override {
    if (!exists(path)) throw log::IoError("there is no '" + path + "'");
    return std::make_unique<NullFile>();
  }
  std::unique_ptr<log::File> create(const std::string& path) override {
    paths_.insert(path);
    return std::make_unique<NullFile>();
  }
  void rename(const std::string& from, const std::string& to) override {
    paths_.erase(from);
    paths_.insert(to);
  }
  void remove(const std::string& path) override { paths_.erase(path); }
  void sync_directory(const std::string&) override {}
  std::uint64_t free_bytes(const std::string&) override { return UINT64_MAX; }

 private:
  class NullFile final : public log::File {
   public:
    void allocate(std::uint64_t) override {}
    void write(std::uint64_t, std::string_view) override {}
    void read(std::uint64_t, std::size_t, std::string&) override {
      throw log::IoError("nothing of what was written has been kept");
    }
    std::uint64_t size() override { return 0; }
    void sync() override {}
  };
  std::set<std::string> paths_;
};

}  // namespace haypile::bench
