// A file system in memory that can lose power.
//
// The faults: a write that was not synced is on disk only in part, by sectors chosen at random. Of
// the names that were created, renamed or removed without a sync of the directory, the changes up
// to some point have happened. What was synced is there. Besides, any call can be made to fail, or
// to be the last one before the power is lost or the process is killed. What a failed sync should
// have written never gets to the disk, although all later reads show it and all later syncs
// succeed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <new>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "log/file_system.hpp"

namespace haypile::test {

// The power was lost: nothing that was in progress continues.
struct PowerLoss {};

// A file system for one thread only.
class MemFileSystem final : public log::FileSystem {
 public:
  // After this number of calls that change something, the power is lost, or all calls fail. 0:
  // never.
  void lose_power_after(std::uint64_t calls) { power_loss_at_ = calls == 0 ? 0 : calls_ + calls; }
  void fail_after(std::uint64_t calls) { failure_at_ = calls == 0 ? 0 : calls_ + calls; }
  // Makes only that one call fail.
  void fail_once_after(std::uint64_t calls) { one_failure_at_ = calls == 0 ? 0 : calls_ + calls; }
  // The unit that is written completely or not at all; a power of two.
  void set_sector_size(std::uint64_t bytes) { sector_size_ = bytes; }
  // The size of all files together, with the space reserved for them. What does not fit is refused
  // (NoSpace).
  void set_capacity(std::uint64_t bytes) { capacity_ = bytes; }
  std::uint64_t used_bytes() const {
    std::uint64_t used = 0;
    for (const auto& [path, node] : names_)
      used += node->size();
    return used;
  }
  // Faults that a test has to find: a sync that does nothing.
  void ignore_syncs() { ignore_syncs_ = true; }
  void ignore_directory_syncs() { ignore_directory_syncs_ = true; }
  std::uint64_t calls() const { return calls_; }
  std::uint64_t syncs() const { return syncs_; }

  // Loses power at the rename after `renames` - 1 others, when files change their roles.
  void lose_power_at_rename(std::uint64_t renames) { renames_left_ = renames; }
  // Whether a call has failed since the last restart.
  bool has_failed() const { return has_failed_; }
  // Continues with what a killed process leaves to the next one: everything, synced or not.
  void survive_kill() {
    has_failed_ = false;
    lose_power_after(0);
    fail_after(0);
    fail_once_after(0);
    lose_power_at_rename(0);
  }
  // Continues with what is on disk when the power is back.
  void restart(std::mt19937& random) {
    survive_kill();
    names_ = durable_names_;
    const std::size_t done = name_changes_.empty() ? 0 : random() % (name_changes_.size() + 1);
    for (std::size_t i = 0; i < done; ++i)
      name_changes_[i].what(names_);
    name_changes_.clear();
    lose_directories(random);
    durable_names_ = names_;
    for (const auto& [path, node] : names_)
      node->lose_power(random, sector_size_);
  }

  std::string& bytes(const std::string& path) { return names_.at(path)->data; }
  void drop(const std::string& path) {
    names_.erase(path);
    durable_names_.erase(path);
  }
  void put(const std::string& path, const std::string& bytes) {
    names_[path] = durable_names_[path] = std::make_shared<Node>(Node{bytes, bytes, {}});
  }
  // Makes every call fail that opens the file, as for a user without rights. Another file that gets
  // its name can be read.
  void make_unreadable(const std::string& path) { names_.at(path)->is_unreadable = true; }
  // Makes a file with a hole: it has the size `size`, with zeros behind its data.
  void make_sparse(const std::string& path, std::uint64_t size) {
    names_.at(path)->sparse_size = size;
  }
  // Whether one of the two functions above was called for the file.
  bool is_odd(const std::string& path) const {
    const Node& node = *names_.at(path);
    return node.is_unreadable || node.sparse_size != 0;
  }
  std::vector<std::string> paths() const {
    std::vector<std::string> paths;
    for (const auto& [path, node] : names_)
      paths.push_back(path);
    return paths;
  }

  void create_directory(const std::string& path) override {
    count();
    if (directories_.insert(path).second) unsynced_directories_.insert(path);
  }
  std::vector<std::string> list(const std::string& directory) override {
    std::set<std::string> found;
    for (const auto& [path, node] : names_) {
      if (!path.starts_with(directory + "/")) continue;
      const std::string rest = path.substr(directory.size() + 1);
      found.insert(rest.substr(0, rest.find('/')));
    }
    return {found.begin(), found.end()};
  }
  bool exists(const std::string& path) override {
    return names_.contains(path) || directories_.contains(path);
  }
  std::unique_ptr<log::File> open(const std::string& path) override {
    const auto found = names_.find(path);
    if (found == names_.end() || found->second->is_unreadable) {
      throw log::IoError("cannot open '" + path + "'");
    }
    return std::make_unique<MemFile>(*this, found->second);
  }
  std::unique_ptr<log::File> create(const std::string& path) override {
    const auto node = std::make_shared<Node>();
    change(path, [path, node](Names& names) { names[path] = node; });
    return std::make_unique<MemFile>(*this, node);
  }
  void rename(const std::string& from, const std::string& to) override {
    if (renames_left_ != 0 && --renames_left_ == 0) throw PowerLoss{};
    change(to, [from, to](Names& names) {
      const auto found = names.find(from);
      if (found == names.end()) return;
      names[to] = found->second;
      names.erase(from);
    });
  }
  void remove(const std::string& path) override {
    change(path, [path](Names& names) { names.erase(path); });
  }
  std::uint64_t free_bytes(const std::string&) override {
    return capacity_ - std::min(capacity_, used_bytes());
  }
  void sync_directory(const std::string& path) override {
    count();
    ++syncs_;
    if (ignore_directory_syncs_) return;
    const auto is_below = [&](const std::string& each) { return parent(each) == path; };
    std::erase_if(unsynced_directories_, is_below);
    std::erase_if(name_changes_, [&](const NameChange& change) {
      if (!is_below(change.path)) return false;
      change.what(durable_names_);
      return true;
    });
  }

 private:
  struct Node {
    std::string data;     // the process's view
    std::string durable;  // what was synced
    struct Write {
      std::uint64_t offset;
      std::string bytes;
    };
    std::vector<Write> unsynced;
    std::uint64_t allocated = 0;
    std::uint64_t sparse_size = 0;
    bool is_unreadable = false;

    std::uint64_t size() const { return std::max<std::uint64_t>(allocated, data.size()); }
    static void apply(std::string& to, std::uint64_t offset, std::string_view bytes) {
      if (to.size() < offset + bytes.size()) to.resize(offset + bytes.size(), '\0');
      std::copy(bytes.begin(), bytes.end(), to.begin() + static_cast<std::ptrdiff_t>(offset));
    }
    void lose_power(std::mt19937& random, std::uint64_t sector) {
      for (const Write& write : unsynced) {
        const std::uint64_t keep_of_8 = random() % 9;
        for (std::uint64_t at = 0; at < write.bytes.size();) {
          const std::uint64_t size = std::min<std::uint64_t>(sector - (write.offset + at) % sector,
                                                             write.bytes.size() - at);
          if (random() % 8 < keep_of_8) {
            apply(durable, write.offset + at, std::string_view(write.bytes).substr(at, size));
          }
          at += size;
        }
      }
      unsynced.clear();
      data = durable;
    }
  };
  using Names = std::map<std::string, std::shared_ptr<Node>>;

  class MemFile final : public log::File {
   public:
    MemFile(MemFileSystem& files, std::shared_ptr<Node> node)
        : files_(files), node_(std::move(node)) {}
    void write(std::uint64_t offset, std::string_view bytes) override {
      files_.count();
      files_.claim(*node_, offset + bytes.size());
      Node::apply(node_->data, offset, bytes);
      node_->unsynced.push_back({offset, std::string(bytes)});
    }
    void allocate(std::uint64_t size) override {
      files_.count();
      files_.claim(*node_, size);
      node_->allocated = std::max(node_->allocated, size);
    }
    void read(std::uint64_t offset, std::size_t size, std::string& to) override {
      constexpr std::uint64_t memory_max = 64u << 20;
      to = offset < node_->data.size() ? node_->data.substr(offset, size) : "";
      if (offset >= node_->sparse_size) return;
      const std::uint64_t wanted = std::min<std::uint64_t>(size, node_->sparse_size - offset);
      if (wanted > memory_max) throw std::bad_alloc();
      if (wanted > to.size()) to.resize(wanted, '\0');
    }
    std::uint64_t size() override {
      return std::max<std::uint64_t>(node_->sparse_size, node_->data.size());
    }
    void sync() override {
      try {
        files_.count();
      } catch (const log::IoError&) {
        node_->unsynced.clear();
        throw;
      }
      ++files_.syncs_;
      if (files_.ignore_syncs_) return;
      for (const Node::Write& write : node_->unsynced)
        Node::apply(node_->durable, write.offset, write.bytes);
      node_->unsynced.clear();
    }

   private:
    MemFileSystem& files_;
    std::shared_ptr<Node> node_;
  };

  void count() {
    ++calls_;
    if (power_loss_at_ != 0 && calls_ >= power_loss_at_) throw PowerLoss{};
    const bool fails = failure_at_ != 0 && calls_ >= failure_at_;
    if (!fails && calls_ != one_failure_at_) return;
    has_failed_ = true;
    throw log::IoError("injected failure");
  }
  void claim(const Node& node, std::uint64_t size) const {
    if (size > node.size() && size - node.size() > capacity_ - std::min(capacity_, used_bytes())) {
      throw log::NoSpace("the disk is full");
    }
  }
  // A name in the directory of `path` that is created, removed or changed.
  struct NameChange {
    std::string path;
    std::function<void(Names&)> what;
  };
  static std::string parent(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, slash);
  }
  void change(const std::string& path, std::function<void(Names&)> what) {
    count();
    what(names_);
    name_changes_.push_back({path, std::move(what)});
  }
  // Directories that were never synced in their parent directory may be lost, with their content.
  void lose_directories(std::mt19937& random) {
    for (const std::string& directory : std::exchange(unsynced_directories_, {})) {
      if (random() % 2 == 0) continue;
      const auto is_below = [&](const std::string& path) {
        return path == directory || path.starts_with(directory + "/");
      };
      std::erase_if(names_, [&](const auto& name) { return is_below(name.first); });
      std::erase_if(directories_, is_below);
    }
  }

  Names names_;
  Names durable_names_;
  std::vector<NameChange> name_changes_;
  std::set<std::string> directories_;
  std::set<std::string> unsynced_directories_;
  std::uint64_t calls_ = 0;
  std::uint64_t syncs_ = 0;
  std::uint64_t power_loss_at_ = 0;
  std::uint64_t failure_at_ = 0;
  std::uint64_t one_failure_at_ = 0;
  std::uint64_t capacity_ = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t sector_size_ = 512;
  std::uint64_t renames_left_ = 0;
  bool has_failed_ = false;
  bool ignore_syncs_ = false;
  bool ignore_directory_syncs_ = false;
};

}  // namespace haypile::test
