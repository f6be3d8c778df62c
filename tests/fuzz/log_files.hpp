// The files of a log, for damaging them: which kinds there are, and how the checksums of each are
// corrected, so that reading does not end with the first of them.
#pragma once

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "log/checkpoint.hpp"
#include "log/format.hpp"
#include "log/newest.hpp"
#include "log/pile.hpp"
#include "log/segment.hpp"

namespace haypile::fuzz {

inline constexpr log::DirectoryId directory_id{7, 1, 2,  3,  4,  5,  6,  7,
                                               8, 9, 10, 11, 12, 13, 14, 15};
// A size in a header decides what is allocated later. If it is larger than this, the header's
// checksum is left wrong.
inline constexpr std::uint32_t segment_size_max = 1u << 16;

inline void set_u32(std::string& bytes, std::size_t at, std::uint32_t value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}
inline void set_u64(std::string& bytes, std::size_t at, std::uint64_t value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}
inline std::uint64_t sum(std::string_view bytes, std::uint64_t seed) {
  return log::checksum(bytes, directory_id, seed);
}

// Calls visit(offset, records_size) for each batch in a segment, as far as the sizes are valid.
template <class Visit>
void each_batch(const std::string& bytes, Visit visit) {
  std::size_t at = log::segment_header_size;
  while (at + log::batch_header_size <= bytes.size()) {
    const std::size_t size = log::get_u32(bytes, at);
    if (size == 0 || size > bytes.size() - at - log::batch_header_size) return;
    visit(at, size);
    at = log::align(at + log::batch_header_size + size);
  }
}

inline void repair_segment(const std::string& name, std::string& bytes) {
  constexpr std::size_t summed_size = log::segment_header_size - 8;
  if (bytes.size() < log::segment_header_size) return;
  const std::uint32_t segment_size = log::get_u32(bytes, 12);
  if (segment_size > segment_size_max) return;
  set_u64(bytes, summed_size, sum(std::string_view(bytes).substr(0, summed_size), 0));
  const std::uint64_t base = log::segment_number(name).value_or(0) * segment_size;
  each_batch(bytes, [&](std::size_t at, std::size_t size) {
    const log::LogPosition position = base + at;
    const std::string_view view(bytes);
    const std::size_t records_at = at + log::batch_header_size;
    const std::uint64_t records_sum = sum(view.substr(records_at, size), position);
    set_u64(bytes, at + log::batch_position_at, position);
    set_u64(bytes, at + 24, records_sum);
    set_u64(bytes, records_at - 8, sum(view.substr(at, log::batch_header_size - 8), position));
  });
}

inline void repair_pile(const std::string& name, std::string& bytes) {
  constexpr std::size_t summed_size = log::pile_header_size - 8;
  if (bytes.size() < log::pile_header_size) return;
  const std::string_view view(bytes);
  set_u64(bytes, summed_size, sum(view.substr(0, summed_size), 0));
  const log::LogPosition number = log::pile_number(name).value_or(0);
  for (std::size_t at = log::pile_header_size; at + log::block_header_size <= bytes.size();) {
    const std::size_t size = log::get_u32(bytes, at);
    const std::size_t records_at = at + log::block_header_size;
    if (size > bytes.size() - records_at) return;
    set_u64(bytes, at + 32, sum(view.substr(records_at, size), number + at));
    set_u64(bytes, records_at - 8, sum(view.substr(at, log::block_header_size - 8), number + at));
    at = log::align(records_at + size);
  }
}

inline void repair_checkpoint(const std::string&, std::string& bytes) {
  constexpr std::size_t header_size = 56;
  if (bytes.size() < header_size + 8) return;
  const std::size_t summed_size = bytes.size() - 8;
  const log::LogPosition position = log::get_u64(bytes, 40);
  set_u64(bytes, summed_size, sum(std::string_view(bytes).substr(0, summed_size), position));
}

inline void repair_newest(const std::string&, std::string& bytes) {
  for (const std::size_t at : {std::size_t{0}, std::size_t{4096}}) {
    constexpr std::size_t summed_size = 56;
    if (bytes.size() < at + summed_size + 8) return;
    const std::uint64_t number = log::get_u64(bytes, at + 32);
    set_u64(bytes, at + summed_size, sum(std::string_view(bytes).substr(at, summed_size), number));
  }
}

struct FileKind {
  bool (*has)(std::string_view name);
  // `name` is the file's own name, without its directory.
  void (*repair)(const std::string& name, std::string& bytes);
  // Offsets of fields in a file of this kind that are worth changing.
  std::vector<std::size_t> fields;
};

// Add a line for each new kind of file.
inline const FileKind file_kinds[] = {
    {[](std::string_view name) { return log::segment_number(name).has_value(); },
     repair_segment,
     {8, 12, 32, 64, 68, 80, 104}},
    {[](std::string_view name) { return name == log::checkpoint_name; },
     repair_checkpoint,
     {8, 32, 40, 48, 56}},
    {[](std::string_view name) { return log::pile_number(name).has_value(); },
     repair_pile,
     {8, 32, 64, 68, 72, 80, 84, 88, 112}},
    {[](std::string_view name) { return name == log::newest_name; },
     repair_newest,
     {0, 8, 32, 4096, 4104, 4128}},
};

// Returns null for a file that the log does not read.
inline const FileKind* kind_of(std::string_view name) {
  for (const FileKind& kind : file_kinds) {
    if (kind.has(name)) return &kind;
  }
  return nullptr;
}

}  // namespace haypile::fuzz
