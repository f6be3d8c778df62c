// The constants, headers and checksums of docs/log-format.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/definitions.hpp"

namespace haypile::log {

using engine::LogPosition;

// The random id of a data directory. Every header has it, so that no file of another directory is
// accepted.
using DirectoryId = std::array<unsigned char, 16>;
inline std::string_view view(const DirectoryId& id) {
  return {reinterpret_cast<const char*>(id.data()), id.size()};
}

// The version that is written, and the oldest that can be read.
inline constexpr std::uint32_t format_version = 5;
inline constexpr std::uint32_t format_version_min = 1;
inline constexpr std::string_view segment_magic = "HAYLOG\r\n";
inline constexpr std::string_view pile_magic = "HAYPILE\n";
inline constexpr std::string_view checkpoint_magic = "HAYCHK\r\n";
inline constexpr std::string_view newest_magic = "HAYNEW\r\n";
inline constexpr std::size_t segment_header_size = 64;
inline constexpr std::size_t batch_header_size = 40;
// The offset of the position in a batch header.
inline constexpr std::size_t batch_position_at = 8;
inline constexpr std::size_t batch_alignment = 8;
// Every segment that is not sealed has room for this: a batch with the record that seals it.
inline constexpr std::size_t seal_size = batch_header_size + 1;
inline constexpr std::uint32_t segment_size_min = 4096;
// No log reaches this position, not in a thousand years. A file with a higher one was not written
// by a log.
inline constexpr LogPosition position_max = 1'000'000'000'000'000'000;

enum class RecordType : std::uint8_t {
  publish = 1,
  ack = 2,
  declare_exchange = 3,
  delete_exchange = 4,
  declare_queue = 5,
  delete_queue = 6,
  bind = 7,
  unbind = 8,
  mark_delivered = 9,
  first_fragment = 10,
  fragment = 11,
  last_fragment = 12,
  start = 13,
  clean_stop = 14,
  seal = 15,
  // New in version 2:
  timed_publish = 16,
  delivery_count = 17,
  unused_since = 18,
  group_begin = 19,
  group_end = 20,
  // New in version 3 (version 4 changed piles and checkpoints):
  move = 21,
  drop_stored = 22,
  note_stored = 23,
  pile = 24,  // only in checkpoints
  // New in version 5:
  drop_sized = 25,
  time = 26,
  publish_after = 27,
  clock = 28,
  idle = 29,
};

constexpr std::uint64_t align(std::uint64_t offset) {
  return (offset + batch_alignment - 1) / batch_alignment * batch_alignment;
}

// Integers of the format are little-endian.
void put_u32(std::string& out, std::uint32_t value);
void put_u64(std::string& out, std::uint64_t value);
std::uint32_t get_u32(std::string_view bytes, std::size_t at);
std::uint64_t get_u64(std::string_view bytes, std::size_t at);

// Returns a phrase that says why a file of this version cannot be read; empty if it can.
std::string version_error(std::uint32_t version);

// XXH3 with 64 bits. Its seed is the first eight bytes of `id` xor `seed`.
std::uint64_t checksum(std::string_view bytes, const DirectoryId& id, std::uint64_t seed);

struct SegmentHeader {
  std::uint64_t number = 0;
  std::uint32_t segment_size = 0;
  std::uint32_t version = format_version;
};
std::string encode(const SegmentHeader& header, const DirectoryId& id);
// `error` is a phrase that says what is wrong with the header, or empty.
struct SegmentHeaderResult {
  SegmentHeader header;
  std::string error;
  bool blank = false;  // only zeros, or too short
};
SegmentHeaderResult decode_segment_header(std::string_view bytes, const DirectoryId& id);

struct BatchHeader {
  std::uint32_t records_size = 0;
  std::uint32_t epoch = 0;
  LogPosition position = 0;  // of the header itself
  LogPosition durable = 0;   // as known when the batch was put together
  std::uint64_t records_checksum = 0;
};
// Overwrites the first batch_header_size bytes of `batch`.
void encode(const BatchHeader& header, const DirectoryId& id, std::string& batch);
// Returns nothing unless the header was written for exactly this position.
std::optional<BatchHeader> decode_batch_header(std::string_view bytes, const DirectoryId& id,
                                               LogPosition position);

}  // namespace haypile::log
