// Damages the files of a log as an input says: what a user, or a disk, may do to them.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fuzz/log_files.hpp"
#include "fuzz/log_program.hpp"
#include "fuzz/support.hpp"

namespace haypile::fuzz {

class LogDamage {
 public:
  // `may_repair`: whether checksums are corrected after a change.
  LogDamage(test::MemFileSystem& files, Input& input, bool may_repair)
      : files_(files), input_(input), may_repair_(may_repair) {}

  void run() {
    for (int count = 0; count < change_count_max && !input_.empty(); ++count) {
      const std::vector<std::string> paths = files_.paths();
      if (paths.empty()) return;
      const std::string& path = paths[input_.below(paths.size())];
      const std::uint8_t choice = input_.byte();
      change(choice % 16, path);
      // Sometimes the damage is left without correcting the checksums.
      if (choice < 240 && files_.exists(path)) repair(path);
    }
  }

 private:
  static constexpr int change_count_max = 20;
  static constexpr std::size_t file_size_max = 1u << 17;

  static std::string name_of(const std::string& path) {
    return path.substr(std::string_view(directory).size() + 1);
  }
  void repair(const std::string& path) {
    if (!may_repair_ || files_.is_odd(path)) return;
    const std::string name = name_of(path);
    std::string bytes = files_.bytes(path);
    if (const FileKind* kind = kind_of(name)) kind->repair(name, bytes);
    files_.put(path, bytes);
  }
  // Returns the offset of a field of the file or of a batch, or any offset.
  std::size_t place(const std::string& path, const std::string& bytes) {
    const std::uint8_t choice = input_.byte();
    const FileKind* kind = kind_of(name_of(path));
    if (!kind || choice % 4 == 0) return input_.number(2);
    if (choice % 4 == 1) return kind->fields[(choice / 4) % kind->fields.size()];
    // Counts from the end of the used bytes, or from a batch.
    const std::size_t used = bytes.find_last_not_of('\0') + 1;
    const std::size_t distance = input_.byte();
    if (choice % 4 == 2) return used > distance ? used - distance : used;
    std::vector<std::size_t> batches;
    each_batch(bytes, [&](std::size_t at, std::size_t) { batches.push_back(at); });
    if (batches.empty()) return distance;
    return batches[choice / 4 % batches.size()] + distance % 80;
  }
  void overwrite(std::string& bytes, std::size_t at, std::string_view with) {
    if (at < bytes.size()) bytes.replace(at, std::min(with.size(), bytes.size() - at), with);
  }
  void change(std::uint8_t how, const std::string& path) {
    std::string bytes = files_.bytes(path);
    switch (how) {
      case 0:
        return files_.drop(path);
      case 1:
        bytes.resize(std::min<std::size_t>(input_.number(2), segment_size_max), '\0');
        break;
      case 2:
        return rename(path, bytes);
      case 3: {  // takes a part of another file, or all of it
        const std::vector<std::string> paths = files_.paths();
        const std::string& other = files_.bytes(paths[input_.below(paths.size())]);
        const std::size_t from = input_.number(2);
        const std::size_t to = place(path, bytes);
        if (from < other.size()) overwrite(bytes, to, other.substr(from, 1 + input_.number(2)));
        break;
      }
      case 4: {  // writes other records into a batch
        rewrite_batch(path, bytes);
        break;
      }
      case 5:
      case 6: {
        const std::size_t at = place(path, bytes);
        const unsigned size = 1u << (input_.byte() % 4);
        const std::uint64_t value = input_.number(size);
        const std::string field(reinterpret_cast<const char*>(&value), size);
        overwrite(bytes, at, field);
        break;
      }
      case 7: {
        const std::size_t at = place(path, bytes);
        if (at < bytes.size() && bytes.size() < file_size_max) {
          bytes.insert(at, input_.bytes(input_.byte()));
        }
        break;
      }
      case 8: {
        const std::size_t at = place(path, bytes);
        if (at < bytes.size()) bytes.erase(at, input_.byte());
        break;
      }
      case 9: {
        const std::size_t at = place(path, bytes);
        if (at < bytes.size())
          std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(at), bytes.end(), '\0');
        break;
      }
      case 10:
      case 11: {
        const std::size_t at = place(path, bytes);
        if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << input_.byte() % 8));
        break;
      }
      case 12:
        return trick(path);
      default: {
        const std::size_t at = place(path, bytes);
        overwrite(bytes, at, input_.bytes(input_.byte()));
        break;
      }
    }
    files_.put(path, bytes);
  }
  // Does what only a file system can do to a file.
  void trick(const std::string& path) {
    const std::uint8_t choice = input_.byte();
    if (choice % 2 == 0) return files_.make_unreadable(path);
    files_.make_sparse(path, std::uint64_t{1} << (10 + choice % 50));
  }
  // Replaces a batch by one with other records; what follows it is moved or overwritten.
  void rewrite_batch(const std::string& path, std::string& bytes) {
    std::vector<std::pair<std::size_t, std::size_t>> batches;
    each_batch(bytes, [&](std::size_t at, std::size_t size) { batches.push_back({at, size}); });
    if (batches.empty() || name_of(path) == log::checkpoint_name) return;
    const auto [at, size] = batches[input_.below(batches.size())];
    const std::size_t file_size = bytes.size();
    const std::uint8_t choice = input_.byte();
    std::string records = bytes.substr(at + log::batch_header_size, size);
    const std::size_t from = input_.below(records.size() + 1);
    const std::string with(input_.bytes(input_.byte()));
    if (choice % 3 == 0) records = with;
    if (choice % 3 == 1) records.insert(from, with);
    if (choice % 3 == 2) records.replace(from, with.size(), with);
    const std::size_t records_size = records.size();
    if (records_size == 0) return;
    records.resize(
        log::align(at + log::batch_header_size + records_size) - at - log::batch_header_size, '\0');
    const std::size_t old_size =
        log::align(at + log::batch_header_size + size) - at - log::batch_header_size;
    bytes.replace(at + log::batch_header_size, choice >= 128 ? records.size() : old_size, records);
    set_u32(bytes, at, static_cast<std::uint32_t>(records_size));
    bytes.resize(file_size, '\0');
  }
  void rename(const std::string& path, const std::string& bytes) {
    const std::uint8_t choice = input_.byte();
    const std::string name =
        choice == 0xFF ? std::string(input_.bytes(20)) : log::segment_name(choice % 32);
    const std::string to = std::string(directory) + "/" + name;
    if (name.find('/') != std::string::npos) return;
    files_.put(to, bytes);
    repair(to);
    if (choice % 2 == 0 && to != path) files_.drop(path);
  }

  test::MemFileSystem& files_;
  Input& input_;
  const bool may_repair_;
};

}  // namespace haypile::fuzz
