#include "log/format.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/canary.hpp"

namespace haypile::log {

namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

template <class T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// Returns the place behind the value.
template <class T>
char* put(char* to, T value) {
  std::memcpy(to, &value, sizeof value);
  return to + sizeof value;
}

template <class T>
T get(std::string_view bytes, std::size_t at) {
  T value = 0;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

}  // namespace

void put_u32(std::string& out, std::uint32_t value) {
  put(out, value);
}
void put_u64(std::string& out, std::uint64_t value) {
  put(out, value);
}
std::uint32_t get_u32(std::string_view bytes, std::size_t at) {
  return get<std::uint32_t>(bytes, at);
}
std::uint64_t get_u64(std::string_view bytes, std::size_t at) {
  return get<std::uint64_t>(bytes, at);
}

std::uint64_t checksum(std::string_view bytes, const DirectoryId& id, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), get_u64(view(id), 0) ^ seed);
}

std::string version_error(std::uint32_t version) {
  if (version >= format_version_min && version <= format_version) return "";
  return "has format version " + std::to_string(version) + ", expected " +
         std::to_string(format_version_min) + " to " + std::to_string(format_version);
}

std::string encode(const SegmentHeader& header, const DirectoryId& id) {
  std::string bytes(segment_magic);
  put_u32(bytes, header.version);
  put_u32(bytes, header.segment_size);
  bytes += view(id);
  put_u64(bytes, header.number);
  bytes.resize(segment_header_size - 8, '\0');
  put_u64(bytes, checksum(bytes, id, 0));
  return bytes;
}

SegmentHeaderResult decode_segment_header(std::string_view bytes, const DirectoryId& id) {
  bytes = bytes.substr(0, segment_header_size);
  if (bytes.size() < segment_header_size ||
      std::ranges::all_of(bytes, [](char byte) { return byte == 0; })) {
    return {{}, "has no header", true};
  }
  if (!bytes.starts_with(segment_magic)) return {{}, "is not a log segment", false};
  const std::uint32_t version = get_u32(bytes, 8);
  if (std::string error = version_error(version); !error.empty()) return {{}, error, false};
  if (bytes.substr(16, id.size()) != view(id))
    return {{}, "belongs to another data directory", false};
  if (get_u64(bytes, segment_header_size - 8) !=
      checksum(bytes.substr(0, segment_header_size - 8), id, 0)) {
    return {{}, "has a damaged header", false};
  }
  return {{get_u64(bytes, 32), get_u32(bytes, 12), version}, "", false};
}

void encode(const BatchHeader& header, const DirectoryId& id, std::string& batch) {
  char* to = batch.data();
  to = put(to, header.records_size);
  to = put(to, header.epoch);
  to = put(to, header.position);
  to = put(to, header.durable);
  to = put(to, header.records_checksum);
  put(to, checksum({batch.data(), batch_header_size - 8}, id, header.position));
}

std::optional<BatchHeader> decode_batch_header(std::string_view bytes, const DirectoryId& id,
                                               LogPosition position) {
  if (HAYPILE_CANARY(stale_batch_accepted) && bytes.size() >= batch_header_size)
    position = get_u64(bytes, batch_position_at);
  if (bytes.size() < batch_header_size || get_u64(bytes, batch_position_at) != position)
    return std::nullopt;
  if (get_u64(bytes, batch_header_size - 8) !=
      checksum(bytes.substr(0, batch_header_size - 8), id, position)) {
    return std::nullopt;
  }
  return BatchHeader{get_u32(bytes, 0), get_u32(bytes, 4), position, get_u64(bytes, 16),
                     get_u64(bytes, 24)};
}

}  // namespace haypile::log
